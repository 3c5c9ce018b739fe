"""Offers and commitments -> tariffs, the terms that a program compares."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from optimizer.demand import Horizon
from optimizer.ladder import AT_THE_START, Buying, bought
from optimizer.limits import Limits
from optimizer.riders import tiers_of, with_riders
from optimizer.tariffs import Rate, Tariff, ramp_of, spot_lost, spot_overhead
from providers.tables import HELD, HOURS_PER_MONTH, SPEND, Diagnostic


def tariffs_of(
    offers: pl.DataFrame,
    commitments: pl.DataFrame | None,
    *,
    horizon: Horizon,
    limits: Limits,
    buying: Buying = AT_THE_START,
) -> tuple[tuple[Tariff, ...], list[Diagnostic]]:
    """Return the tariffs that a plan over the horizon may use, commitments first, and what was left out and why."""
    plans = _plans(offers)
    owned = [] if commitments is None else [(_owned(row, plans), row) for row in commitments.iter_rows(named=True)]
    offered = [(_tariff(row), row) for row in offers.iter_rows(named=True) if row["plan"] is None]
    offered += [(_plan_tariff(rows[0] | {"offer_id": plan}, rows), rows[0]) for plan, rows in plans.items()]
    kept: list[Tariff] = []
    found: list[Diagnostic] = []
    for tariff, row in (*owned, *offered):
        if tariff.purchase_option in SPEND and tariff.status != "declined":
            continue
        if reason := _reason_to_leave_out(tariff, horizon, limits):
            found.append(_left_out(tariff, reason))
        else:
            kept += _in_all_forms(tariff, row, horizon, buying)
    return tuple(kept), found


def _in_all_forms(tariff: Tariff, row: Mapping[str, Any], horizon: Horizon, buying: Buying) -> list[Tariff]:
    """Return a tariff at each date and in each tier, with what comes with it."""
    forms = [
        _from(tier, horizon.start)
        for dated, factor in bought(tariff, horizon, buying)
        for tier in (tiers_of(dated, row["tiers"], factor) if dated.held and dated.owned is None else [dated])
    ]
    return [each for form in forms for each in with_riders(form, row, horizon.start)]


def _reason_to_leave_out(tariff: Tariff, horizon: Horizon, limits: Limits) -> str:
    if tariff.status == "declined":
        return "it was declined"
    if unplanned := _unplanned(tariff):
        return unplanned
    if tariff.end is not None and tariff.end <= horizon.start:
        return f"it ended on {tariff.end:%Y-%m-%d}"
    if tariff.start is not None and tariff.start >= horizon.end:
        return f"it begins on {tariff.start:%Y-%m-%d}, after the plan ends"
    if tariff.owned is None and tariff.held and (tariff.term_months or 0) > limits.term_months:
        return f"its term of {tariff.term_months:g} months is above the limit term<={limits.term_months:g}mo"
    return ""


def _unplanned(tariff: Tariff) -> str:
    if tariff.owned is not None and math.isnan(tariff.owned):
        return "it is in dollars, and no offer names its plan, so that its rates are not known"
    return "it could be resold for more than it costs" if tariff.salvage and tariff.holding < 0 else ""


def _left_out(tariff: Tariff, reason: str) -> Diagnostic:
    level = "warning" if tariff.owned is not None else "note"
    return Diagnostic(
        level=level,  # type: ignore[arg-type]
        code="offer-left-out",
        message=f"{tariff.offer_id} is not in the plan: {reason}",
        where=tariff.offer_id,
    )


def _from(tariff: Tariff, start: datetime) -> Tariff:
    """Let a ramp without a start begin with the plan; its end, where only a term says it, stays open to renewal."""
    return replace(tariff, start=start) if tariff.ramp and tariff.start is None else tariff


def _plans(offers: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Return the rates of each commitment in dollars, by its name."""
    found: dict[str, list[dict[str, Any]]] = {}
    rates = offers.filter(pl.col("plan").is_not_null(), pl.col("status") != "declined")
    for row in rates.iter_rows(named=True):
        found.setdefault(row["plan"], []).append(row)
    return {plan: found[plan] for plan in sorted(found)}


