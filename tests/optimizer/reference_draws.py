"""Instruments drawn at random onto a plan that was drawn already, one function an instrument."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from hypothesis import strategies as st

from optimizer.demand import WorkloadRule
from optimizer.ladder import PriceMove
from tests.optimizer.reference_rows import HELD, MONTH, later

Wanted = bool | tuple[str, ...]  # instruments to draw: these, or whether to draw some
LEAST_FACTOR = 0.2  # moves and discounts drawn here leave more than this of a price


class Draft:
    """Rows, rules and prices to come of a plan, while instruments are added; `span` is its length in months."""

    def __init__(self, draw: Callable, case, begin: datetime) -> None:
        self.draw, self.case, self.begin = draw, case, begin
        hours = len({row["hour"] for row in case.usage})
        self.span = case.months or hours / MONTH

    def pick(self, *values: object) -> object:
        return self.draw(st.sampled_from(values))

    def change(self, what: str, may: Callable[[dict], bool], columns: Callable[[], dict]) -> None:
        """Change columns of some of the rows that may be changed, a quarter of them staying as they are."""
        rows = [row | columns() if may(row) and self.pick(1, 1, 1, 0) else row for row in getattr(self.case, what)]
        self.case = replace(self.case, **{what: rows})

    def month(self) -> float:
        """Return a time after the start, in months; in a history never on an hour, where rounding would decide."""
        return self.pick(1.0, 3.0, 4.5, 6.0) if self.case.months else self.pick(0.5, 1.5, 2.5, 4.5) / MONTH


def with_instruments(draw: Callable, case, names: tuple[str, ...], begin: datetime):
    """Return a case to which the named instruments were added, here and there."""
    draft = Draft(draw, case, begin)
    for name in names:
        (DRAWN | SPOT_TERMS)[name](draft)
    return _sold_for_less(draft.case, names)


def _may(row: dict) -> bool:
    """Return whether a row is something held in GPUs; quotes stay as simple as their tests take them to be."""
    in_gpus = row.get("plan") is None and row.get("gpus", 0.0) is not None
    return in_gpus and row["purchase_option"] in HELD and row.get("status") != "quote"


def _open(row: dict) -> bool:
    return _may(row) and row.get("status") != "accepted"


def _overage(draft: Draft) -> None:
    for what in ("offers", "commitments"):
        draft.change(what, _may, lambda: {"overage_usd_per_gpu_hour": draft.pick(0.0, 0.6, 1.2, 2.0, 3.5)})


def _burst(draft: Draft) -> None:
    def columns() -> dict:
        return {
            "burst_gpus": draft.pick(None, 1.0, 2.5, 8.0),
            "burst_fee_usd_per_gpu_hour": draft.pick(None, 0.1, 0.6),
            "burst_usd_per_gpu_hour": draft.pick(None, 0.5, 1.5),
        }

    for what in ("offers", "commitments"):
        draft.change(what, _may, columns)


def _exclusive(draft: Draft) -> None:
    draft.change("offers", _may, lambda: {"exclusive": draft.pick("either", "either", "or")})


def _tiers(draft: Draft) -> None:
    steps = ("2@0.9", "3@1.5 8@0.8", "4@2.2 10@1.9", "8@0.4 2@3", "1@.7 5@.6 12@.5")
    draft.change("offers", _open, lambda: {"tiers": draft.pick(*steps), "exit_after_months": None})


def _exit(draft: Draft) -> None:
    def columns() -> dict:
        return {"exit_after_months": draft.month(), "ramp": None, "tiers": None, "upfront_share": 0.0}

    for what in ("offers", "commitments"):
        draft.change(what, _may, columns)


def _moving(draft: Draft) -> None:
    names = draft.pick(("w*",), ("w0", "*"), ("w*", "w1", "w2"))
    rules = tuple(
        WorkloadRule(
            pattern=name,
            data_at=draft.pick(None, None, "aws", "gcp", "lambda"),
            egress_usd_per_gpu_hour=draft.pick(None, 0.1, 1.0),
            migration_usd=draft.pick(None, 20.0, 5000.0),
            overlap_hours=draft.pick(None, 2.0, 100.0),
            quality=draft.draw(
                st.dictionaries(st.sampled_from(["aws", "gcp", "lambda"]), st.sampled_from([0.8, 1.0, 1.25]))
            ),
        )
        for name in names
    )
    draft.case = replace(draft.case, rules=draft.case.rules + rules)


def _moves(draft: Draft) -> None:
    moves = tuple(
        PriceMove(
            gpu_model=draft.pick("*", "*", "A", "[BC]"),
            from_month=draft.pick(0.0, draft.month(), draft.month()),
            factor=draft.pick(0.5, 0.8, 1.2, 2.0),
        )
        for _ in range(draft.pick(1, 2, 3))
    )
    draft.case = replace(draft.case, moves=moves)


def _ladder(draft: Draft) -> None:
    """Let a plan buy later; of what it may buy, let more have a term and no dates than would by chance."""
    if draft.case.months is None:
        return
    undated = {"start": None, "end": None}
    draft.change("offers", _open, lambda: {"term_months": draft.pick(3.0, 6.0, 12.0, 36.0)} | undated)
    draft.case = replace(draft.case, ladder_months=draft.pick(4.0, 5.0, 6.0))


def _gangs(draft: Draft) -> None:
    """Let GPUs run together, on spot whose nodes have several; some of it has no room for them."""
    _more_spot(draft)
    rules = [
        WorkloadRule(pattern="w*", interruptible=draft.pick(True, True, None), gang_gpus=draft.pick(2.0, 4.0, 8.0))
    ]
    rules += [
        WorkloadRule(pattern=name, gang_gpus=draft.pick(None, 1.0, 3.0, 16.0))
        for name in draft.pick((), ("w1",), ("w0", "*"))
    ]
    draft.case = replace(draft.case, rules=(*draft.case.rules, *rules))


def _each(draft: Draft) -> None:
    _more_spot(draft)
    draft.case = replace(
        draft.case,
        rules=(*draft.case.rules, WorkloadRule(pattern="w*", interruptible=draft.pick(True, True, None))),
        limits={**draft.case.limits, "spot.each": draft.pick(0.0, 0.04, 0.1, 0.25, 0.6)},
    )


def _more_spot(draft: Draft) -> None:
    """Add cheap spot of what is needed, and say how often all spot is interrupted and how large its nodes are."""
    models = sorted({row["gpu_model"] for row in draft.case.usage})
    rows = [
        {
            "offer_id": f"s{len(draft.case.offers) + index}",
            "provider": draft.pick("aws", "gcp", "lambda"),
            "gpu_model": draft.pick(*models),
            "purchase_option": "spot",
            "holding_usd_per_gpu_hour": 0.0,
            "usage_usd_per_gpu_hour": draft.pick(0.2, 0.5, 0.9, 1.3),
            "max_gpus": draft.pick(None, None, 2.0, 7.5),
            "adders_usd_per_gpu_hour": draft.pick(0.0, 0.3),
        }
        for index in range(draft.pick(1, 2, 3))
    ]
    draft.case = replace(draft.case, offers=draft.case.offers + rows)
    draft.change("offers", lambda row: row["purchase_option"] == "spot", lambda: _habits(draft))


def _habits(draft: Draft) -> dict:
    return {
        "mean_hours_between_interruptions": draft.pick(None, 1.0, 5.0, 24.0),
        "restart_hours": draft.pick(0.0, 0.25),
        "checkpoint_hours": draft.pick(None, 0.5),
        "checkpoint_cost_hours": draft.pick(0.0, 0.02),
        "gpus_per_node": draft.pick(1.0, 2.0, 8.0),
    }


def _capital(draft: Draft) -> None:
    draft.change("offers", _may, lambda: {"upfront_share": draft.pick(0.0, 0.25, 0.5, 1.0), "exit_after_months": None})
    draft.case = replace(draft.case, capital=draft.pick(0.03, 0.08, 0.25))


def _spend(draft: Draft, option: str, index: int) -> dict:
    scale = 1.0 if draft.case.months is None else MONTH
    row = {
        "provider": draft.pick("aws", "gcp", "lambda"),
        "gpu_model": "any",
        "purchase_option": option,
        "holding_usd_per_gpu_hour": 0.0,
        "usage_usd_per_gpu_hour": 0.0,
        "spend_usd": draft.pick(10.0, 50.0, 200.0, 800.0) * scale,
        "discount_share": draft.pick(0.0, 0.1, 0.3),
    }
    row |= _span(draft, option)
    if option == "prepaid":
        row["eligible_gpu_models"] = draft.pick(None, "A", "A, B", "C,A")
    if draft.pick(0, 0, 1):
        return row | {"commitment_id": f"{option}{index}", "gpus": None} | _by_the_hour(draft, row)
    return row | {"offer_id": f"{option}{index}", "status": draft.pick("list", "list", "quote", "accepted", "declined")}


def _by_the_hour(draft: Draft, row: dict) -> dict:
    """Let what is owned be stated in dollars an hour now and then, where its hours are in no doubt."""
    if row["start"] or row["end"] or draft.pick(0, 1):
        return {}
    return {"spend_usd": None, "usd_per_hour": draft.pick(0.0, 5.0, 20.0)}


def _span(draft: Draft, option: str) -> dict:
    """Draw when a sum has to be spent: a discount on prices is as long as the plan."""
    start = draft.pick(None, None, -0.5, 0.25)
    end = draft.pick(None, None, 0.75, 2.0)
    dates = {
        "start": None if start is None else later(draft.begin, start * draft.span),
        "end": None if end is None else later(draft.begin, end * draft.span),
        "term_months": draft.pick(None, None, 2 * draft.span),
    }
    return dates | ({"discount_share": 0.0} if option == "spend_floor" and (start or end) else {})


def _floors(draft: Draft) -> None:
    _add_spend(draft, "spend_floor")


def _pools(draft: Draft) -> None:
    _add_spend(draft, "prepaid")


def _add_spend(draft: Draft, option: str) -> None:
    """Add a sum to spend or two, no more than two in all, and of the same kind no two with one provider.

    With two floors of one provider a dollar for capacity that nobody uses would count twice, and pay for itself; a plan
    never buys more than can be used.
    """
    had = [row for row in (*draft.case.offers, *draft.case.commitments) if row.get("discount_share") is not None]
    rows = [_spend(draft, option, index) for index in range(min(draft.pick(1, 1, 2), 2 - len(had)))]
    rows = [row for row in rows if row is rows[-1] or row["provider"] != rows[-1]["provider"]]
    offers = [row for row in rows if "offer_id" in row]
    commitments = [row for row in rows if "commitment_id" in row]
    draft.case = replace(
        draft.case, offers=draft.case.offers + offers, commitments=draft.case.commitments + commitments
    )


def _sold_for_less(case, names: tuple[str, ...]):
    """Let nothing be resold for more than its lowest price of all: a plan would have no end."""
    part = LEAST_FACTOR if {"moves", "floors"} & set(names) else 1.0
    lowered = bool({"moves", "floors", "tiers"} & set(names))
    offers = [
        row | {"salvage_usd_per_gpu_hour": None} if lowered and _resold_for(row) > part * _lowest(row) else row
        for row in case.offers
    ]
    return replace(case, offers=offers)


def _resold_for(row: dict) -> float:
    return row.get("salvage_usd_per_gpu_hour") or 0.0


def _lowest(row: dict) -> float:
    tiers = [float(step.split("@")[1]) for step in (row.get("tiers") or "").split()]
    return min([row["holding_usd_per_gpu_hour"], *tiers])


DRAWN = {
    "overage": _overage,
    "burst": _burst,
    "exclusive": _exclusive,
    "tiers": _tiers,
    "exit": _exit,
    "moving": _moving,
    "moves": _moves,
    "ladder": _ladder,
    "floors": _floors,
    "pools": _pools,
}
SPOT_TERMS = {"gangs": _gangs, "each": _each, "capital": _capital}  # of cases that have these
WITH_QUOTES = tuple(name for name in DRAWN if name not in {"floors", "pools"})  # they bend what a quote is worth


def instruments_for(draw: Callable, wanted: Wanted, *, quotes: int) -> tuple[str, ...]:
    """Return the instruments to add: those wanted by name, one to three if some are, else one now and then."""
    known = WITH_QUOTES if quotes else tuple(DRAWN)
    if isinstance(wanted, tuple):
        return wanted
    if wanted:
        return tuple(draw(st.lists(st.sampled_from(known), min_size=1, max_size=3, unique=True)))
    return draw(st.sampled_from([()] * 30 + [(name,) for name in known]))
