"""What holds for every history without an oracle, on real ones; and the closed form for a single pool."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from instances import NOW, offer, table

from optimizer.limits import Limits
from optimizer.plan import Plan, plan_of
from optimizer.stated import Inputs
from providers.tables import HELD, OFFERS, USAGE, checked

HISTORIES = Path(__file__).parents[2].parent / "shared" / "data" / "usage"
NAMES = ("helios_earth_2020_05", "servegen_llm", "shavedice_vm_2021_2022")


@pytest.fixture(scope="module", params=NAMES)
def usage(request) -> pl.DataFrame:
    """One real history as a checked table."""
    path = HISTORIES / f"{request.param}.parquet"
    if not path.exists():
        pytest.skip("the histories are not on this machine")
    return checked(pl.read_parquet(path), USAGE, where=request.param)


def offers_for(usage: pl.DataFrame, *, at: float = 1.0, kinds: int = 4) -> list[dict]:
    """Offer every model of a history on demand, for a year, in a two-part tariff, and a little at a better price.

    The prices are odd so that no quantity is as good as another: each breaks even between two hours.
    """
    models = usage["gpu_model"].unique().sort()
    prices = {model: (4.0 + index / 4) * at for index, model in enumerate(models)}
    rows = [offer(f"od-{model}", price=price, gpu_model=model) for model, price in prices.items()]
    rows += [offer(f"1y-{model}", "reserved", 0.6173 * price, gpu_model=model) for model, price in prices.items()]
    rows += [
        offer(f"flex-{model}", "flex", 0.2019 * price, use=0.4531 * price, gpu_model=model)
        for model, price in prices.items()
    ]
    rows += [
        offer(f"few-{model}", "contract", 0.5037 * price, gpu_model=model, max_gpus=20.0)
        for model, price in prices.items()
    ]
    return rows[: kinds * len(models)]


def plan(usage: pl.DataFrame, offers: list[dict], *, months: float | None = None) -> Plan:
    return plan_of(
        Inputs(
            usage=usage,
            offers=table(offers, OFFERS),
            commitments=None,
            rules=(),
            limits=Limits(),
            months=months,
            now=NOW,
        )
    )


def bought(found: Plan) -> dict[str, float]:
    return {row.tariff.offer_id: row.gpus for row in found.purchases}


def test_scaled_demand_scales_the_plan(usage):
    once, thrice = (
        plan(usage.with_columns(pl.col("gpu_hours") * factor), offers_for(usage, kinds=3)) for factor in (1.0, 3.0)
    )
    assert thrice.summary.cost == pytest.approx(3 * once.summary.cost, rel=1e-9)
    assert bought(thrice) == pytest.approx({name: 3 * gpus for name, gpus in bought(once).items()}, rel=1e-6)
    assert bought(once)


def test_one_more_offer_costs_no_more(usage):
    costs = [plan(usage, offers_for(usage, kinds=kinds)).summary.cost for kinds in (1, 2, 3, 4)]
    assert all(after < before for before, after in pairwise(costs))


def test_a_higher_price_costs_no_less(usage):
    offers = offers_for(usage)
    before = plan(usage, offers).summary.cost
    step = len(offers) // 4
    for index, row in list(enumerate(offers))[::step]:
        dearer = {name: row[name] * 1.2 for name in ("holding_usd_per_gpu_hour", "usage_usd_per_gpu_hour")}
        after = plan(usage, [*offers[:index], row | dearer, *offers[index + 1 :]]).summary.cost
        assert after >= before * (1 - 1e-9)
    assert plan(usage, offers_for(usage, at=1.2)).summary.cost == pytest.approx(1.2 * before, rel=1e-9)


def test_merged_workloads_cost_no_more(usage):
    """Together they cost less than in two halves that share nothing, and as much as under one name."""
    offers = offers_for(usage, kinds=3)
    together = plan(usage, offers).summary.cost
    names = usage["workload"].unique().sort()
    halves = [usage.filter(pl.col("workload").is_in(part.implode())) for part in (names[::2], names[1::2])]
    apart = [plan(pad(half, usage), offers).summary.cost for half in halves]
    merged = plan(in_one(usage), offers).summary.cost
    assert together < sum(apart)
    assert merged == pytest.approx(together, rel=1e-9)


def pad(some: pl.DataFrame, usage: pl.DataFrame) -> pl.DataFrame:
    """Keep every hour of a history for some of its workloads."""
    hours = usage.unique("hour", maintain_order=True).with_columns(
        workload=pl.lit(some["workload"][0]), gpu_model=pl.lit(some["gpu_model"][0]), gpu_hours=pl.lit(0.0)
    )
    absent = hours.join(some, on=["hour", "workload", "gpu_model"], how="anti", maintain_order="left")
    return checked(pl.concat([some, absent]), USAGE, where="padded")


def in_one(usage: pl.DataFrame) -> pl.DataFrame:
    """Merge all workloads of a GPU model."""
    merged = usage.group_by("hour", "gpu_model", maintain_order=True).agg(pl.col("gpu_hours").sum())
    return checked(merged.with_columns(workload=pl.lit("all")), USAGE, where="merged")


def test_a_workload_split_in_two_is_planned_alike(usage):
    first = usage["workload"][0]
    halves = pl.col("gpu_hours") * pl.when(pl.col("workload") == first).then(0.5).otherwise(1.0)
    other = usage.filter(pl.col("workload") == first).with_columns(
        pl.col("gpu_hours") / 2, workload=pl.lit("its other half")
    )
    split = checked(pl.concat([usage.with_columns(halves), other]), USAGE, where="split")
    whole, parts = plan(usage, offers_for(usage)), plan(split, offers_for(usage))
    assert parts.summary.cost == pytest.approx(whole.summary.cost, rel=1e-9)
    assert bought(parts) == pytest.approx(bought(whole), rel=1e-6)


def test_hours_in_another_order_are_planned_alike(usage):
    hours = usage["hour"].unique().sort()
    order = np.random.default_rng(7).permutation(len(hours))
    renamed = usage.with_columns(pl.col("hour").replace_strict(hours, hours.gather(order)))
    mixed = checked(renamed.sample(fraction=1.0, shuffle=True, seed=7), USAGE, where="mixed")
    before, after = plan(usage, offers_for(usage)), plan(mixed, offers_for(usage))
    assert after.summary.cost == pytest.approx(before.summary.cost, rel=1e-9)
    assert bought(after) == pytest.approx(bought(before), rel=1e-6)


def test_nothing_is_bought_at_the_price_of_on_demand(usage):
    rows = [row for row in offers_for(usage) if not row["offer_id"].startswith("flex")]
    for ratio in (1.0, 1.01):
        held = [row for row in rows if row["purchase_option"] in HELD]
        level = [row | {"holding_usd_per_gpu_hour": ratio * on_demand(rows, row)} for row in held]
        found = plan(usage, [*(row for row in rows if row not in held), *level])
        if ratio > 1:
            assert found.purchases == ()
        assert found.summary.cost == pytest.approx(found.summary.on_demand_cost, rel=1e-9)


def on_demand(rows: list[dict], row: dict) -> float:
    return next(one["usage_usd_per_gpu_hour"] for one in rows if one["offer_id"] == f"od-{row['gpu_model']}")


@pytest.mark.parametrize("ratio", [0.2, 0.45, 0.7, 0.95])
def test_one_reservation_is_the_quantile_of_demand(usage, ratio):
    """The newsvendor's rule: the last GPU reserved is busy in the share of hours that its price is of on demand."""
    model = usage["gpu_model"].unique().sort()[0]
    pool = usage.filter(pl.col("gpu_model") == model)
    hours = np.sort(pool.group_by("hour").agg(pl.col("gpu_hours").sum())["gpu_hours"].to_numpy())
    reserved = offer("r", "reserved", 4.0 * ratio, gpu_model=model)
    found = plan(pool, [offer("od", price=4.0, gpu_model=model), reserved])
    gpus = bought(found).get("r", 0.0)
    count, slack = len(hours), 1e-7 * hours[-1]
    assert (hours > gpus + slack).sum() <= ratio * count + 1e-6
    assert (hours >= gpus - slack).sum() >= ratio * count - 1e-6
    best = hours[int(np.floor((1 - ratio) * count + 1e-9))]
    cost = 4.0 * (ratio * count * best + np.maximum(hours - best, 0).sum())
    assert found.summary.cost == pytest.approx(cost, rel=1e-9)


def test_a_year_is_the_history_many_times(usage):
    history, year = plan(usage, offers_for(usage)), plan(usage, offers_for(usage), months=12)
    assert year.summary.hours == pytest.approx(8760)
    assert year.summary.cost == pytest.approx(history.summary.cost * 8760 / history.summary.hours, rel=1e-9)
    assert bought(year) == pytest.approx(bought(history), rel=1e-6)
