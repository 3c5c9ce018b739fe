"""`[gates]` and `[budgets]` of `tranche.toml`: what a plan has to meet."""

from __future__ import annotations

import msgspec

from app.diagnostics import UsageError
from app.gate_rules import KINDS, Rules, limit_of, read

Amount = str | float


class GatesTable(msgspec.Struct, forbid_unknown_fields=True):
    """What a plan has to meet: amounts such as 2M, percentages such as 10%, days and months; as the options --fail-….

    tags: what a row of usage needs so as not to count as untagged. warn_only: a gate that fails only warns.
    """

    over: Amount | None = None
    increase: Amount | None = None
    savings_missed: Amount | None = None
    stale: Amount | None = None
    untagged: Amount | None = None
    utilization_below: Amount | None = None
    break_even_above: Amount | None = None
    expiring_within: Amount | None = None
    tags: tuple[str, ...] = ("team",)
    warn_only: bool = False


def rules_of(table: GatesTable, budgets: object, where: str) -> Rules:
    """Return the rules that the two tables make.

    Raises:
        UsageError: a limit or a budget cannot be read.
    """
    given = {name: value for name in KINDS if (value := getattr(table, name)) is not None}
    return Rules(
        limits={name: limit_of(name, value, where=f"{where}: [gates] {name}") for name, value in given.items()},
        tags=table.tags,
        budgets=_budgets(budgets, where),
        warn_only=table.warn_only,
    )


def _budgets(raw: object, where: str) -> dict[str, float]:
    try:
        given = msgspec.convert(raw, dict[str, Amount])
    except msgspec.ValidationError:
        remedy = 'write "team-a/*" = "300k", the most that those workloads may cost a month'
        raise UsageError(f"{where}: [budgets] holds something else than amounts; {remedy}") from None
    return {glob: read("money", amount, where=f"{where}: [budgets] {glob}") for glob, amount in given.items()}
