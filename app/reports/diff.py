"""The difference between two plans, as text, Markdown and JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from app.reports.markdown import escaped
from app.reports.outline import span
from app.reports.planfile import decimal, harmless, number
from app.reports.text import UNKNOWN, columns, count, money, percent, plain, rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.reports.planfile import Approval, PlanFile
    from optimizer.compare import Change, Comparison, Part

SHOWN = 40  # changes that a person is shown; JSON holds all
WHY = ("Cause", "Cost", "How")
WHAT = ("What", "Name", "Before", "After")


def headline(old: PlanFile, new: PlanFile, found: Comparison) -> str:
    """Say in one line what the cost does."""
    before, after = (money(plan.summary.cost, plan.currency) for plan in (old, new))
    if not found.difference:
        return f"{after}, as before" + ("" if found.differs else ": nothing differs")
    share = float(found.difference) / float(old.summary.cost) if float(old.summary.cost) else None
    step = money(str(abs(found.difference)), new.currency)
    more = "more" if found.difference > 0 else "less"
    said = f" ({percent(abs(share))})" if share is not None else ""
    return f"{before} to {after}: {step} {more}{said}"


def as_table(old: PlanFile, new: PlanFile, found: Comparison, approval: Approval, *, width: int) -> str:
    """Return the report as plain text."""
    blocks = [
        [f"GPU plan: {headline(old, new, found)}", *_spans(old, new), *_approved(approval)],
        _titled("Why", WHY, [_part_cells(part, new.currency) for part in found.parts], width),
        _titled("What changed", WHAT, [_change_cells(change, new.currency) for change in _first(found)], width),
        _more(found),
    ]
    return "\n\n".join("\n".join(plain(line) for line in block) for block in blocks if block) + "\n"


def as_markdown(old: PlanFile, new: PlanFile, found: Comparison, approval: Approval) -> str:
    """Return the report as Markdown; nothing that a file says becomes markup."""
    blocks = [
        f"### GPU plan: {escaped(headline(old, new, found))}",
        "  \n".join(escaped(line) for line in (*_spans(old, new), *_approved(approval))),
        _rows("Why", WHY, [_part_cells(part, new.currency) for part in found.parts]),
        _rows("What changed", WHAT, [_change_cells(change, new.currency) for change in _first(found)]),
        *_more(found),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def as_json(old: PlanFile, new: PlanFile, found: Comparison, approval: Approval) -> str:
    """Return everything, money as decimal strings."""
    document = {
        "currency": new.currency,
        "differs": found.differs,
        "old": _side(old) | {"approval": {"status": approval.status, "by": approval.by, "date": approval.date}},
        "new": _side(new),
        "difference": decimal(float(found.difference)),
        "causes": list(found.causes),
        "parts": [
            {"cause": part.cause, "amount": decimal(float(part.usd)), "because": part.because} for part in found.parts
        ],
        "changes": [
            {
                "what": change.what,
                "name": change.name,
                "before": _value(change.before),
                "after": _value(change.after),
                "unit": change.unit,
            }
            for change in found.changes
        ],
    }
    return harmless(json.dumps(document, indent=2, ensure_ascii=False)) + "\n"


def _side(plan: PlanFile) -> dict[str, object]:
    summary = plan.summary
    return {"created": plan.created, "cost": summary.cost, "hours": summary.hours, "gpu_hours": summary.gpu_hours}


def _value(value: float | str | None) -> float | str | None:
    return number(value) if isinstance(value, float | int) else value


def _spans(old: PlanFile, new: PlanFile) -> list[str]:
    said = [f"{plan.inputs.options.start[:10]} to {plan.inputs.options.end[:10]}, {span(plan)}" for plan in (old, new)]
    return [said[1]] if said[0] == said[1] else [f"old: {said[0]}", f"new: {said[1]}"]


def _approved(approval: Approval) -> list[str]:
    if approval.status == "draft":
        return ["the old plan is a draft"]
    return [f"the old plan was approved by {approval.by} on {(approval.date or UNKNOWN)[:10]}"]


def _first(found: Comparison) -> Sequence[Change]:
    return found.changes[:SHOWN]


def _more(found: Comparison) -> list[str]:
    left = len(found.changes) - SHOWN
    return [f"{left:,} further changes; --format json has them all"] if left > 0 else []


def _part_cells(part: Part, currency: str) -> list[str]:
    return [part.cause, _signed(money(str(part.usd), currency)), part.because]


def _change_cells(change: Change, currency: str) -> list[str]:
    return [change.what, change.name, *(_side_of(change, value, currency) for value in (change.before, change.after))]


def _side_of(change: Change, value: float | str | None, currency: str) -> str:
    if value is None:
        return "none"
    if isinstance(value, str):
        return value
    if change.what == "price":
        return rate(decimal(value), currency)
    if change.unit == "an hour":
        return f"{money(decimal(value), currency)} {change.unit}"
    return f"{count(value)} {change.unit}".rstrip()


def _signed(amount: str) -> str:
    return amount if amount.startswith("-") else f"+{amount}"


def _titled(title: str, titles: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    return [title, *(f"  {line}" for line in columns(titles, rows, width=width - 2))] if rows else []


def _rows(title: str, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *([escaped(cell) for cell in row] for row in rows)]
    return f"**{title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) if rows else ""
