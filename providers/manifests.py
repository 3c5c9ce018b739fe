"""Manifests of AWS and Azure exports: which files are one delivery, of which export and period, and how new it is."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from providers.places import Found
from providers.recognise import Kind, kind_of_columns, manifest_kind
from providers.tables import InputError

_STAMP = re.compile(r"(20\d\d)-?(0[1-9]|1[0-2])-?([0-3]\d)(?:T?([0-2]\d):?([0-5]\d):?([0-5]\d)?)?(?![0-9a-f])")
_AZURE: dict[str, Kind] = {
    "actualcost": "azure_actual",
    "usage": "azure_actual",
    "amortizedcost": "azure_amortized",
    "focuscost": "focus",
}
PERIOD_FOLDER = re.compile(r"BILLING_PERIOD=(\d{4}-\d{2})|(\d{4})(\d{2})\d{2}-\d{8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a manifest says.

    export: what is delivered again and again. created: sorts by time. current: the provider keeps it on the newest
    delivery. kind: what its files are, None where only they tell. costs: False for anything but a bill. names: its
    files. sizes: bytes of those files whose size it gives. folder: what the export calls its own folder, if anything.
    days: the first and the last day that were exported, where it says so.
    """

    file: Found
    export: tuple[str, ...]
    period: str | None
    created: str
    current: bool = False
    kind: Kind | None
    costs: bool = True
    names: tuple[str, ...]
    sizes: Mapping[str, int] = field(default_factory=dict, compare=False)
    folder: str | None = None
    days: tuple[str, str] | None = None


class Shelf:
    """Files by where they are, to find those that manifests mean."""

    def __init__(self, files: Iterable[Found]) -> None:
        self._files = {file.parts: file for file in files}

    def find(self, name: str, manifest: Manifest) -> Found | None:
        """Return the file that a manifest means by a name, or None.

        The name is a key in the bucket that the export was delivered to. A copy of that bucket begins at some folder
        above the manifest; from there the path is the end of the key. Any file of the same last name will not do: an
        older delivery has one too.
        """
        key = tuple(part for part in re.sub(r"^\w+://[^/]+/", "", name).split("/") if part)
        above = manifest.file.parts
        for height in range(len(above) - 1, -1, -1):
            for start in range(len(key)):
                file = self._files.get((*above[:height], *key[start:]))
                if file is not None:
                    return file
        return None


def read(file: Found) -> Manifest | None:
    """Return what a file says as a manifest, or None when it is anything else.

    Raises:
        InputError: it is a manifest without what manifests have.
    """
    kind = manifest_kind(str(file.path))
    if kind is None:
        return None
    try:
        said = json.loads(file.path.read_text("utf-8-sig"))
        if kind == "azure_manifest":
            return _azure(said, file)
        return _legacy(said, file) if "reportKeys" in said else _aws(said, file)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(file.name, "is a manifest without its usual keys", "download it again") from None


def newest(manifests: Sequence[Manifest]) -> Manifest:
    """Return the manifest of the newest delivery of one export and period."""
    return max(manifests, key=lambda one: (one.current, one.created, one.file.where))


def stamp(text: str) -> str | None:
    """Return the time that a name begins with, as ISO 8601, or None.

    >>> stamp("20260415T101500Z-7f3a"), stamp("2026-04-15T10:15:00.123Z-7f3a"), stamp("7f3a2b1c-aaaa")
    ('2026-04-15T10:15:00Z', '2026-04-15T10:15:00Z', None)
    """
    found = _STAMP.match(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (part or "00" for part in found.groups())
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}Z"


def period_of(parts: Sequence[str]) -> tuple[int, str] | None:
    """Return which folder of a path is that of a billing period, and the period as 2026-04, or None."""
    for index, part in enumerate(parts[:-1]):
        if found := PERIOD_FOLDER.fullmatch(part):
            return index, found[1] or f"{found[2]}-{found[3]}"
    return None


def _aws(said: dict[str, Any], file: Found) -> Manifest:
    """Read the manifest of a data export; what it exports shows in its columns."""
    names = tuple(map(str, said["dataFiles"]))
    columns = [str(column["name"]) for column in said.get("columns") or ()]
    kind = kind_of_columns(columns)
    return Manifest(
        file=file,
        export=("aws", str(said.get("exportArn") or file.parts[-3:-2])),
        period=_period([file.parts, *(name.split("/") for name in names)]),
        kind=kind,
        costs=kind is not None or not columns,
        names=names,
        **_age(file, names),
    )


def _legacy(said: dict[str, Any], file: Found) -> Manifest:
    names = tuple(map(str, said["reportKeys"]))
    begin = re.sub(r"\D", "", str((said.get("billingPeriod") or {}).get("start", "")))
    period = f"{begin[:4]}-{begin[4:6]}" if len(begin) >= 6 else _period([file.parts])
    export = ("aws legacy", *(str(said.get(key, "")) for key in ("account", "reportName", "reportId")))
    return Manifest(file=file, export=export, period=period, kind="aws_cur", names=names, **_age(file, names))


def _age(file: Found, names: Sequence[str]) -> dict[str, Any]:
    """Return when AWS made a delivery: by the folder of its own that it has, else by when its manifest was written.

    In a period's own folder lies a manifest that AWS keeps on the newest delivery. Where that has no folder of its own
    (an export that overwrites), deliveries beside it are from before or after a change of that setting.
    """
    folders = {_execution(name.split("/")) for name in names} - {None}
    own = _execution(file.parts)
    told = [time for folder in (*folders, own) if folder and (time := stamp(folder))]
    return {"created": max(told, default=file.modified), "current": bool(folders) and own is None}


def _execution(parts: Sequence[str]) -> str | None:
    """Return the folder that a delivery has of its own below that of the billing period, or None."""
    found = period_of(parts)
    return parts[found[0] + 1] if found and len(parts) > found[0] + 2 else None


def _period(paths: Iterable[Sequence[str]]) -> str | None:
    return next((found[1] for parts in paths if (found := period_of(parts))), None)


def _azure(said: dict[str, Any], file: Found) -> Manifest:
    """Read the manifest of a Cost Management export; two exports of one scope and dataset hold the same bill."""
    config, run = said["exportConfig"], said["runInfo"]
    dataset = str(config["type"]).casefold()
    scope = str(config.get("resourceId") or "").casefold().partition("/providers/microsoft.costmanagement/")[0]
    begin, end = (str(run.get(key) or "")[:10] for key in ("startDate", "endDate"))
    blobs = said.get("blobs") or ()
    return Manifest(
        file=file,
        export=("azure", scope or "/".join(file.parts[:-3]), dataset),
        period=_months(begin, end),
        created=str(run["submittedTime"]),
        kind=_AZURE.get(dataset),
        costs=dataset in _AZURE,
        names=tuple(str(blob["blobName"]) for blob in blobs),
        sizes={str(blob["blobName"]): int(blob["byteCount"]) for blob in blobs if blob.get("byteCount") is not None},
        folder=str(config.get("exportName") or "") or None,
        days=(begin, end) if begin and end else None,
    )


def _months(begin: str, end: str) -> str | None:
    """Return the month of a run, or 2026-01/2026-03 for one over several; the first of the next month ends a month."""
    first, last = begin[:7], end[:7]
    if not last or last == first or (end.endswith("-01") and _number(last) == _number(first) + 1):
        return first or None
    return f"{first}/{last}"


def _number(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:7])
