"""Options side by side: what each asks, what it comes to for one size, and what it is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.tui import words
from app.tui.market import effective

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.session import Session
    from app.tui.market import Option
    from optimizer.tariffs import Tariff

Fact = tuple[str, list[str]]  # what it is, and what is said of each option
USUAL = 8.0  # GPUs: one node, where nothing says what size is talked about


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligible:
    """The workloads that a tariff may serve, of how many, and their part of all GPU-hours."""

    workloads: int
    of: int
    share: float


def eligible_of(session: Session, tariffs: Sequence[Tariff]) -> dict[str, Eligible]:
    """Return which of the history's workloads each tariff may serve, at least in part."""
    from optimizer.demand import history_of

    history = history_of(session.inputs.usage, session.inputs.rules)
    hours = history.gpu_hours.sum(axis=1)
    total, every = float(hours.sum()), {stream.workload for stream in history.streams}
    found = {}
    for tariff in tariffs:
        mine = [at for at, stream in enumerate(history.streams) if tariff.rate_for(stream) > 0]
        share = float(hours[mine].sum()) / total if total else 0.0
        names = {history.streams[at].workload for at in mine}
        found[tariff.offer_id] = Eligible(workloads=len(names), of=len(every), share=share)
    return found


def size_of(options: Sequence[Option]) -> float:
    """Return the GPUs to compare at: the largest number that is quoted, else that the plan has, else a node."""
    quoted = [option.tariff.block for option in options if option.tariff.held and not option.tariff.in_dollars]
    planned = [option.gpus for option in options if option.gpus]
    return max([size for size in quoted if size], default=max(planned, default=USUAL))


def sold(tariff: Tariff, gpus: float) -> float:
    """Return the GPUs that an offer sells to whoever wants so many: whole lots, within its limits."""
    lot = tariff.lot or 0.0
    wanted = math.ceil(max(gpus, tariff.minimum) / lot - 1e-9) * lot if lot else max(gpus, tariff.minimum)
    most = math.floor(tariff.maximum / lot + 1e-9) * lot if lot and math.isfinite(tariff.maximum) else tariff.maximum
    return min(wanted, most)


def contract(option: Option, gpus: float) -> float | None:
    """Return what is committed over the whole term for so many GPUs, in $; None where nothing is, or no term is known.

    What is paid for using a two-part price comes on top of it.
    """
    tariff = option.tariff
    if not tariff.held or tariff.paid_hours is None:
        return None
    return (option.listed if tariff.in_dollars else tariff.paid) * tariff.paid_hours * gpus


def break_even(option: Option, rival: Option | None) -> float | None:
    """Return the share of its hours from which it beats paying the rival's price; None where nothing is compared."""
    tariff = option.tariff
    if rival is None or not tariff.held:
        return None
    holding, usage = (option.effective, 0.0) if tariff.in_dollars else (tariff.holding, tariff.usage)
    margin = rival.effective - usage
    return holding / margin if margin > 0 else math.inf


def rival_of(option: Option, market: Sequence[Option]) -> Option | None:
    """Return the cheapest on-demand price of the same GPU."""
    model = option.tariff.gpu_model
    same = [other for other in market if other.tariff.purchase_option == "on_demand"]
    same = [other for other in same if model in {other.tariff.gpu_model, "any"}]
    return min(same, key=lambda other: effective(other.tariff), default=None)


