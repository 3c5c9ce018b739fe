"""Conditions on the cells and rows of the tables: what must hold, what is wrong where it does not, and what to do."""

from collections.abc import Callable
from typing import NamedTuple

import polars as pl


class Rule(NamedTuple):
    """A condition that every filled cell, or every row, must meet; rows where `holds` is null pass."""

    holds: Callable[[str], pl.Expr]
    problem: str
    remedy: str


def _at_least_zero(name: str) -> pl.Expr:
    return pl.col(name) >= 0


def _above_zero(name: str) -> pl.Expr:
    return pl.col(name) > 0


NOT_NEGATIVE = Rule(_at_least_zero, "is negative", "a quantity or a price is 0 or more")
POSITIVE = Rule(_above_zero, "is not above 0", "give a value above 0, or leave the cell empty")
TERM = Rule(
    lambda name: pl.col(name).is_between(0, 600, closed="right"),
    "is not above 0 and at most 600",
    "give a term in months",
)
SHARE = Rule(lambda name: pl.col(name).is_between(0, 1), "is not between 0 and 1", "give a share such as 0.25")
RAMP = Rule(
    lambda name: pl.col(name).str.contains(r"^[1-9][0-9]*@[1-9][0-9]*( [0-9]+@[1-9][0-9]*)*$"),
    "is no ramp",
    "write GPUs@month from the first month on, such as 64@1 128@4",
)
TIERS = Rule(
    lambda name: pl.col(name).str.contains(r"^[1-9][0-9]*@[0-9]*\.?[0-9]+( [1-9][0-9]*@[0-9]*\.?[0-9]+)*$"),
    "is no price list",
    "write GPUs@price from so many GPUs on, such as 64@2.20 256@1.95",
)
ON_THE_HOUR = Rule(
    lambda name: pl.col(name).dt.truncate("1h") == pl.col(name),
    "is not on the hour",
    "name each hour by its start, such as 2026-04-01T13:00:00Z",
)
FINITE = Rule(lambda name: pl.col(name).is_finite(), "is not a finite number", "give a number, or leave the cell empty")


def one_of(values: tuple[str, ...]) -> Rule:
    """Return the rule that a cell holds one of several words."""
    known = ", ".join(values)
    return Rule(lambda name: pl.col(name).is_in(list(values)), "is not a known value", f"use one of {known}")


LIMITS_IN_ORDER = Rule(
    lambda _: pl.col("min_gpus") <= pl.col("max_gpus"),
    "is above max_gpus",
    "a minimum may not exceed the maximum: correct one of the two",
)
WINDOW_IN_ORDER = Rule(
    lambda _: pl.col("start") < pl.col("end"), "is not before end", "an offer must start before it ends"
)
MAX_HOLDS_A_LOT = Rule(
    lambda _: pl.col("max_gpus") >= pl.col("lot_gpus"),
    "is smaller than lot_gpus",
    "raise max_gpus to at least one lot, or correct the lot",
)
