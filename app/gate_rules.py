"""The limits of policy gates as people write them, on the command line or in `[gates]` and `[budgets]`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from app.diagnostics import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["money", "percent", "days", "months"]
KINDS: dict[str, Kind] = {
    "over": "money",
    "increase": "percent",
    "savings_missed": "money",
    "stale": "days",
    "untagged": "percent",
    "utilization_below": "percent",
    "break_even_above": "months",
    "expiring_within": "days",
}
FORMS: dict[Kind, tuple[str, str]] = {
    "money": (r"\$?(\d+(?:\.\d+)?)([kmb]?)", "an amount such as 2M or 1500"),
    "percent": (r"(\d+(?:\.\d+)?)\s*(%?)", "a percentage such as 10%"),
    "days": (r"(\d+(?:\.\d+)?)\s*(d|days?)?", "days such as 30"),
    "months": (r"(\d+(?:\.\d+)?)\s*(mo|m|months?)?", "months such as 9"),
}
SCALES = {"k": 1e3, "m": 1e6, "b": 1e9}
COMPARES = ("increase",)
"""Gates that need another plan to compare with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Gates that are asked for, by name; tags that usage needs; budgets in $ a month, by a glob of workloads."""

    limits: Mapping[str, float] = field(default_factory=dict)
    tags: tuple[str, ...] = ("team",)
    budgets: Mapping[str, float] = field(default_factory=dict)
    warn_only: bool = False

    def with_limits(self, limits: Mapping[str, float], *, warn_only: bool) -> Rules:
        """Return the rules with the limits of the command line in place of those of the settings."""
        return replace(self, limits={**self.limits, **limits}, warn_only=self.warn_only or warn_only)


def limit_of(gate: str, given: str | float, *, where: str) -> float:
    """Return a gate's limit: $, a share, days or months.

    Raises:
        UsageError: it cannot be read as what the gate limits.
    """
    return read(KINDS[gate], given, where=where)


def read(kind: Kind, given: str | float, *, where: str) -> float:
    """Return what a limit of one kind says: $, a share, days or months.

    >>> read("money", "2M", where="--fail-over"), read("percent", "10%", where="--fail-increase")
    (2000000.0, 0.1)

    Raises:
        UsageError: it cannot be read, or is less than 1 without a percent sign, which might mean a share.
    """
    pattern, form = FORMS[kind]
    text = f"{given:.10g}" if isinstance(given, float | int) else given.strip().lower().replace(",", "")
    found = re.fullmatch(pattern, text, re.ASCII)
    if found is None:
        raise UsageError(f"{where}: {given!r} cannot be read; write {form}")
    number, unit = float(found[1]), found[2] or ""
    if kind != "percent":
        return number * SCALES[unit] if kind == "money" and unit else number
    if not unit and 0 < number < 1:
        raise UsageError(f"{where}: {given!r} may be a share or a percentage; write {number * 100:g}% or {number:g}%")
    return number / 100
