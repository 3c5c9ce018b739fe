"""Listings, in each seller's own terms -> Offers in $ per GPU-hour; what cannot be trusted is left out and named."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import polars as pl

from providers.accelerators import canonical, instance_gpus, known
from providers.listings import Listing
from providers.names import few
from providers.tables import HOURS_PER_MONTH, OFFERS, PAY_AS_YOU_GO, PURCHASE_OPTIONS, Diagnostic, checked

ASSUMED_INTERRUPTION_HOURS = 24.0  # where nobody says how long spot lasts; rather too short than too long
SPOT_HABITS = {"restart_hours": 0.25, "checkpoint_hours": 0.5, "checkpoint_cost_hours": 0.02}
LOWEST, HIGHEST = 0.15, 6.0  # a price outside these, times the usual on-demand price of its GPU, is taken for an error
LOWEST_OF_SPOT = 0.05  # advertised savings end at 90 %; minimum bids lie far below
HIGHEST_OF_MACHINE = 10.0  # a known machine may have one GPU and much else: a g4dn.16xlarge costs 7.7 times a T4
SCHEMA = pl.Schema({column.name: column.dtype for column in OFFERS.columns})

PROBLEMS = {
    "unknown-gpu": ("GPU models that are not known", "write the model as `tranche schema offers` says, in --offers"),
    "no-gpu-count": ("machines whose number of GPUs is not known", "give them in a file of --offers"),
    "contradiction": ("machines with another GPU than is known of them", "look at the seller's page, and tell us"),
    "no-price": ("offers without a price", "ask the seller; a missing price is never taken for 0"),
    "negative-price": ("negative prices", "look at the seller's page"),
    "not-a-number": ("prices or numbers of GPUs that are no finite number", "look at the seller's page"),
    "no-term": ("commitments without a term above 0", "give them in a file of --offers with term_months"),
    "unknown-option": ("purchase options that are not known", f"use one of {', '.join(PURCHASE_OPTIONS)}"),
    "implausible": (
        f"prices below {LOWEST:g} ({LOWEST_OF_SPOT:g} on spot) or above {HIGHEST:g} times the usual",
        "where one is right, give it in a file of --offers",
    ),
    "two-prices": ("offers with two prices, of which the dearer counts", "look at the seller's page"),
}


class Offers(NamedTuple):
    """A checked Offers table, empty where nothing could be used, and what a person should know of it."""

    frame: pl.DataFrame
    found: list[Diagnostic]


class _LeftOutError(Exception):
    """A listing that makes no offer, with the name of the problem."""


def offers_of(listings: Iterable[Listing], *, usual: Mapping[str, float]) -> Offers:
    """Convert listings, and leave out those that cannot be converted.

    A commitment's price is what it costs in all, divided by the GPU-hours of its term: upfront and hourly payments
    together. Months count 730 hours.

    Args:
        listings: of one feed.
        usual: what a GPU-hour of each model usually costs on demand, against which orders of magnitude are judged.
    """
    rows: dict[str, dict[str, Any]] = {}
    problems: dict[str, list[str]] = {}
    for listing in listings:
        try:
            row = _row(listing, usual)
        except _LeftOutError as problem:
            problems.setdefault(str(problem), []).append(listing.name)
            continue
        earlier = rows.get(row["offer_id"])
        if earlier is not None and _rate(earlier) != _rate(row):
            problems.setdefault("two-prices", []).append(listing.name)
        if earlier is None or _rate(earlier) < _rate(row):
            rows[row["offer_id"]] = row
    if not rows:
        return Offers(pl.DataFrame(schema=SCHEMA), _told(problems))
    frame = pl.DataFrame(list(rows.values()), schema=SCHEMA)
    return Offers(checked(frame, OFFERS, where="prices", one_currency=False), _told(problems))


def usual_prices(book: pl.DataFrame) -> dict[str, float]:
    """Return the median on-demand price of each GPU model in a book, $ per GPU-hour."""
    on_demand = book.filter(pl.col("purchase_option") == "on_demand", pl.col("currency") == "USD")
    medians = on_demand.group_by("gpu_model").agg(pl.col("usage_usd_per_gpu_hour").median())
    return dict(medians.iter_rows())


def plan_of(provider: str, plan: str, term_months: float | None) -> str:
    """Return the name of a commitment in dollars, the same on offer and where it is owned.

    >>> plan_of("aws", "compute-no-upfront", 12)
    'aws-compute-no-upfront-12mo'
    """
    return f"{provider}-{plan}" + (f"-{term_months:g}mo" if term_months else "")


def term_hours(listing: Listing) -> float | None:
    """Return the hours that a commitment is paid for; None where it has no term."""
    if listing.term_months is not None:
        return listing.term_months * HOURS_PER_MONTH
    if listing.start is not None and listing.end is not None:
        return (listing.end - listing.start) / timedelta(hours=1)
    return None


def _row(listing: Listing, usual: Mapping[str, float]) -> dict[str, Any]:
    if listing.purchase_option not in PURCHASE_OPTIONS:
        raise _LeftOutError("unknown-option")
    model, gpus = _gpus(listing)
    prices = _prices(listing, gpus)
    if listing.currency == "USD":
        _refuse_implausible(listing, model, sum(prices.values()), usual)
    return {
        "offer_id": _name(listing, model),
        "gpu_model": model,
        "gpus_per_node": gpus,
        "lot_gpus": gpus if _sold_whole(listing) and gpus >= 1 else 1.0,
        **prices,
        **_spot(listing),
        **{
            name: getattr(listing, name)
            for name in (
                "provider", "region", "zone", "instance_type", "purchase_option", "term_months", "start", "end",
                "min_gpus", "max_gpus", "as_of", "source", "currency", "confidence", "availability",
            )
        },
        "plan": plan_of(listing.provider, listing.plan, listing.term_months) if listing.plan else None,
        "upfront_share": _upfront_share(listing),
        "status": "list",
        "note": "; ".join(_notes(listing)) or None,
    }  # fmt: skip


def _gpus(listing: Listing) -> tuple[str, float]:
    """Return model and number of the GPUs: as the table has them, else as the seller says."""
    table = instance_gpus(listing.provider, listing.instance_type or "")
    said = canonical(listing.gpu_model) if listing.gpu_model else None
    if table is None:
        if said is None:
            raise _LeftOutError("unknown-gpu" if listing.gpu_model else "no-gpu-count")
        return said, _counted(listing.gpus)
    if said is not None and said != table[0]:
        raise _LeftOutError("contradiction")
    return table[0], _counted(table[1] if listing.gpus is None else listing.gpus)


def _counted(gpus: float | None) -> float:
    if gpus is None:
        raise _LeftOutError("no-gpu-count")
    if not (math.isfinite(gpus) and gpus > 0):
        raise _LeftOutError("not-a-number")
    return float(gpus)


def _prices(listing: Listing, gpus: float) -> dict[str, float]:
    """Return holding and usage price per GPU-hour; neither is ever made up."""
    if listing.hourly is None:
        raise _LeftOutError("no-price")
    amounts = (listing.hourly, listing.usage_hourly, listing.upfront)
    if not all(map(math.isfinite, amounts)):
        raise _LeftOutError("not-a-number")
    if min(amounts) < 0:
        raise _LeftOutError("negative-price")
    if max(amounts) == 0:
        raise _LeftOutError("no-price")
    if listing.purchase_option in PAY_AS_YOU_GO:
        return {"holding_usd_per_gpu_hour": 0.0, "usage_usd_per_gpu_hour": listing.hourly / gpus}
    return {
        "holding_usd_per_gpu_hour": (listing.hourly + _upfront_rate(listing)) / gpus,
        "usage_usd_per_gpu_hour": listing.usage_hourly / gpus,
    }


def _upfront_rate(listing: Listing) -> float:
    hours = term_hours(listing)
    if hours is None or not hours > 0:
        raise _LeftOutError("no-term")
    return listing.upfront / hours


def _upfront_share(listing: Listing) -> float:
    if listing.purchase_option in PAY_AS_YOU_GO or not listing.upfront or listing.hourly is None:
        return 0.0
    return listing.upfront / (listing.upfront + listing.hourly * (term_hours(listing) or 0.0))


def _refuse_implausible(listing: Listing, model: str, rate: float, usual: Mapping[str, float]) -> None:
    known_machine = instance_gpus(listing.provider, listing.instance_type or "")
    lowest = LOWEST_OF_SPOT if listing.purchase_option == "spot" else LOWEST
    highest = HIGHEST_OF_MACHINE if known_machine else HIGHEST
    if model in usual and not lowest * usual[model] <= rate <= highest * usual[model]:
        raise _LeftOutError("implausible")


def _sold_whole(listing: Listing) -> bool:
    """Return whether only whole machines are committed; plans in dollars are not."""
    return listing.purchase_option in ("reserved", "cud", "capacity_block", "contract", "flex")


def _spot(listing: Listing) -> dict[str, float]:
    if listing.purchase_option != "spot":
        return {}
    hours = listing.interruptions or ASSUMED_INTERRUPTION_HOURS
    return {"mean_hours_between_interruptions": hours, **SPOT_HABITS}


def _notes(listing: Listing) -> list[str]:
    assumed = listing.purchase_option == "spot" and not listing.interruptions
    said = f"interruptions: {ASSUMED_INTERRUPTION_HOURS:g} h assumed" if assumed else None
    return [note for note in (listing.variant, listing.note, said) if note]


def _name(listing: Listing, model: str) -> str:
    """Return an offer's name, the same at every fetch: what tells it from all others of its seller."""
    term = f"{listing.term_months:g}mo" if listing.term_months else None
    days = [f"{time:%Y%m%d}" for time in (listing.start, listing.end) if time is not None]
    gpu = listing.instance_type or (model if known(model) else listing.gpu_model)
    count = f"{listing.gpus:g}x" if listing.gpus is not None else None
    parts = (
        listing.provider, listing.zone or listing.region, count, gpu, listing.purchase_option, term, *days,
        listing.variant,
    )  # fmt: skip
    return "-".join(part for part in parts if part).casefold().replace("_", "-").replace(" ", "-")


def _rate(row: Mapping[str, Any]) -> float:
    return float(row["holding_usd_per_gpu_hour"] + row["usage_usd_per_gpu_hour"])


def _told(problems: Mapping[str, Sequence[str]]) -> list[Diagnostic]:
    return [_diagnostic(code, names, *PROBLEMS[code]) for code, names in sorted(problems.items())]


def _diagnostic(code: str, names: Sequence[str], what: str, hint: str) -> Diagnostic:
    shown = few(list(dict.fromkeys(names)))
    level = "note" if code == "no-price" else "warning"
    return Diagnostic(level=level, code=code, message=f"{len(names):,} {what}: {shown}", hint=hint)  # type: ignore[arg-type]
