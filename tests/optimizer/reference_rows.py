"""What one row of the tables means: its window, block, dates to buy at, tiers, and prices that move."""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

MONTH = 730
HELD = {"reserved", "savings_plan", "cud", "capacity_block", "contract", "flex"}
SPEND = {"spend_floor", "prepaid"}


def name_of(row: dict) -> str:
    return row["commitment_id"] if "commitment_id" in row else row["offer_id"]


def in_gpus(row: dict) -> bool:
    """Return whether a row is an offer or commitment of GPUs: neither dollars an hour nor a sum to spend."""
    stated = row["gpus"] is not None if "commitment_id" in row else row["plan"] is None
    return stated and row["purchase_option"] not in SPEND


def is_list(row: dict) -> bool:
    """Return whether a price is a list price, which moves, and which a vendor takes a discount off."""
    return "commitment_id" not in row and row["status"] == "list"


def spread(row: dict) -> list[tuple[datetime, float]]:
    """Return the hours that a row of usage stands for, and its GPUs in each."""
    if row["granularity"] == "day":
        return [(row["hour"] + timedelta(hours=hour), row["gpu_hours"] / 24) for hour in range(24)]
    return [(row["hour"], row["gpu_hours"])]


def window(row: dict) -> tuple[datetime | None, datetime | None]:
    """Return from when until when an offer serves; an end that is not given follows from start and term."""
    start, end = row["start"], row["end"]
    if end is None and start is not None and row["term_months"] is not None:
        end = later(start, row["term_months"])
    return start, end


def runs(row: dict, time: datetime) -> bool:
    start, end = window(row)
    return (start is None or start <= time) and (end is None or time < end)


def later(time: datetime, months: float) -> datetime:
    return time + timedelta(hours=months * MONTH)


def block(row: dict) -> float | None:
    """Return the GPUs that a vendor is talking about: its minimum in whole lots, else one lot, else all there is."""
    lot = row["lot_gpus"]
    if row["min_gpus"] > 0:
        return math.ceil(row["min_gpus"] / lot) * lot if lot else row["min_gpus"]
    return lot if lot is not None and lot > 1 else row["max_gpus"]


def smallest(row: dict) -> float:
    """Return the least that can be bought if any is, 0 where a sliver can."""
    lot, least = row["lot_gpus"], row["min_gpus"]
    return max(math.ceil(least / lot), 1) * lot if lot else least


def overhead(row: dict, nodes: float = 1.0) -> float:
    """Return hours of spot that are paid for one useful hour: 1 + δ/τ + (τ/2 + r)/(M/n), where n nodes stop at once."""
    tau, between = row["checkpoint_hours"], row["mean_hours_between_interruptions"]
    saving = row["checkpoint_cost_hours"] / tau if tau else 0.0
    losing = ((tau or 0.0) / 2 + row["restart_hours"]) / (between / nodes) if between else 0.0
    return 1 + saving + losing


def free_money(row: dict) -> bool:
    """Return whether what is held could be resold for more than it costs."""
    price = row["holding_usd_per_gpu_hour"] + row["adders_usd_per_gpu_hour"]
    return row["purchase_option"] in HELD and (row["salvage_usd_per_gpu_hour"] or 0.0) > price


def whole_ramp(row: dict) -> dict:
    """Let a ramp that names no other quantity be bought whole or not at all."""
    if not row["ramp"] or row["purchase_option"] not in HELD:
        return row
    most = max(float(step.split("@")[0]) for step in row["ramp"].split())
    return row | {"min_gpus": row["min_gpus"] or most, "max_gpus": most if row["max_gpus"] is None else row["max_gpus"]}


def factor(moves: Iterable, row: dict, begin: datetime, time: datetime) -> float:
    """Return what a list price is multiplied by at a time; of the moves that have begun, the last one counts."""
    begun = [
        move.factor
        for move in moves
        if later(begin, move.from_month) <= time and fnmatchcase(row["gpu_model"], move.gpu_model)
    ]
    return begun[-1] if begun and is_list(row) else 1.0


def at_dates(row: dict, begin: datetime, dates: list[float]) -> list[dict]:
    """Return an offer once for each date, in months from the begin, at which it may be bought; only its first if none.

    With dates, what has a term and no window of its own runs for its term, from its date on, and is not renewed. Only
    list offers can be had later than at the begin.
    """
    waits = row["term_months"] is not None and row["start"] is None and row["end"] is None
    if not dates or not waits or not in_gpus(row) or row["purchase_option"] not in HELD:
        return [row]
    return [
        row
        | {
            "offer_id": row["offer_id"] + _suffix(date),
            "exclusive": row["exclusive"] and row["exclusive"] + _suffix(date),
            "bought": later(begin, date),
            "start": later(begin, date),
            "end": later(later(begin, date), row["term_months"]),
        }
        for date in (dates if is_list(row) else [0.0])
    ]


def _suffix(months: float) -> str:
    return f"+{months:g}mo" if months else ""


def at_tiers(row: dict) -> list[dict]:
    """Return an offer once for each price that depends on how many are bought; at most one of them is."""
    if not row["tiers"] or row["purchase_option"] not in HELD or not in_gpus(row):
        return [row]
    only = row | {"exclusive": row["exclusive"] or row["offer_id"]}
    steps = [step.split("@") for step in row["tiers"].split()]
    tiers = [
        only
        | {
            "offer_id": f"{row['offer_id']}@{gpus}",
            "min_gpus": max(row["min_gpus"], float(gpus)),
            "holding_usd_per_gpu_hour": float(price),
        }
        for gpus, price in steps
        if row["max_gpus"] is None or float(gpus) <= row["max_gpus"]
    ]
    return [only, *tiers]
