"""Small plans to make, with every feature: tables written by hand, and tables drawn by hypothesis."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import strategies as st
from reference import HELD, MONTH, Plain, plain

from optimizer.demand import WorkloadRule
from optimizer.ladder import Buying, PriceMove
from optimizer.limits import parse
from optimizer.stated import Inputs
from providers.columns import Table
from providers.tables import COMMITMENTS, OFFERS, USAGE, checked
from tests.optimizer.reference_draws import Wanted, instruments_for, with_instruments

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MODELS = ("A", "B", "C")
PLACES = ((None, None), ("aws", "us-1"), ("aws", "eu-1"), ("gcp", "us-1"), ("gcp", None))
PROVIDERS = ("aws", "gcp", "lambda")
PRICES = (0.5, 0.9, 1.0, 1.5, 2.0, 2.0, 2.4, 3.0, 4.0)  # few, so that some are equal
QUOTED = ("reserved", "contract", "flex")
NEEDS = (0.0, 0.0, 0.3, 1.0, 2.0, 2.5, 3.0, 5.0, 8.0, 13.0)


@dataclass(frozen=True)
class Case:
    """One plan to make, as rows; limits as in `reference.Plain`."""

    usage: list[dict]
    offers: list[dict]
    commitments: list[dict] = field(default_factory=list)
    rules: tuple[WorkloadRule, ...] = ()
    limits: dict[str, float] = field(default_factory=dict)
    months: float | None = None
    ladder_months: float | None = None
    moves: tuple[PriceMove, ...] = ()

    def inputs(self) -> Inputs:
        """Return the case as the optimizer takes it."""
        return Inputs(
            usage=table(self.usage, USAGE),
            offers=table(self.offers, OFFERS),
            commitments=table(self.commitments, COMMITMENTS) if self.commitments else None,
            rules=self.rules,
            limits=parse(f"{name}<={_written(name, value)}" for name, value in self.limits.items()),
            months=self.months,
            now=NOW,
            buying=Buying(ladder_months=self.ladder_months, moves=self.moves),
        )

    def plain(self) -> Plain:
        """Return the case as the reference takes it."""
        inputs = self.inputs()
        later = {"ladder_months": self.ladder_months, "moves": self.moves}
        tables = (inputs.usage, inputs.offers, inputs.commitments)
        return plain(*tables, self.rules, self.limits, self.months, NOW, **later)

    def but(self, **changes: object) -> "Case":
        """Return the case with other rows, rules, limits, months or prices to come."""
        return replace(self, **changes)


def table(rows: list[dict], kind: Table) -> pl.DataFrame:
    """Return rows as a checked table."""
    return checked(pl.DataFrame(rows, infer_schema_length=None), kind, where=kind.name)


def hour(index: int) -> datetime:
    """Return an hour of the history."""
    return NOW + timedelta(hours=index)


def series(workload: str, needs: object, *, model: str = "A", **columns: object) -> list[dict]:
    """Return the usage of one workload, an hour a number."""
    return [
        {"hour": hour(index), "workload": workload, "gpu_model": model, "gpu_hours": float(need), **columns}
        for index, need in enumerate(needs)
    ]


def offer(offer_id: str, option: str = "on_demand", price: float = 4.0, *, use: float = 0.0, **columns: object) -> dict:
    """Return an offer: `price` is what is paid for holding it or, for pay-as-you-go, for using it."""
    held = option in HELD
    return {
        "offer_id": offer_id,
        "provider": "aws",
        "gpu_model": "A",
        "purchase_option": option,
        "holding_usd_per_gpu_hour": price if held else 0.0,
        "usage_usd_per_gpu_hour": use if held else price,
        **columns,
    }


def owned(commitment_id: str, gpus: float, price: float = 1.0, **columns: object) -> dict:
    """Return a commitment that already runs."""
    row = offer(commitment_id, "contract", price, **columns)
    del row["offer_id"]
    return row | {"commitment_id": commitment_id, "gpus": gpus}


def _written(name: str, value: float) -> str:
    return f"{value!r}mo" if name == "term" else repr(value)


# Drawn at random


@st.composite
def cases(
    draw, *, quotes: int = 0, quoted: tuple[str, ...] = QUOTED, limited: bool | None = None, instruments: Wanted = False
) -> Case:
    """Draw a plan to make; with `quotes`, so many of its offers are quotes of these kinds.

    Now and then one of the instruments of `reference_draws` is added; with `instruments`, those named, or a few, are.
    """
    models = MODELS[: draw(st.integers(1, 3))]
    hours = draw(st.integers(4, 7 if instruments else 14))
    months = draw(st.sampled_from([None, 12]))
    unit = timedelta(hours=1) if months is None else timedelta(hours=MONTH)
    span = hours if months is None else 12
    usage = _usage(draw, models, hours)
    used = sorted({row["gpu_model"] for row in usage})
    offers = _anchors(draw, used)
    offers += [_offer(draw, f"o{index}", models, span, unit) for index in range(draw(st.integers(1, 6)))]
    offers += [_quote(draw, f"q{index}", quoted, models, span, unit) for index in range(quotes)]
    commitments = [_commitment(draw, f"c{index}", models, span, unit) for index in range(draw(st.integers(0, 2)))]
    plans = [f"plan{index}" for index in range(draw(st.sampled_from([0, 0, 1, 2])))]
    offers += [row for plan in plans for row in _plan(draw, plan, models)]
    sellers = {row["plan"]: row["provider"] for row in offers if "plan" in row}
    commitments += [_dollars(draw, plan, sellers[plan], span, unit) for plan in plans if draw(st.booleans())]
    with_limits = draw(st.booleans()) if limited is None else limited
    case = Case(
        usage=usage,
        offers=offers,
        commitments=commitments,
        rules=_rules(draw, models),
        limits=_limits(draw) if with_limits else {},
        months=months,
    )
    return with_instruments(draw, case, instruments_for(draw, instruments, quotes=quotes), NOW)


def _usage(draw, models: tuple[str, ...], hours: int) -> list[dict]:
    rows: dict[tuple, dict] = {}
    gap = draw(st.one_of(st.none(), st.integers(1, hours - 1)))
    for index in range(draw(st.integers(1, 4))):
        for _ in range(draw(st.integers(1, 2))):
            model, (provider, region) = draw(st.sampled_from(models)), draw(st.sampled_from(PLACES))
            soft = draw(st.sampled_from([True, True, False, None]))
            needs = draw(st.lists(st.sampled_from(NEEDS), min_size=hours, max_size=hours))
            columns = {"model": model, "provider": provider, "region": region, "interruptible": soft}
            for row in series(f"w{index}", needs, **columns):
                if row["hour"] != (None if gap is None else hour(gap)):
                    rows[(*tuple(row.values())[:3], provider, region)] = row
    return list(rows.values())


def _anchors(draw, models: list[str]) -> list[dict]:
    """Offer every model on demand without end: at every provider, at one, or now and then nowhere."""
    where = draw(st.sampled_from([("aws", "gcp")] * 6 + [("aws",), ("lambda",), ()]))
    return [
        offer(f"od-{provider}-{model}", "on_demand", draw(_price()) + 2, provider=provider, gpu_model=model)
        for model in models
        for provider in where
    ]


def _price() -> st.SearchStrategy[float]:
    return st.one_of(st.sampled_from(PRICES), st.floats(0.1, 5.0).map(lambda price: round(price, 4)))


def _place(draw, models: tuple[str, ...]) -> dict:
    return {
        "provider": draw(st.sampled_from(PROVIDERS)),
        "region": draw(st.sampled_from([None, None, "us-1", "eu-1"])),
        "gpu_model": draw(st.sampled_from(models)),
    }


def _dates(draw, span: int, unit: timedelta) -> dict:
    """Draw a window that may begin or end before, inside or after the horizon, and a term."""
    start = draw(st.one_of(st.none(), st.none(), st.integers(-4, span + 1)))
    length = draw(st.one_of(st.none(), st.none(), st.integers(1, span)))
    term = draw(st.sampled_from([None, 1.0, 6.0, 12.0, 36.0]))
    ends = None if length is None else (start or 0) + length
    return {
        "start": None if start is None else NOW + start * unit,
        "end": None if ends is None else NOW + ends * unit,
        "term_months": term,
    }


def _sizes(draw) -> dict:
    least = draw(st.sampled_from([0.0, 0.0, 0.0, 3.0, 10.0]))
    lot = draw(st.sampled_from([None, None, 1.0, 2.0, 8.0]))
    most = draw(st.sampled_from([None, None, 4.0, 8.5, 12.0]))
    if most is not None and (most < least or most < (lot or 0.0)):
        most = max(least, lot or 0.0)
    return {"min_gpus": least, "lot_gpus": lot, "max_gpus": most}


def _offer(draw, name: str, models: tuple[str, ...], span: int, unit: timedelta) -> dict:
    kind = draw(st.sampled_from(["reserved", "contract", "flex", "spot", "on_demand", "cud", "capacity_block"]))
    columns = _place(draw, models)
    if draw(st.booleans()):
        columns |= _dates(draw, span, unit)
    if kind == "spot":
        columns |= {
            "mean_hours_between_interruptions": draw(st.sampled_from([None, 1.0, 5.0])),
            "restart_hours": draw(st.sampled_from([None, 0.25])),
            "checkpoint_hours": draw(st.sampled_from([None, 0.5])),
            "checkpoint_cost_hours": draw(st.sampled_from([None, 0.02])),
        }
    if kind in HELD:
        columns |= _sizes(draw) | {
            "upfront_share": draw(st.sampled_from([0.0, 0.0, 0.5, 1.0])),
            "status": draw(st.sampled_from(["list", "list", "list", "accepted", "declined"])),
        }
    else:
        columns |= {"max_gpus": draw(st.sampled_from([None, 2.0, 6.5]))}
    if draw(st.integers(0, 2)) == 0:
        columns |= {"adders_usd_per_gpu_hour": draw(st.sampled_from([0.1, 0.7]))}
    if kind in HELD and draw(st.integers(0, 2)) == 0:
        columns |= {"ramp": draw(st.sampled_from(["2@1 4@4", "4@3", "1@1 6@2 3@9", "3@1"])), "lot_gpus": None}
        columns |= draw(st.sampled_from([{"min_gpus": 0.0, "max_gpus": None}, {"min_gpus": 1.0, "max_gpus": 20.0}]))
    if kind in HELD and draw(st.integers(0, 2)) == 0:
        columns |= {"salvage_usd_per_gpu_hour": draw(st.sampled_from([0.2, 0.8, 1.5]))}
    use = draw(st.sampled_from([0.5, 1.8])) if kind == "flex" else 0.0
    return offer(name, kind, draw(_price()), use=use, **columns)


def _quote(draw, name: str, kinds: tuple[str, ...], models: tuple[str, ...], span: int, unit: timedelta) -> dict:
    kind = draw(st.sampled_from(kinds))
    sizes = _sizes(draw) if kind in HELD else {"max_gpus": draw(st.sampled_from([None, 2.0, 6.5]))}
    columns = _place(draw, models) | sizes | {"status": "quote"}
    if draw(st.integers(0, 2)) == 0:
        columns |= _dates(draw, span, unit)
    use = draw(st.sampled_from([0.5, 1.8])) if kind == "flex" else 0.0
    return offer(name, kind, draw(_price()), use=use, **columns)


def _commitment(draw, name: str, models: tuple[str, ...], span: int, unit: timedelta) -> dict:
    columns = _place(draw, models)
    if draw(st.booleans()):
        columns["gpu_model"] = draw(st.sampled_from([*models, "idle"]))
    if draw(st.booleans()):
        columns |= _dates(draw, span, unit)
    return owned(name, draw(st.sampled_from([0.0, 1.0, 4.0, 7.5])), draw(_price()), **columns)


def _plan(draw, plan: str, models: tuple[str, ...]) -> list[dict]:
    """Draw the rates of a commitment in dollars; the same GPU may have several, here and there."""
    terms = {
        "plan": plan,
        "provider": draw(st.sampled_from(PROVIDERS)),
        "term_months": draw(st.sampled_from([None, 12.0, 36.0])),
        "upfront_share": draw(st.sampled_from([0.0, 0.5, 1.0])),
    }
    return [
        offer(f"{plan}-{index}", "savings_plan", draw(_price()), **_place(draw, models) | terms)
        for index in range(draw(st.integers(1, 4)))
    ]


def _dollars(draw, plan: str, provider: str, span: int, unit: timedelta) -> dict:
    dates = _dates(draw, span, unit) if draw(st.booleans()) else {}
    spent = {"usd_per_hour": draw(st.sampled_from([0.0, 1.5, 8.0])), "plan": plan, "gpu_model": "any"}
    row = owned(f"owned-{plan}", 0.0, 0.0, provider=provider, **dates | spent)
    return row | {"purchase_option": "savings_plan", "gpus": None}


def _rules(draw, models: tuple[str, ...]) -> tuple[WorkloadRule, ...]:
    several = st.lists(st.sampled_from(PROVIDERS), min_size=2, max_size=3).map(tuple)
    return tuple(
        WorkloadRule(
            pattern=draw(st.sampled_from(["w0", "w1", "w*", "*2", "nobody"])),
            interruptible=draw(st.sampled_from([None, None, True, False])),
            movable=draw(st.sampled_from([None, None, None, True, False])),
            providers=draw(st.one_of(st.none(), st.none(), several)),
            regions=draw(st.sampled_from([None, None, None, ("us-*",), ("us-1", "eu-*")])),
            runs_on=draw(st.dictionaries(st.sampled_from(models), st.sampled_from([0.4, 0.5, 1.0, 2.2]), max_size=2)),
        )
        for _ in range(draw(st.integers(0, 2)))
    )


def _limits(draw) -> dict[str, float]:
    possible = {
        "spot": st.sampled_from([0.0, 0.1, 0.4, 1.0]),
        "committed": st.sampled_from([0.3, 0.7, 1.0, 2.0]),
        "upfront": st.sampled_from([0.0, 10.0, 100.0, 20000.0]),
        "term": st.sampled_from([6.0, 12.0]),
        "provider.aws": st.sampled_from([0.3, 0.6]),
        "provider.lambda": st.sampled_from([0.0, 0.3]),
    }
    names = draw(st.lists(st.sampled_from(sorted(possible)), min_size=1, max_size=3, unique=True))
    return {name: draw(possible[name]) for name in names}
