"""One delivery for each export and period: bills are delivered again and again, and must count once."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from providers.places import Found
from providers.recognise import File, Kind, kind_of
from providers.tables import Diagnostic, InputError

_PERIOD = re.compile(r"BILLING_PERIOD=(\d{4}-\d{2})|(?<!\d)(\d{4})(\d{2})01-\d{8}(?!\d)")
_EXECUTION = re.compile(r"BILLING_PERIOD=\d{4}-\d{2}/([^/]+)/[^/]+$")
_MANIFESTS = ("aws_manifest", "azure_manifest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Files that together are one export of one period; `left_out` names what an older delivery holds."""

    kind: Kind
    period: str | None
    files: tuple[File, ...]
    name: str
    created: str | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Manifest:
    """What a manifest says: which export and period, when, and which files."""

    export: tuple[str, ...]
    period: str | None
    created: str
    kind: Kind
    files: tuple[str, ...]
    where: Found


def choose(found: Sequence[Found]) -> tuple[list[Delivery], list[Diagnostic]]:
    """Choose the newest delivery of each export and period, by manifest, else by folder; other files count as they are.

    Raises:
        InputError: a manifest names a file that is not there, or a named file is no export.
    """
    told: list[Diagnostic] = []
    kinds = {file: kind for file in found if (kind := _kind(file, told)) is not None}
    manifests = [_read(file, kind) for file, kind in kinds.items() if kind in _MANIFESTS]
    data = {file: kind for file, kind in kinds.items() if kind not in _MANIFESTS}
    chosen, covered = _by_manifest(manifests, data)
    rest = _distinct([file for file in data if file not in covered], told)
    chosen += _by_folder(rest, data)
    return sorted(chosen, key=lambda one: (one.kind, one.period or "", one.name)), told


def _kind(file: Found, told: list[Diagnostic]) -> Kind | None:
    """Return what a file is; one that only lay in a folder may be nothing, and is said."""
    try:
        return kind_of(str(file.path), file.name)
    except InputError:
        if file.named:
            raise
        message = f"{file.name} is no export that is understood, and was passed over"
        told.append(Diagnostic(level="note", code="passed-over", message=message))
        return None


def _read(file: Found, kind: Kind) -> _Manifest:
    try:
        said = json.loads(file.path.read_text("utf-8-sig"))
        return _azure(said, file) if kind == "azure_manifest" else _aws(said, file)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(file.name, "is a manifest without its usual keys", "download it again") from None


def _aws(said: dict[str, Any], file: Found) -> _Manifest:
    if "reportKeys" in said:
        begin = str(said.get("billingPeriod", {}).get("start", ""))
        period = f"{begin[:4]}-{begin[4:6]}" if len(begin) >= 6 else _period(str(file.path))
        export: tuple[str, ...] = (str(said.get("reportName", "")), str(file.path.parent.parent))
        created = str(said["assemblyId"])
        files = tuple(map(str, said["reportKeys"]))
    else:
        period, created = _period(str(file.path)), file.path.parent.name
        export = (str(said.get("exportArn", "")),)
        files = tuple(map(str, said["dataFiles"]))
    return _Manifest(export=export, period=period, created=created, kind="aws_cur", files=files, where=file)


def _azure(said: dict[str, Any], file: Found) -> _Manifest:
    config, run = said["exportConfig"], said["runInfo"]
    kinds: dict[str, Kind] = {"actualcost": "azure_actual", "usage": "azure_actual", "amortizedcost": "azure_amortized"}
    kind = kinds.get(str(config["type"]).casefold(), "focus")
    export = (str(config.get("resourceId", "")), str(config["type"]), str(config.get("dataVersion", "")))
    files = tuple(str(blob["blobName"]) for blob in said.get("blobs") or ())
    period, created = str(run.get("startDate", ""))[:7] or None, str(run["submittedTime"])
    return _Manifest(export=export, period=period, created=created, kind=kind, files=files, where=file)