def _owned(row: dict[str, Any], plans: Mapping[str, list[dict[str, Any]]]) -> Tariff:
    """Return a commitment; one in dollars at the rates at which its plan is on offer."""
    rates = plans.get(row["plan"] or "")
    return _plan_tariff(row, rates) if rates and row["gpus"] is None else _tariff(row)


def _plan_tariff(row: dict[str, Any], rates: Sequence[Mapping[str, Any]]) -> Tariff:
    """Return a commitment in dollars: a dollar costs a dollar, and of each GPU the cheapest machine counts."""
    prices: dict[tuple[str, str | None], float] = {}
    for rate in rates:
        place = (rate["gpu_model"], rate["region"])
        prices[place] = min(prices.get(place, math.inf), rate["holding_usd_per_gpu_hour"])
    regions = {region for _, region in prices}
    return replace(
        _tariff(row),
        provider=rates[0]["provider"],
        gpu_model="any",
        region=next(iter(regions)) if len(regions) == 1 else None,
        instance_type=None,
        holding=1.0,
        usage=0.0,
        adders=0.0,
        salvage=0.0,
        ramp=(),
        lot=None,
        minimum=0.0,
        maximum=math.inf,
        room=math.inf,
        owned=row["usd_per_hour"] if "commitment_id" in row else None,
        rates=tuple(Rate(model, region, usd) for (model, region), usd in sorted(prices.items(), key=str) if usd > 0),
    )


def _tariff(row: Mapping[str, Any]) -> Tariff:
    owned = "commitment_id" in row
    overhead = spot_overhead(
        interruptions=row["mean_hours_between_interruptions"],
        restart=row["restart_hours"],
        checkpoint=row["checkpoint_hours"],
        checkpoint_cost=row["checkpoint_cost_hours"],
    )
    lost = spot_lost(
        interruptions=row["mean_hours_between_interruptions"],
        restart=row["restart_hours"],
        checkpoint=row["checkpoint_hours"],
    )
    price, adders = row["usage_usd_per_gpu_hour"], row["adders_usd_per_gpu_hour"]
    held, spot = row["purchase_option"] in HELD, row["purchase_option"] == "spot"
    salvage = (row["salvage_usd_per_gpu_hour"] or 0.0) if held else 0.0
    start, term = row["start"], row["term_months"]
    end = row["end"] or (start + timedelta(hours=term * HOURS_PER_MONTH) if start and term else None)
    gpus = row["gpus"] if owned else None
    ramp, most = ramp_of(row["ramp"]) if held else ((), 0.0)
    maximum = (most or math.inf) if row["max_gpus"] is None else row["max_gpus"]
    return Tariff(
        offer_id=row["commitment_id"] if owned else row["offer_id"],
        provider=row["provider"],
        region=row["region"],
        gpu_model=row["gpu_model"],
        instance_type=row["instance_type"],
        purchase_option=row["purchase_option"],
        status=row["status"],
        holding=row["holding_usd_per_gpu_hour"] + (adders if held else 0.0) - salvage,
        usage=(price * overhead if spot else price) + (salvage if held else adders),
        advertised_usage=price,
        adders=adders,
        salvage=salvage,
        ramp=ramp,
        upfront_share=row["upfront_share"],
        term_months=term,
        start=start,
        end=end,
        lot=row["lot_gpus"],
        minimum=row["min_gpus"] or most,
        maximum=maximum,
        currency=row["currency"],
        owned=(math.nan if gpus is None else gpus) if owned else None,
        exclusive=row["exclusive"] if held and not owned else None,
        lost=lost if spot else 0.0,
        node_gpus=row["gpus_per_node"],
        room=math.inf if owned else maximum,
        pool=row["offer_id"] if spot and not owned else "",
    )
