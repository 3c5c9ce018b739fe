"""What the gates said, as a plan file holds it and as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from app.reports.planfile import Record, decimal, number
from app.reports.text import UNKNOWN, count, money, percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from app.reports.planfile import PlanFile
    from optimizer.gates import Verdict

TITLES = ("Gate", "Outcome", "Of", "Value", "Limit")
LEVELS = {"failed": "error", "warned": "warning"}


class Gate(Record, frozen=True):
    """One gate: outcome is passed, warned or failed; unit is money, share, days or months; value is null if unknown."""

    name: str
    outcome: str
    unit: str
    limit: str | float
    value: str | float | None
    about: str


def recorded(verdicts: Iterable[Verdict]) -> list[dict[str, Any]]:
    """Return the gates as a plan file holds them."""
    return [msgspec.to_builtins(_gate(verdict)) for verdict in verdicts]


def gates_of(plan: PlanFile) -> list[Gate]:
    """Return the gates of a plan file; what another program wrote there and is none is passed over."""
    found = []
    for gate in plan.gates:
        try:
            found.append(msgspec.convert(gate, Gate, from_attributes=True))
        except msgspec.ValidationError:
            continue
    return found


def outcome_of(gates: Sequence[Gate]) -> str:
    """Return the worst outcome; `none` where there are no gates."""
    outcomes = {gate.outcome for gate in gates}
    return next((one for one in ("failed", "warned", "passed") if one in outcomes), "none")


def cells(plan: PlanFile) -> list[tuple[str, ...]]:
    """Return the gates under `TITLES`, those that failed first."""
    gates = sorted(gates_of(plan), key=lambda gate: gate.outcome != "failed")
    return [
        (
            gate.name,
            gate.outcome,
            gate.about,
            *(shown(side, gate.unit, plan.currency) for side in (gate.value, gate.limit)),
        )
        for gate in gates
    ]


def sentence(gate: Gate, currency: str) -> str:
    """Write a gate in one line: its name, its outcome, its value and its limit."""
    value, limit = shown(gate.value, gate.unit, currency), shown(gate.limit, gate.unit, currency)
    said = "cannot be measured or has no bound" if value == UNKNOWN else f"is {value}"
    return f"gate {gate.name} {gate.outcome}: {gate.about} {said}; the limit is {limit}"


def shown(value: str | float | None, unit: str, currency: str) -> str:
    """Write the value or the limit of a gate.

    >>> shown("1552.00", "money", "USD"), shown(0.1, "share", "USD"), shown(30.0, "days", "USD")
    ('$1,552.00', '10 %', '30 days')
    """
    if value is None:
        return UNKNOWN
    if unit == "money":
        return money(decimal(float(value)), currency)
    return percent(float(value)) if unit == "share" else f"{count(float(value))} {unit}"


def _gate(verdict: Verdict) -> Gate:
    in_money = verdict.unit == "money"
    limit = decimal(verdict.limit) if in_money else number(verdict.limit)
    return Gate(
        name=verdict.gate,
        outcome=verdict.outcome,
        unit=verdict.unit,
        limit=limit or 0.0,
        value=decimal(verdict.value) if in_money else number(verdict.value),
        about=verdict.about,
    )
