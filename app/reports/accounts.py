"""What became of the bills, in each form: the reconciliation, and the table rolled up by teams or anything else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from app.reports import csv
from app.reports.planfile import decimal, harmless, number
from app.reports.text import UNKNOWN, columns, count, money, percent, plain
from optimizer.rollup import SUMS, rolled_up

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

    from app.accounts import Accounts
    from optimizer.reconcile import Reconciliation

TITLES = {
    "idle": "Idle",
    "system": "Cluster's own",
    "unsupported": "Not split by the provider",
    "unmatched": "Claims without a machine",
    "unused_commitment": "Unused commitments",
    "commitment_payment": "Commitment payments",
    "tax": "Tax",
    "credit": "Credits and refunds",
    "rounding": "Rounding",
    "other": "Without a GPU",
}
READ = ("Source", "Period", "Files", "Left out", "Export")
LINES = ("source", "currency", "line", "amount")
UNTAGGED = "(untagged)"


def as_table(accounts: Accounts, by: Sequence[str], *, width: int) -> str:
    """Return the report as text for a terminal."""
    blocks = [
        _read(accounts, width),
        *(_bill(one, width) for one in accounts.reconciliations),
        _rolled(accounts.usage, by, width) if by else [],
    ]
    return "\n\n".join("\n".join(plain(line) for line in block) for block in blocks if block) + "\n"


def as_json(accounts: Accounts, by: Sequence[str]) -> str:
    """Return the report as JSON; money is decimal text, null is unknown."""
    said: dict[str, Any] = {
        "deliveries": [_delivery(one) for one in accounts.deliveries],
        "reconciliation": [_figures(one) for one in accounts.reconciliations],
        "by": [_record(row) for row in rolled_up(accounts.usage, by).iter_rows(named=True)] if by else [],
        "diagnostics": [
            {"level": one.level, "code": one.code, "message": one.message, "hint": one.hint, "where": one.where}
            for one in accounts.diagnostics
        ],
    }
    return harmless(json.dumps(said, indent=2, ensure_ascii=False)) + "\n"


def as_csv(accounts: Accounts, by: Sequence[str]) -> str:
    """Return the roll-up as CSV, or without one the lines of the reconciliation."""
    if by:
        rows = [_record(row) for row in rolled_up(accounts.usage, by).iter_rows(named=True)]
        return csv.write((*by, "residual", *SUMS), rows)
    lines = [
        {"source": one.source, "currency": one.currency, "line": name, "amount": amount}
        for one in accounts.reconciliations
        for name, amount in _amounts(one)
    ]
    return csv.write(LINES, lines)


def _read(accounts: Accounts, width: int) -> list[str]:
    rows = [
        [one.kind, one.period or UNKNOWN, count(len(one.files)), count(len(one.left_out)), one.name]
        for one in accounts.deliveries
    ]
    return _titled("Read", READ, rows, width) if rows else []


def _bill(one: Reconciliation, width: int) -> list[str]:
    """Lay out one bill: what was billed, where it went, and what is missing; of a live source only what it knows."""
    amounts = [line for line in _amounts(one) if one.is_bill or line[0] == "list"]
    rows = [[_title(name), money(amount, one.currency), _share(name, one)] for name, amount in amounts]
    head, *lines = columns(("", "Amount", "Share"), rows, width=width - 2)
    hours = f"GPU-hours: {count(one.gpu_hours)} allocated, {_used(one)}{count(one.idle_gpu_hours)} idle"
    about = f"{count(one.rows)} rows, {one.currency}" if one.rows else "live, no bill"
    return [f"{one.source}: {about}", *(f"  {line}" for line in (head, *lines, hours))]


def _amounts(one: Reconciliation) -> Iterator[tuple[str, str | None]]:
    """Name each line of a reconciliation, in order, with its amount as decimal text."""
    yield "billed", decimal(one.billed)
    yield "timing", decimal(one.timing)
    yield "effective", decimal(one.effective)
    yield "allocated", decimal(one.allocated)
    yield from ((name, decimal(amount)) for name, amount in one.residuals.items())
    yield "list", decimal(one.list_cost)
    yield "difference", decimal(one.difference)


def _title(name: str) -> str:
    fixed = {
        "billed": "Billed",
        "timing": "Of it for other hours",
        "effective": "Cost of these hours",
        "allocated": "  Workloads",
        "list": "At list price",
        "difference": "Difference",
    }
    return fixed.get(name) or f"  {TITLES[name]}"


def _share(name: str, one: Reconciliation) -> str:
    parts = {"allocated": one.allocated, **one.residuals}
    return percent(parts[name] / one.effective) if name in parts and one.effective else ""


def _used(one: Reconciliation) -> str:
    if one.gpu_hours_used is None:
        return ""
    share = f" ({percent(one.gpu_hours_used / one.metered_gpu_hours)} of what is measured)"
    return f"{count(one.gpu_hours_used)} used{share if one.metered_gpu_hours else ''}, "


def _rolled(usage: pl.DataFrame, by: Sequence[str], width: int) -> list[str]:
    currency = str(usage["currency"].drop_nulls().first() or "USD")
    rows = [
        [
            *_names(row, by),
            count(row["gpu_hours"]),
            count(row["gpu_hours_used"]) if row["gpu_hours_used"] is not None else UNKNOWN,
            money(decimal(row["effective_cost"]), currency),
            money(decimal(row["list_cost"]), currency),
        ]
        for row in rolled_up(usage, by).iter_rows(named=True)
    ]
    titles = (*map(_heading, by), "GPU-hours", "Used", "Cost", "At list")
    return _titled(f"By {', '.join(by)}", titles, rows, width)


def _names(row: dict[str, Any], by: Sequence[str]) -> list[str]:
    """Name a row: work that nobody tagged says so, and what belongs to no workload says why in its first cell."""
    if row["residual"] is None:
        return [UNTAGGED if row[name] is None else str(row[name]) for name in by]
    names = ["" if row[name] is None else str(row[name]) for name in by]
    why = TITLES[row["residual"]]
    return [f"{names[0]} ({why[0].lower()}{why[1:]})".strip(), *names[1:]]


def _heading(name: str) -> str:
    """Return the title of a dimension: gpu_model as GPU model."""
    words = name.replace("_", " ")
    return f"GPU{words[3:]}" if words.startswith("gpu") else words[:1].upper() + words[1:]


def _titled(title: str, titles: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    return [title, *(f"  {line}" for line in columns(titles, rows, width=width - 2))]


def _delivery(one: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "kind": one.kind,
        "period": one.period,
        "export": one.name,
        "created": one.created,
        "files": [file.name for file in one.files],
        "left_out": list(one.left_out),
    }


def _figures(one: Reconciliation) -> dict[str, Any]:
    return {
        "source": one.source,
        "currency": one.currency,
        "rows": one.rows,
        **{name: amount for name, amount in _amounts(one) if name not in one.residuals},
        "residuals": {name: decimal(amount) for name, amount in one.residuals.items()},
        "gpu_hours": number(one.gpu_hours),
        "gpu_hours_used": number(one.gpu_hours_used),
        "idle_gpu_hours": number(one.idle_gpu_hours),
        "holds": one.holds,
    }


def _record(row: dict[str, Any]) -> dict[str, Any]:
    """Return one row of a roll-up: hours as numbers, money as decimal text, everything else as it is."""
    money_columns = {name for name in SUMS if name.endswith("cost")}
    return {
        name: decimal(value) if name in money_columns else number(value) if name in SUMS else value
        for name, value in row.items()
    }
