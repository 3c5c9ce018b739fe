"""One delivery for each export and period: bills are delivered again and again, and must count once."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from providers import manifests, picks, places
from providers.manifests import Manifest
from providers.names import few
from providers.picks import Pick
from providers.places import Found
from providers.recognise import File, Kind, azure_kind, kind_of
from providers.scan import UnknownFileError, format_of, is_utf8
from providers.tables import Diagnostic

SHOWN = 3
TEXT_BYTES = 1 << 28
"""Up to this size a text is read once more, to see whether it is UTF-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Files that together are one export of one period; `left_out` names what an older delivery, or none, holds."""

    kind: Kind
    period: str | None
    files: tuple[File, ...]
    name: str
    created: str | None = None
    left_out: tuple[str, ...] = ()


def choose(found: Sequence[Found]) -> tuple[list[Delivery], list[Diagnostic]]:
    """Choose the newest delivery of each export and period: by its manifest, else by its folder; the rest as it is.

    Of remote files only manifests and what is chosen are fetched; that is on this machine afterwards. The same bytes
    twice count once. A file that only lay in a folder and is no export is passed over. All of this is said.

    Raises:
        InputError: a manifest names a file that is not there, a named file is no export, or a file is damaged.
    """
    read, data = _apart(found)
    chosen, told = picks.by_manifest(read, data)
    settled = {file for pick in chosen for file in (*pick.files, *pick.left_out)}
    others, remarks = picks.by_folder([file for file in data if file not in settled])
    chosen += others
    places.fetch(file for pick in chosen for file in pick.files)
    kinds, passed = _kinds(chosen)
    chosen, strays = _without_strays(chosen, kinds)
    chosen, doubles = _once(chosen, kinds)
    deliveries = [delivery for pick in chosen for delivery in _deliveries(pick, kinds)]
    deliveries.sort(key=lambda one: (one.kind, one.period or "", one.name))
    return deliveries, [
        *told,
        *remarks,
        *strays,
        *doubles,
        *_passed_over(passed),
        *_left_out(deliveries),
        *_garbled(deliveries),
    ]


def _apart(found: Sequence[Found]) -> tuple[list[Manifest], list[Found]]:
    """Return the manifests, read, and everything else; of remote files only those are fetched that may be one."""
    likely = [file for file in found if not file.away or file.parts[-1].casefold().endswith("manifest.json")]
    places.fetch(likely)
    read = {file: manifest for file in likely if (manifest := manifests.read(file)) is not None}
    return list(read.values()), [file for file in found if file not in read]


def _kinds(chosen: Sequence[Pick]) -> tuple[dict[Found, Kind], list[Found]]:
    """Return what each file is, and those that are nothing."""
    kinds: dict[Found, Kind] = {}
    passed = []
    for pick in chosen:
        for file in pick.files:
            try:
                kinds[file] = (pick.manifest and pick.manifest.kind) or kind_of(str(file.path), file.name)
            except UnknownFileError:
                if file.named:
                    raise
                passed.append(file)
    return kinds | _parts_of_azure(
        [file for pick in chosen if pick.manifest is None for file in pick.files], kinds
    ), passed


def _parts_of_azure(files: Iterable[Found], kinds: Mapping[Found, Kind]) -> dict[Found, Kind]:
    """Return the kind of Azure files that do not tell: that of the parts beside them, named alike but for numbers."""
    sets: defaultdict[tuple[str, ...], list[Found]] = defaultdict(list)
    for file in files:
        if kinds.get(file) in ("azure_actual", "azure_amortized"):
            sets[*file.parts[:-1], re.sub(r"\d+", "", file.parts[-1])].append(file)
    found: dict[Found, Kind] = {}
    for parts in sets.values():
        told = {file: azure_kind(str(file.path)) for file in parts} if len(parts) > 1 else {}
        said = set(told.values()) - {None}
        if said == {"azure_amortized"}:
            found |= dict.fromkeys(parts, "azure_amortized")
    return found


def _without_strays(chosen: Sequence[Pick], kinds: Mapping[Found, Kind]) -> tuple[list[Pick], list[Diagnostic]]:
    """Leave out what lies among a manifest's files and is of their kind, but is not on its list."""
    lists = {
        (file.parts[:-1], kinds[file]): index
        for index, pick in enumerate(chosen)
        if pick.manifest is not None
        for file in pick.files
    }
    strays: defaultdict[int, list[Found]] = defaultdict(list)
    for pick in chosen:
        for file in pick.files if pick.manifest is None else ():
            if file in kinds and (index := lists.get((file.parts[:-1], kinds[file]))) is not None:
                strays[index].append(file)
    gone = {file for some in strays.values() for file in some}
    told = [
        Diagnostic(
            level="warning",
            code="not-listed",
            message=f"{few([file.name for file in some], SHOWN)} lies among the files of {chosen[index].name}, "
            "which does not list it: left out",
            hint="if it is a bill of its own, keep it in a folder of its own",
        )
        for index, some in strays.items()
    ]
    kept = [
        pick._replace(
            files=tuple(file for file in pick.files if file in kinds and file not in gone),
            left_out=(*pick.left_out, *strays.get(index, ())),
        )
        for index, pick in enumerate(chosen)
    ]
    return kept, told


