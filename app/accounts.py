"""Bills and live clusters as they were asked for -> the Usage table, and how it adds up to the bill."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import polars as pl

from app import settings
from app.diagnostics import UsageError
from optimizer.allocation import allocate
from optimizer.reconcile import reconcile
from optimizer.rollup import filled, with_interruptible
from providers.charges import DEFAULT_TAGS, Tags
from providers.fetching import Window
from providers.ingest import ingest
from providers.scan import reading
from providers.tables import Diagnostic, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from optimizer.reconcile import Reconciliation
    from providers.deliveries import Delivery
    from providers.watch import Progress

LENGTHS = {"h": 1, "d": 24, "w": 168}


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """What some sources came to.

    usage: the Usage table, residual rows included. tags: the chains behind its dimensions. reconciliations: one a
    source and currency. deliveries: what was chosen to be read.
    """

    usage: pl.DataFrame
    tags: Tags
    reconciliations: tuple[Reconciliation, ...]
    deliveries: tuple[Delivery, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def holds(self) -> bool:
        """Return whether every bill is found in the table, to the cent."""
        return all(one.holds for one in self.reconciliations)


def accounts_of(
    sources: Sequence[str],
    *,
    by: Sequence[str] = (),
    policy: str | None = None,
    window: str = "1d",
    now: datetime,
    config: str | None = None,
    progress: Progress | None = None,
) -> Accounts:
    """Read the sources, share what is not shared yet, and reconcile.

    Args:
        sources: files, folders, addresses; without any, those of the settings.
        by: dimensions to have as columns beside those of the settings.
        policy: how a machine's cost is shared; None takes the bill's own split where it has one.
        window: how far back a live source is asked, such as 7d.
        now: the end of that window.
        config: the settings file; None looks for one.
        progress: told of what has been read.

    Raises:
        UsageError: nothing to read, or a word that means nothing.
        InputError: a source cannot be read, or is not what it should be.
    """
    said = settings.find(config) or settings.Settings()
    wanted = tuple(sources) or said.sources
    if not wanted:
        raise UsageError(
            "there is nothing to read; name a bill, a folder of bills or an address such as s3://bucket/cur"
        )
    tags = tags_of(said, by)
    hours = hours_of(window)
    with TemporaryDirectory(prefix="tranche-") as scratch:
        read = ingest(wanted, tags=tags, window=Window(end=now, hours=hours), scratch=Path(scratch), progress=progress)
        with reading(read.names):
            shared = allocate(
                read.charges, read.claims, shapes=read.shapes, policy=policy, dimensions=list(tags.chains)
            )
            totals = read.totals()
            found = [*read.found(), *shared.found]
    usage = filled(with_interruptible(_of_one_currency(shared.usage)), tags.chains)
    return Accounts(
        usage=usage,
        tags=tags,
        reconciliations=reconcile(usage, totals, shared.timing),
        deliveries=read.deliveries,
        diagnostics=(*said.diagnostics, *_once(found)),
    )


def tags_of(said: settings.Settings, by: Sequence[str]) -> Tags:
    """Return the dimensions of the table: the usual ones, those of the settings, and tags asked for by name."""
    chains = {**DEFAULT_TAGS.chains, **said.tags}
    further = {name: (name,) for name in by if name not in chains and name not in COLUMNS}
    return Tags(chains={**chains, **further})


def hours_of(window: str) -> int:
    """Return the hours of a window such as 36h, 7d or 2w.

    Raises:
        UsageError: it is none.
    """
    found = re.fullmatch(r"\s*(\d{1,4})\s*([hdw])\s*", window.lower())
    hours = int(found[1]) * LENGTHS[found[2]] if found else 0
    if not hours:
        raise UsageError(f"--window: {window!r} is not a length of time; write 36h, 7d or 2w")
    return hours


COLUMNS = (*Tags.COLUMNS, "gpu_model", "purchase_option", "commitment_id", "instance_type", "source", "hour")
"""What a table can be rolled up by without any tag."""


def _of_one_currency(usage: pl.DataFrame) -> pl.DataFrame:
    """Return the table in the currency of its amounts; rows without any amount have none of their own.

    Raises:
        InputError: the amounts are in several.
    """
    priced = usage.filter(pl.any_horizontal(pl.col("effective_cost", "billed_cost", "list_cost").is_not_null()))
    codes = priced["currency"].drop_nulls().unique().sort().to_list()
    if len(codes) > 1:
        sources = priced.select("source", "currency").unique().sort("source", "currency").iter_rows()
        told = ", ".join(f"{source} in {currency}" for source, currency in sources if currency)
        raise InputError("the bills", f"are in several currencies ({told})", "read the bills of one currency at a time")
    return usage.with_columns(currency=pl.lit(codes[0])) if codes else usage


def _once(found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Return each diagnostic once, in order."""
    return list(Counter(found))
