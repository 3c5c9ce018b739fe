"""Every quote of the session, open, accepted or declined, with what it is worth and what was said of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from app.tui import words
from app.tui.market import gpus_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import polars as pl

    from app.negotiation import Step
    from app.tui.state import Desk
    from optimizer.plan import QuoteValue
    from optimizer.tariffs import Tariff


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """One quote as it stands on the desk.

    price, size, term: in words, as the vendor says them. first: its price before any edit, empty where it is the same.
    rounds: how often its terms were changed. tariff: None where it is declined. value, value_was: what it is worth in
    the plan on screen, and in the plan before. pending: whether its worth is being worked out. gpus: in the plan.
    """

    offer_id: str
    provider: str
    gpu_model: str
    option: str
    price: str
    first: str
    size: str
    term: str
    status: str
    valid_until: str
    note: str
    rounds: int
    tariff: Tariff | None
    value: QuoteValue | None
    value_was: QuoteValue | None
    pending: bool
    gpus: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One thing that was said of a quote, and what it was worth then; undone: whether it was taken back."""

    typed: datetime | None
    text: str
    value: QuoteValue | None
    undone: bool
    now: bool


def quotes_of(desk: Desk) -> list[Quote]:
    """Return the quotes, by GPU model and provider, the open ones first."""
    if desk.history is None or desk.session is None:
        return []
    rows = rows_of(desk.history.now)
    before = {row["offer_id"]: row for row in rows_of(desk.history.steps[0])}
    tariffs = {tariff.offer_id: tariff for tariff in desk.tariffs if tariff.owned is None and not tariff.rider}
    values, was, gpus = desk.values(), _values_before(desk), gpus_in(desk.plan)
    countered = [edit.offer for edit in desk.session.edits if edit.verb == "counter"]
    return [
        Quote(
            offer_id=(offer := row["offer_id"]),
            provider=words.name(row["provider"]),
            gpu_model=words.name(row["gpu_model"]),
            option=words.OPTIONS.get(row["purchase_option"], row["purchase_option"]),
            price=price_of(row),
            first="" if offer not in before or price_of(before[offer]) == price_of(row) else price_of(before[offer]),
            size=size_of(row),
            term=words.term(row["term_months"]),
            status="open" if row["status"] == "quote" else row["status"],
            valid_until=words.name(row["valid_until"] or ""),
            note=words.name(row["note"] or ""),
            rounds=countered.count(offer),
            tariff=tariffs.get(offer),
            value=values.get(offer),
            value_was=was.get(offer),
            pending=not desk.whole and offer not in values and row["status"] == "quote",
            gpus=gpus.get(offer, 0.0) if desk.plan else None,
        )
        for row in sorted(rows, key=_place)
    ]


def rows_of(step: Step) -> Sequence[dict[str, Any]]:
    """Return the rows of all quotes of a step, by their names."""
    return _rows_of(_Same(step.session.inputs.offers))


class _Same:
    """A frame as a key: the same only if it is the one object."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    def __hash__(self) -> int:
        return id(self.frame)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.frame is self.frame


@lru_cache(maxsize=256)
def _rows_of(offers: _Same) -> Sequence[dict[str, Any]]:
    """Pick them out once: the screen asks again with every key, while polars may be busy with a plan."""
    import polars as pl

    return tuple(offers.frame.filter(pl.col("status") != "list").sort("offer_id").to_dicts())


def price_of(row: dict[str, Any]) -> str:
    """Write the price of an offer as its vendor states it."""
    holding, usage = row["holding_usd_per_gpu_hour"], row["usage_usd_per_gpu_hour"]
    if row["spend_usd"] is not None:
        return words.money(row["spend_usd"])
    if row["purchase_option"] == "flex":
        return f"{words.exact(holding)}+{words.exact(usage)}"
    return words.exact(holding or usage)


def size_of(row: dict[str, Any]) -> str:
    """Write how many GPUs an offer is for: 128, 16..64, 8+, or any."""
    least, most, lot = row["min_gpus"] or 0.0, row["max_gpus"], row["lot_gpus"]
    if most is None:
        size = f"{words.count(least)}+" if least else "any"
    else:
        size = words.count(most) if least == most else f"{words.count(least)}..{words.count(most)}"
    return f"{size} by {words.count(lot)}" if lot and lot > 1 and least != most else size


def said_of(desk: Desk, offer_id: str) -> list[Said]:
    """Return what was said of a quote, the newest first."""
    if desk.history is None:
        return []
    steps, at = desk.history.steps, desk.history.at
    mine = [(index, steps[index]) for index in range(1, len(steps)) if _about(steps[index - 1], steps[index], offer_id)]
    there = any(row["offer_id"] == offer_id for row in rows_of(steps[0]))
    first = [Said(typed=None, text="as it was read", value=_worth(steps[0], offer_id), undone=False, now=False)]
    said = [
        Said(
            typed=step.typed,
            text=words.name(" ".join(part for part in (step.edit.verb, step.edit.text) if part)) if step.edit else "",
            value=_worth(step, offer_id),
            undone=index > at,
            now=index == at,
        )
        for index, step in mine
    ]
    return [*reversed(said), *(first if there else [])]


def _about(before: Step, step: Step, offer_id: str) -> bool:
    """Say whether a step is about a quote: an edit of it, or the one that brought it."""
    if step.edit is None:
        return False
    if step.edit.verb != "quote":
        return step.edit.offer == offer_id
    return offer_id in {row["offer_id"] for row in rows_of(step)} - {row["offer_id"] for row in rows_of(before)}


def _worth(step: Step, offer_id: str) -> QuoteValue | None:
    values = step.solved.plan.walk_away if step.solved else ()
    return next((value for value in values if value.tariff.offer_id == offer_id), None)


def _values_before(desk: Desk) -> dict[str, QuoteValue]:
    plan = desk.plan_before
    return {value.tariff.offer_id: value for value in plan.walk_away} if plan else {}


def _place(row: dict[str, Any]) -> tuple[bool, str, str, str]:
    return row["status"] != "quote", row["gpu_model"], row["provider"], row["offer_id"]
