"""The instance that solvers are measured on: 20 workloads, 96 offers, as many hours as asked; the same every time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from optimizer.demand import Horizon, WorkloadRule, demand_of
from optimizer.edits import Change
from optimizer.ladder import Buying, PriceMove
from optimizer.limits import Limits
from optimizer.problem import Problem, problem_of
from optimizer.scenarios import Drought, Scenario
from optimizer.stated import Inputs, stated_of
from optimizer.terms import tariffs_of
from providers.tables import HOURS_PER_MONTH, OFFERS, USAGE, checked

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MODELS = {"H100-SXM-80GB": 8.0, "A100-80GB": 4.0, "L40S-48GB": 2.0, "L4-24GB": 1.0}
PROVIDERS = ("aws", "gcp", "azure", "coreweave", "lambda", "nebius")
WORKLOADS = 20


RULES = (
    WorkloadRule(pattern="w?0", runs_on={"H100-SXM-80GB": 2.2}),
    WorkloadRule(pattern="w?5", providers=("aws", "gcp", "azure")),
)


def problem(hours: int) -> Problem:
    """Return the instance over so many hours."""
    return stated_of(inputs(hours)).problem


def waiting(hours: int) -> Problem:
    """Return the instance with three workloads whose work may wait."""
    windows = {"w03": 12, "w09": 24, "w12": 6}
    rules = (WorkloadRule(pattern=name, window_hours=window) for name, window in windows.items())
    return stated_of(replace(inputs(hours), rules=(*RULES, *rules))).problem


def ladder(hours: int) -> Problem:
    """Return hours that all differ, with a purchase date every twelfth of them, list prices falling by a third."""
    given = inputs(hours)
    months = hours / HOURS_PER_MONTH
    moves = tuple(PriceMove(gpu_model="*", from_month=months * part, factor=1 - part / 2) for part in (1 / 3, 2 / 3))
    buying = Buying(ladder_months=months / 12, moves=moves)
    horizon = Horizon(start=NOW, end=NOW + timedelta(hours=hours), months=months)
    tariffs, _ = tariffs_of(given.offers, None, horizon=horizon, limits=given.limits, buying=buying)
    needed = demand_of(given.usage, rules=RULES, horizon=replace(horizon, months=None))
    return problem_of(needed, tariffs, given.limits)


def futures(hours: int, *, count: int = 50, risk: float = 0.0) -> Problem:
    """Return so many futures: the demand 0.6 to 1.8 times as high, and no spot at all in every second."""
    rng = np.random.default_rng(1)
    dry = (Drought(gpu_model="*", provider="*", from_month=0.0, until_month=12.0),)
    scenarios = tuple(
        Scenario(
            name=f"s{index}",
            probability=1 / count,
            changes=(Change(workload="*", factor=float(rng.uniform(0.6, 1.8))),),
            droughts=dry if index % 2 else (),
        )
        for index in range(count)
    )
    return stated_of(replace(inputs(hours), scenarios=scenarios, risk=risk)).problem


def inputs(hours: int) -> Inputs:
    """Return what the instance is made of."""
    rng = np.random.default_rng(20260101)
    return Inputs(
        usage=checked(usage(rng, hours), USAGE, where="usage"),
        offers=checked(offers(rng), OFFERS, where="offers"),
        commitments=None,
        rules=RULES,
        limits=Limits(),
        months=12,
        now=NOW,
    )


def usage(rng: np.random.Generator, hours: int) -> pl.DataFrame:
    """Draw workloads with a level, a day, a week, a trend and noise; every third is interruptible."""
    time = np.arange(hours)
    frames = []
    for index in range(WORKLOADS):
        level, day, week, trend = rng.uniform(4, 60), rng.uniform(0, 0.5), rng.uniform(0, 0.2), rng.uniform(-0.4, 0.6)
        shape = 1 + day * np.sin(2 * np.pi * (time + rng.integers(24)) / 24) + week * np.sin(2 * np.pi * time / 168)
        noise = rng.normal(1.0, 0.12, hours).clip(0.3)
        frames.append(
            pl.DataFrame(
                {
                    "hour": [NOW + timedelta(hours=int(one)) for one in time],
                    "workload": f"w{index:02}",
                    "gpu_model": list(MODELS)[index % len(MODELS)],
                    "gpu_hours": np.maximum(level * shape * (1 + trend * time / hours) * noise, 0.0).round(2),
                    "interruptible": index % 3 == 0,
                }
            )
        )
    return pl.concat(frames)


def offers(rng: np.random.Generator) -> pl.DataFrame:
    """Draw each model at each provider: on demand, spot with a cap, for a year and for three."""
    rows = []
    for model, list_price in MODELS.items():
        for provider in PROVIDERS:
            price = list_price * rng.uniform(0.8, 1.3)
            place = {"provider": provider, "gpu_model": model}
            rows += [
                row("on_demand", place, used=price),
                row("spot", place, used=price * rng.uniform(0.3, 0.6), most=float(rng.integers(5, 40))),
                row("reserved", place, held=price * rng.uniform(0.55, 0.75), term=12.0),
                row("contract", place, held=price * rng.uniform(0.4, 0.6), term=36.0, most=float(rng.integers(8, 60))),
            ]
    return pl.DataFrame(rows, infer_schema_length=None)


def row(
    option: str,
    place: dict[str, str],
    *,
    held: float = 0.0,
    used: float = 0.0,
    term: float | None = None,
    most: float | None = None,
) -> dict[str, object]:
    """Return one offer."""
    return place | {
        "offer_id": "-".join((place["provider"], place["gpu_model"], option)).lower(),
        "purchase_option": option,
        "holding_usd_per_gpu_hour": round(held, 4),
        "usage_usd_per_gpu_hour": round(used, 4),
        "term_months": term,
        "max_gpus": most,
    }
