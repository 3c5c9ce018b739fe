"""Which files count, by manifests and by the names of folders alone: nothing is looked into, or fetched, for that."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from providers.manifests import Manifest, Shelf, newest, period_of, stamp
from providers.places import Found
from providers.recognise import Kind
from providers.tables import Diagnostic, InputError

Folder = tuple[str, ...]


class Pick(NamedTuple):
    """Files that were chosen together; `left_out` is what they replace. Without a manifest their kind shows later."""

    files: tuple[Found, ...]
    left_out: tuple[Found, ...]
    period: str | None
    created: str | None = None
    manifest: Manifest | None = None

    @property
    def name(self) -> str | None:
        """Return the name of its manifest."""
        return self.manifest.file.name if self.manifest else None


def by_manifest(read: Sequence[Manifest], data: Sequence[Found]) -> tuple[list[Pick], list[Diagnostic]]:
    """Choose the newest delivery of each export and period; an export of anything but costs becomes a note.

    Left out is what older manifests name, and what else lies in the period's folder of that export.

    Raises:
        InputError: a file that is needed is not there.
    """
    groups: defaultdict[tuple[object, ...], list[Manifest]] = defaultdict(list)
    for manifest in read:
        groups[manifest.export, manifest.period].append(manifest)
    shelf, folders = Shelf(data), _by_period_folder(data)
    found = {newest(group): group for group in groups.values()}
    needed = {new: _needed(new, shelf) if new.costs else () for new in found}
    taken = {file for files in needed.values() for file in files}
    picks, told = [], []
    for new, group in found.items():
        named = {file for one in group for name in one.names if (file := shelf.find(name, one)) is not None}
        beside = {file for folder in _folders_of(new, named | set(needed[new])) for file in folders[folder]}
        left_out = tuple(sorted((named | beside) - taken, key=_where))
        told += _remarks(new, group, needed[new])
        picks.append(Pick(needed[new], left_out, new.period, new.created, new))
    return picks, told + _twice(found)


def by_folder(files: Sequence[Found]) -> tuple[list[Pick], list[Diagnostic]]:
    """Choose the newest delivery in each folder of a billing period; what lies elsewhere counts as it is."""
    picks, told = [], []
    folders = _by_period_folder(files)
    inside = {file for some in folders.values() for file in some}
    for folder, some in folders.items():
        pick, remarks = _latest(folder, some)
        picks.append(pick)
        told += remarks
    around: defaultdict[Folder, list[Found]] = defaultdict(list)
    for file in files:
        if file not in inside:
            around[file.parts[:-1]].append(file)
    return picks + [Pick(tuple(some), (), None) for some in around.values()], told


def _needed(new: Manifest, shelf: Shelf) -> tuple[Found, ...]:
    files = {name: shelf.find(name, new) for name in new.names}
    missing = [name for name, file in files.items() if file is None]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        remedy = "give the folder that holds both, or download the delivery again"
        raise InputError(new.file.name, f"names {missing[0]}{more}, which is not there", remedy)
    return tuple(dict.fromkeys(file for file in files.values() if file is not None))


def _by_period_folder(files: Iterable[Found]) -> defaultdict[Folder, list[Found]]:
    folders: defaultdict[Folder, list[Found]] = defaultdict(list)
    for file in files:
        if (found := period_of(file.parts)) is not None:
            folders[file.parts[: found[0] + 1]].append(file)
    return folders


def _folders_of(new: Manifest, files: Iterable[Found]) -> set[Folder]:
    """Return the period folders that belong to one export: those of its files, where the export's folder is above."""
    folders = {file.parts[: found[0] + 1] for file in files if (found := period_of(file.parts)) is not None}
    return {folder for folder in folders if new.folder is None or folder[-2:-1] == (new.folder,)}


def _latest(folder: Folder, files: Sequence[Found]) -> tuple[Pick, list[Diagnostic]]:
    """Choose the newest of the folders below that of a period, by the time in their names, else by that of its files.

    Where names without a time are not known to be deliveries (BILLING_PERIOD says so), all count, and it is said.
    """
    depth = len(folder)
    deliveries: defaultdict[str, list[Found]] = defaultdict(list)
    for file in files:
        deliveries[file.parts[depth] if len(file.parts) > depth + 1 else ""].append(file)
    period = (period_of((*folder, "")) or (0, None))[1]
    timed = all(stamp(name) for name in deliveries if name)
    if not (timed or folder[-1].startswith("BILLING_PERIOD=")):
        told = [_several(folder, len(deliveries))] if len(deliveries) > 1 else []
        return Pick(tuple(files), (), period), told
    created = {name: stamp(name) or max(file.modified for file in some) for name, some in deliveries.items()}
    last = max(deliveries, key=lambda name: (created[name], name))
    older = tuple(file for name, some in deliveries.items() if name != last for file in some)
    return Pick(tuple(deliveries[last]), older, period, created[last] if last else None), []


def _several(folder: Folder, count: int) -> Diagnostic:
    return Diagnostic(
        level="warning",
        code="several-deliveries",
        message=f"{folder[-1]} holds {count} folders and nothing that says which is the newest: all of them count",
        hint="give the manifests too, or only the newest folder",
        where="/".join(folder[-2:]),
    )


def _remarks(new: Manifest, group: Sequence[Manifest], files: Sequence[Found]) -> list[Diagnostic]:
    name = new.file.name
    if not new.costs:
        message = f"{name} belongs to an export that holds no costs, and was passed over"
        return [Diagnostic(level="note", code="no-costs", message=message)]
    told = [] if files else [Diagnostic(level="note", code="no-rows", message=f"{name} is of a delivery without rows")]
    wider = [
        one
        for one in group
        if one.days and new.days and not new.days[0] <= min(one.days) <= max(one.days) <= new.days[1]
    ]
    if wider:
        message = f"{name} is the newest of {new.period}, but {wider[0].file.name} holds days that it does not"
        hint = "those days are not counted: export the whole month again"
        told.append(Diagnostic(level="warning", code="days-left-out", message=message, hint=hint))
    shelf = Shelf(files)
    for label, size in new.sizes.items():
        file = shelf.find(label, new)
        if file is not None and file.size != size:
            message = f"{file.name} has {file.size} bytes, where its manifest says {size}"
            hint = "download it again, unless you changed it"
            told.append(Diagnostic(level="warning", code="size-differs", message=message, hint=hint))
    return told


def _twice(found: Iterable[Manifest]) -> list[Diagnostic]:
    """Warn where Azure delivers one bill as FOCUS and as its own export: both would count."""
    kinds: defaultdict[tuple[object, ...], dict[Kind | None, str]] = defaultdict(dict)
    for one in found:
        if one.export[0] == "azure" and one.costs:
            kinds[one.export[1], one.period][one.kind] = one.file.name
    message = "{} and {} hold one bill of {} in two forms, and both count"
    return [
        Diagnostic(
            level="warning",
            code="same-bill-twice",
            message=message.format(
                names["focus"], next(name for kind, name in names.items() if kind != "focus"), period
            ),
            hint="give either the FOCUS export or the others",
        )
        for (_, period), names in kinds.items()
        if "focus" in names and len(names) > 1
    ]


def _where(file: Found) -> str:
    return file.where
