"""The chapters on how a plan came about, and on what it comes to where the demand is another."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from app.reports.outline import turns_in
from app.reports.paper import Cell, Chapter, Column

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.reports.planfile import Differing, PlanFile, Received, Turn


def negotiation_chapters(plan: PlanFile, *, walk_away: bool) -> Iterable[Chapter]:
    """Return the quotes and the edits of a plan that was negotiated; what quotes are worth only if it is asked for."""
    turns = turns_in(plan)
    if turns:
        yield _received(plan, walk_away=walk_away)
        yield _edits(turns)


def demand_chapter(plan: PlanFile) -> Chapter:
    """Return what the purchases of a plan come to at other demand, against the best plan for that demand."""
    columns = [Column(title="Demand", kind="share")]
    columns += [Column(title=title, kind="money") for title in ("With what is bought", "Best plan", "Dearer by")]
    return Chapter(
        name="Demand",
        title="If demand differs",
        note="What is bought stays as it is, and what it leaves is served at least cost. A dash: it leaves no way to.",
        columns=(*columns, Column(title="Stranded", kind="money")),
        rows=tuple(map(_differing, plan.sensitivity)),
    )


def _received(plan: PlanFile, *, walk_away: bool) -> Chapter:
    worth = {quote.offer_id: _amount(quote.walk_away_usd_per_gpu_hour) for quote in plan.walk_away}
    columns = [Column(title=title) for title in ("Offer", "Provider", "GPU", "Option")]
    columns += [Column(title=title, kind="count") for title in ("GPUs", "Months")]
    columns += [Column(title="To spend", kind="money"), Column(title="Discount", kind="share")]
    columns += [Column(title=title, kind="rate") for title in ("First price", "Last price")]
    columns += [Column(title="Rounds", kind="count"), Column(title="Status")]
    columns += [Column(title="Walk-away", kind="rate")] if walk_away else []
    return Chapter(
        name="Negotiation",
        title="Negotiation: what was offered",
        note="Prices per GPU-hour that is held and used: as each offer was first, and as it stands.",
        columns=tuple(columns),
        rows=tuple(
            (*_cells(one), *((worth.get(one.offer_id),) if walk_away else ())) for one in plan.inputs.offers_received
        ),
    )


def _cells(one: Received) -> tuple[Cell, ...]:
    return (
        *(one.offer_id, one.provider, one.gpu_model, one.purchase_option, one.gpus, one.term_months),
        *(_amount(one.spend_usd), one.discount),
        *(_amount(one.first_usd_per_gpu_hour), _amount(one.last_usd_per_gpu_hour)),
        *(float(one.rounds), one.status),
    )


def _edits(turns: Iterable[Turn]) -> Chapter:
    columns = [Column(title="Step", kind="count"), Column(title="Typed", kind="date"), Column(title="Edit")]
    columns += [Column(title="Price then", kind="rate"), Column(title="Status then")]
    return Chapter(
        name="Edits",
        title="Negotiation: step by step",
        note="In the order in which they were typed; what was undone is left out. Times in UTC.",
        columns=tuple(columns),
        rows=tuple(
            (float(step), (one.typed or "")[:16].replace("T", " "), one.line, _amount(one.usd_per_gpu_hour), one.status)
            for step, one in enumerate(turns, start=1)
        ),
    )


def _differing(one: Differing) -> tuple[Cell, ...]:
    kept, best, stranded = _amount(one.kept), _amount(one.best), _amount(one.stranded)
    dearer = None if kept is None or best is None else kept - best
    return (round(one.demand - 1, 9) + 0.0, kept, best, dearer, stranded)


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