def _by_manifest(manifests: Sequence[_Manifest], data: dict[Found, Kind]) -> tuple[list[Delivery], set[Found]]:
    groups: dict[tuple[object, ...], list[_Manifest]] = {}
    for manifest in manifests:
        groups.setdefault((manifest.kind, manifest.export, manifest.period), []).append(manifest)
    chosen, covered = [], set[Found]()
    for group in groups.values():
        group.sort(key=lambda one: (one.created, -len(one.where.path.parts)))
        newest = group[-1]
        files = {name: _named(name, newest, data) for name in newest.files}
        older = {file for one in group[:-1] for name in one.files if (file := _found(name, one, data)) is not None}
        older |= _beside(group, data)
        older -= set(files.values())
        covered |= older | set(files.values())
        chosen.append(
            Delivery(
                kind=newest.kind,
                period=newest.period,
                files=tuple(_file(file, newest.kind) for file in files.values()),
                name=newest.where.name,
                created=newest.created,
                left_out=tuple(sorted(file.name for file in older)),
            )
        )
    return chosen, covered


def _named(name: str, manifest: _Manifest, data: Iterable[Found]) -> Found:
    file = _found(name, manifest, data)
    if file is None:
        remedy = "download the delivery again, or wait until it is complete"
        raise InputError(manifest.where.name, f"names {name}, which is not there", remedy)
    return file


def _found(name: str, manifest: _Manifest, data: Iterable[Found]) -> Found | None:
    """Return the file that a manifest names: the one whose path shares most of the name's end."""
    wanted = tuple(part for part in re.sub(r"^\w+://[^/]+/", "", name).split("/") if part)
    here = [file for file in data if file.path.parts[-1:] == wanted[-1:]]
    return max(here, key=lambda file: (_shared(file.path, wanted), _near(file.path, manifest)), default=None)


def _shared(path: Path, wanted: tuple[str, ...]) -> int:
    """Count how many parts two paths share from their ends."""
    count = 0
    for mine, theirs in zip(reversed(path.parts), reversed(wanted), strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def _near(path: Path, manifest: _Manifest) -> int:
    here = manifest.where.path.parent.parts
    return sum(1 for mine, theirs in zip(path.parts, here, strict=False) if mine == theirs)


def _beside(group: Sequence[_Manifest], data: Iterable[Found]) -> set[Found]:
    """Return the files of the period's own folders that no manifest names: leftovers of an earlier delivery."""
    period = group[-1].period
    folders = {folder for one in group for name in one.files if (folder := name.rpartition("/")[0])}
    tails = {folder.rpartition("BILLING_PERIOD=")[0].rstrip("/").rpartition("/")[2] for folder in folders} - {""}
    mark = f"BILLING_PERIOD={period}"
    return {
        file for file in data if mark in str(file.path) and any(tail in file.path.parts for tail in (tails or {"data"}))
    }


def _by_folder(files: Sequence[Found], data: dict[Found, Kind]) -> list[Delivery]:
    """Take the newest execution of each billing period's folder, and everything that lies in none."""
    groups: dict[tuple[Kind, str, str], dict[str, list[Found]]] = {}
    for file in files:
        text = str(file.path)
        execution = _EXECUTION.search(text)
        folder = text[: execution.start()] if execution else ""
        key = (data[file], folder, _period(text) or "")
        groups.setdefault(key, {}).setdefault(execution[1] if execution else "", []).append(file)
    chosen = []
    for (kind, _, period), executions in groups.items():
        newest = max(executions)
        older = tuple(sorted(file.name for name, some in executions.items() if name != newest for file in some))
        some = executions[newest]
        chosen.append(
            Delivery(
                kind=kind,
                period=period or None,
                files=tuple(_file(file, kind) for file in some),
                name=some[0].name if len(some) == 1 else f"{some[0].name} and {len(some) - 1} more",
                created=newest or None,
                left_out=older,
            )
        )
    return chosen


def _distinct(files: Sequence[Found], told: list[Diagnostic]) -> list[Found]:
    """Return the files with different bytes; the same ones again are said."""
    kept: dict[str, Found] = {}
    sizes = [file.path.stat().st_size for file in files]
    for file, size in zip(files, sizes, strict=True):
        mark = _sha256(file.path) if sizes.count(size) > 1 else str(file.path)
        if mark in kept:
            message = f"{file.name} holds the same bytes as {kept[mark].name}, and counts once"
            told.append(Diagnostic(level="warning", code="duplicate-delivery", message=message))
        else:
            kept[mark] = file
    return list(kept.values())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _period(text: str) -> str | None:
    found = _PERIOD.search(text)
    return None if found is None else found[1] or f"{found[2]}-{found[3]}"


def _file(file: Found, kind: Kind) -> File:
    return File(path=str(file.path), name=file.name, kind=kind)