def facts_of(
    options: Sequence[Option], market: Sequence[Option], eligible: Mapping[str, Eligible], currency: str
) -> list[Fact]:
    """Return what is said of each option, fact by fact; facts that none has are left out."""
    size, sign = size_of(options), words.sign(currency)
    facts: list[Fact] = [
        ("Offered by", [_place(option.tariff) for option in options]),
        ("Option", [_kind(option.tariff) for option in options]),
        ("Listed", [f"{sign}{_listed(option)} per GPU-hour" for option in options]),
        ("Effective", [f"{sign}{words.exact(option.effective)} per useful GPU-hour" for option in options]),
        ("Term", [words.term(option.tariff.term_months) or "none" for option in options]),
        ("Sold in", [_size(option.tariff) for option in options]),
        (f"{words.count(size)} GPUs cost", [_contract(option, size, currency) for option in options]),
        ("Upfront", [_upfront(option, size, currency) for option in options]),
        ("Break-even", [_break_even(option, market, sign) for option in options]),
        *_worth(options, currency),
        ("In plan", [f"{words.count(option.gpus)} GPUs" if option.gpus else "" for option in options]),
        ("May serve", [_eligible(eligible.get(option.tariff.offer_id)) for option in options]),
        ("Price of", [_day(option) for option in options]),
        ("Source", ["typed here" if option.origin.typed else words.name(option.origin.source) for option in options]),
    ]
    return [(name, said) for name, said in facts if any(said)]


def _place(tariff: Tariff) -> str:
    return words.name(tariff.provider) + (f", {words.name(tariff.region)}" if tariff.region else "")


def _kind(tariff: Tariff) -> str:
    return words.option(tariff) + ("" if tariff.status == "list" else f", {tariff.status}")


def _listed(option: Option) -> str:
    return words.exact(option.listed) if option.tariff.in_dollars else words.price(option.tariff)


def _size(tariff: Tariff) -> str:
    lots = f"lots of {words.count(tariff.lot)} GPUs" if tariff.lot and tariff.lot > 1 else "any number"
    least = f", at least {words.count(tariff.minimum)}" if tariff.minimum else ""
    most = f", at most {words.count(tariff.maximum)}" if math.isfinite(tariff.maximum) else ""
    if tariff.minimum == tariff.maximum:
        return f"exactly {words.count(tariff.maximum)} GPUs"
    return f"{lots}{least}{most}" if tariff.held else "as used"


def _contract(option: Option, size: float, currency: str) -> str:
    gpus = sold(option.tariff, size)
    total = contract(option, gpus)
    if total is None:
        return "nothing is committed" if not option.tariff.held else "of no known term"
    other = "" if abs(gpus - size) < 0.5 else f" for {words.count(gpus)} GPUs"
    used = ", and what is used" if option.tariff.stated_usage and not option.tariff.in_dollars else ""
    return f"{words.money(total, currency)} over the term{other}{used}"


def _upfront(option: Option, size: float, currency: str) -> str:
    total = contract(option, sold(option.tariff, size))
    if not total or not option.tariff.upfront_share:
        return ""
    share = option.tariff.upfront_share
    return f"{words.money(total * share, currency)}, {share * 100:.3g} % of it"


def _break_even(option: Option, market: Sequence[Option], sign: str) -> str:
    rival = rival_of(option, market)
    share = break_even(option, rival)
    if rival is None or share is None:
        return ""
    against = f"{words.name(rival.tariff.offer_id)} at {sign}{words.exact(rival.effective)}"
    return f"never against {against}" if share > 1 else f"{words.share(share)} use, against {against}"


def _worth(options: Sequence[Option], currency: str) -> list[Fact]:
    sign, values = words.sign(currency), [option.value for option in options]
    away = [
        f"{sign}{words.exact(value.walk_away)}" if value and value.walk_away is not None else "" for value in values
    ]
    gains = [words.money(value.headroom, currency) if value and value.headroom is not None else "" for value in values]
    return [
        ("Walk-away", away),
        ("Verdict", [value.verdict if value else "" for value in values]),
        ("Headroom", gains),
    ]


def _eligible(found: Eligible | None) -> str:
    return f"{found.workloads} of {found.of} workloads, {words.share(found.share)} of GPU-hours" if found else ""


def _day(option: Option) -> str:
    day, age = option.origin.day, option.origin.age_days
    if option.origin.typed:
        return "now"
    return "no known day" if day is None else f"{day}, {age} days old"