def _once(chosen: Sequence[Pick], kinds: Mapping[Found, Kind]) -> tuple[list[Pick], list[Diagnostic]]:
    """Drop what holds the same bytes as a file of another delivery; a manifest's own list is taken as it is."""
    sizes = Counter((kinds[file], file.size) for pick in chosen for file in pick.files)
    kept: dict[tuple[Kind, str], tuple[int, Found]] = {}
    dropped: dict[Found, Found] = {}
    for index, pick in enumerate(chosen):
        for file in pick.files:
            if sizes[kinds[file], file.size] > 1:
                owner, first = kept.setdefault((kinds[file], _sha256(file)), (index, file))
                if first != file and (owner != index or pick.manifest is None):
                    dropped[file] = first
    message = "{} holds the same bytes as {}, and counts once"
    told = [
        Diagnostic(level="warning", code="duplicate-delivery", message=message.format(file.name, first.name))
        for file, first in dropped.items()
    ]
    return [pick._replace(files=tuple(file for file in pick.files if file not in dropped)) for pick in chosen], told


def _deliveries(pick: Pick, kinds: Mapping[Found, Kind]) -> list[Delivery]:
    """Return a pick as a delivery, or as one of each kind that lies there."""
    by_kind: defaultdict[Kind, list[Found]] = defaultdict(list)
    for file in pick.files:
        by_kind[kinds[file]].append(file)
    if pick.manifest is not None and pick.manifest.costs and pick.manifest.kind is not None:
        by_kind.setdefault(pick.manifest.kind, [])
    left_out = tuple(file.name for file in pick.left_out)
    return [
        Delivery(
            kind=kind,
            period=pick.period,
            files=tuple(File(path=str(file.path), name=file.name, kind=kind) for file in files),
            name=pick.name or few([file.name for file in files], 1),
            created=pick.created,
            left_out=left_out if index == 0 else (),
        )
        for index, (kind, files) in enumerate(by_kind.items())
    ]


def _passed_over(files: Sequence[Found]) -> list[Diagnostic]:
    if not files:
        return []
    verb = (
        "is no export that is understood, and was"
        if len(files) == 1
        else "are no exports that are understood, and were"
    )
    message = f"{few([file.name for file in files], SHOWN)} {verb} passed over"
    return [Diagnostic(level="note", code="passed-over", message=message)]


def _left_out(deliveries: Iterable[Delivery]) -> list[Diagnostic]:
    return [
        Diagnostic(
            level="note",
            code="left-out",
            message=f"{one.name} is the newest delivery; {few(one.left_out, SHOWN)} beside it do not count",
        )
        for one in deliveries
        if one.left_out
    ]


def _garbled(deliveries: Iterable[Delivery]) -> list[Diagnostic]:
    """Warn of text that is not UTF-8: letters outside ASCII are lost, so that two names may become one."""
    texts = [file for one in deliveries for file in one.files if format_of(file.path) == "csv"]
    return [
        Diagnostic(
            level="warning",
            code="not-utf-8",
            message=f"{file.name} is not UTF-8: every byte that is not shows as \N{REPLACEMENT CHARACTER}",
            hint="save it as UTF-8; names that differ only there are taken for one",
        )
        for file in texts
        if Path(file.path).stat().st_size <= TEXT_BYTES and not is_utf8(file.path)
    ]


def _sha256(file: Found) -> str:
    with file.path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
