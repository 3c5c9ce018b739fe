"""Whatever was named as a source -> one lazy frame of Charges, of Claims and of Shapes, and what was chosen to read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import polars as pl

from providers import deliveries, places
from providers.charges import CHARGES, CLAIMS, Reading, Tags, together
from providers.deliveries import Delivery
from providers.fetching import Window, fetched
from providers.recognise import File
from providers.scan import reading
from providers.tables import Diagnostic, InputError
from providers.watch import Progress, watched

TOTALS = pl.Schema({"source": pl.String(), "currency": pl.String(), "rows": pl.Int64(), "billed_cost": pl.Float64()})


class Reader(NamedTuple):
    """Which module reads a kind of file, and what its charges give as their source."""

    module: str
    source: str


READERS = {
    "aws_cur": Reader("providers.aws.usage", "aws_cur"),
    "gcp_detailed": Reader("providers.gcp.usage", "gcp_detailed"),
    "azure_actual": Reader("providers.azure.usage", "azure_cost"),
    "azure_amortized": Reader("providers.azure.usage", "azure_cost"),
    "focus": Reader("providers.focus.usage", "focus"),
    "opencost": Reader("providers.opencost", "opencost"),
    "prometheus": Reader("providers.prometheus", "prometheus"),
    "azure_hourly": Reader("providers.azure.hourly_series", "azure_hourly"),
}
NOT_READ = {"usage": "a usage table already", "focus_commitments": "a list of contract commitments, no bill"}
REMEDIES = {"usage": "give it to tranche plan", "focus_commitments": "give it to tranche plan --commitments"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What the sources gave; nothing is read before the frames are collected, `totals` and `found` come after.

    names: what to call each file that is read, for `providers.scan.reading` around whatever collects.
    """

    charges: pl.LazyFrame
    claims: pl.LazyFrame
    shapes: pl.LazyFrame | None = None
    totals: Callable[[], pl.DataFrame]
    found: Callable[[], list[Diagnostic]]
    deliveries: tuple[Delivery, ...]
    names: Mapping[str, str]


def ingest(sources: Sequence[str], *, tags: Tags, window: Window, scratch: Path, progress: Progress | None) -> Ingested:
    """Find the sources, choose deliveries, and let each source's reader turn its files into charges and claims.

    Raises:
        InputError: a source is nothing, cannot be reached, or is no export.
    """
    answers = [fetched(source, window=window, scratch=scratch) for source in sources]
    named = [answer.path for answer in answers]
    found, passed = deliveries.choose(places.resolve(named, scratch=scratch, progress=progress))
    chosen, others = _bills(found)
    told = [*(diagnostic for answer in answers for diagnostic in answer.found), *passed, *others]
    names = {file.path: file.name for delivery in chosen for file in delivery.files}
    with watched(progress), reading(names):
        readings = [(reader.source, _reading(reader, files, tags)) for reader, files in _batches(chosen)]
    shapes = [one.shapes for _, one in readings if one.shapes is not None]
    return Ingested(
        charges=together([one.charges for _, one in readings if one.charges is not None], CHARGES, tags),
        claims=together([one.claims for _, one in readings if one.claims is not None], CLAIMS, tags),
        shapes=pl.concat(shapes) if shapes else None,
        totals=lambda: _totals(readings),
        found=lambda: [*told, *(diagnostic for _, one in readings for diagnostic in one.found())],
        deliveries=tuple(chosen),
        names=names,
    )


def _batches(chosen: Sequence[Delivery]) -> list[tuple[Reader, list[File]]]:
    """Return the files that each reader gets at once: those of one source, whatever their periods."""
    batches: dict[Reader, list[File]] = {}
    for delivery in chosen:
        batches.setdefault(READERS[delivery.kind], []).extend(delivery.files)
    return [(reader, files) for reader, files in batches.items() if files]


def _bills(chosen: Sequence[Delivery]) -> tuple[list[Delivery], list[Diagnostic]]:
    """Return the deliveries that are bills or live, and say what else there is and where it belongs.

    Raises:
        InputError: there is nothing else.
    """
    bills = [one for one in chosen if one.kind in READERS]
    others = [one for one in chosen if one.kind not in READERS]
    if others and not bills:
        raise InputError(others[0].name, f"is {NOT_READ[others[0].kind]}", REMEDIES[others[0].kind])
    if bills and all(one.kind == "azure_hourly" for one in bills):
        remedy = "read the bill of the same subscription with it: an export, or azure-cost:/subscriptions/ID"
        raise InputError(bills[0].name, "holds what hours came to, and no bill", remedy)
    return bills, [
        Diagnostic(
            level="note",
            code="not-read",
            message=f"{one.name} is {NOT_READ[one.kind]}, and was not read",
            hint=REMEDIES[one.kind],
        )
        for one in others
    ]


def _reading(reader: Reader, files: Sequence[File], tags: Tags) -> Reading:
    reading: Reading = import_module(reader.module).read(files, tags)
    return reading


def _totals(readings: Sequence[tuple[str, Reading]]) -> pl.DataFrame:
    frames = [
        one.totals.collect(engine="streaming").select(
            pl.lit(source).alias("source"), "currency", pl.col("rows").cast(pl.Int64), "billed_cost"
        )
        for source, one in readings
        if one.totals is not None
    ]
    return pl.concat(frames).sort("source", "currency") if frames else pl.DataFrame(schema=TOTALS)
