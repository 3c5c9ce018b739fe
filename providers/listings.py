"""What a price list says of one thing that can be bought, in the seller's own terms.

A **listing** prices a whole machine, or one GPU, by the hour, by a sum at the start, or by both. What that comes to per
GPU-hour is the work of `providers.offers`, so that a price is converted in one place, whoever sells it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import polars as pl

from providers.tables import Diagnostic


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One price of one thing.

    provider, region, zone: who sells it and where; region is None where one price holds everywhere.
    instance_type: the machine. Where `instance_types.csv` knows it, model and number of its GPUs are looked up.
    gpu_model: as the seller spells it; needed where the machine is not known, and wrong where it contradicts.
    gpus: the GPUs of what is priced, 1 for a price per GPU; None to have it looked up.
    hourly: what is paid an hour, used or not where it is a commitment; None where there is no price.
    usage_hourly: what is paid on top for an hour of use; only for `flex`.
    upfront: what is paid at the start for the whole term.
    term_months: length of the commitment; None without one, or where start and end say it.
    plan: the commitment in dollars an hour whose rate this is, by its kind; listings of a seller that share plan and
        term draw on the same dollars.
    variant: what tells this listing from others that differ in nothing else, such as `convertible-all-upfront`.
    interruptions: mean hours between two of them, for spot.
    as_of: ISO day or time at which the price was true.
    """

    provider: str
    purchase_option: str
    hourly: float | None
    as_of: str
    source: str
    region: str | None = None
    zone: str | None = None
    instance_type: str | None = None
    gpu_model: str | None = None
    gpus: float | None = None
    usage_hourly: float = 0.0
    upfront: float = 0.0
    term_months: float | None = None
    start: datetime | None = None
    end: datetime | None = None
    min_gpus: float = 0.0
    max_gpus: float | None = None
    plan: str | None = None
    variant: str | None = None
    interruptions: float | None = None
    currency: str = "USD"
    confidence: Literal["high", "medium", "low"] = "high"
    availability: Literal["confirmed", "listed", "unknown"] = "listed"
    note: str | None = None

    @property
    def name(self) -> str:
        """Return what to call it in a message."""
        place = self.zone or self.region
        what = self.instance_type or self.gpu_model or "a machine"
        return f"{self.provider} {what} {self.purchase_option}" + (f" in {place}" if place else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Harvest:
    """What one feed brought home.

    listings: its prices, every one of the feed: what is not among them is no longer sold.
    commitments: rows of Commitments, where the feed reads what is owned.
    lost: regions, or sellers, that could not be read; what was known of them stays.
    found: what a person should know.
    """

    listings: Sequence[Listing] = ()
    commitments: pl.DataFrame | None = None
    lost: Sequence[str] = ()
    found: Sequence[Diagnostic] = field(default_factory=tuple)
