"""What GitHub Actions shows of a plan: the step summary, the outputs of the step, and annotations.

Text that a file gave becomes no markup, no workflow command and no further output: it is made one line, escaped as the
runner asks, and the runner's old `##[command]` form, which it obeys anywhere in a line, is taken apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from app.reports import diff, markdown
from app.reports.gates import LEVELS, gates_of, outcome_of, sentence
from app.reports.outline import result
from app.reports.outline import sentence as found_sentence
from app.reports.paper import without_walk_away
from app.reports.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.reports.gates import Gate
    from app.reports.planfile import Approval, PlanFile
    from optimizer.compare import Comparison

MARKER = "<!-- tranche:plan -->"
"""By which a comment is found again, to be updated instead of added to."""
MOST_BYTES = 60_000  # GitHub refuses a comment above 65,536 characters, and a summary above 1 MiB
ROOM = 200  # bytes kept for what is said where a summary is cut
MOST_ANNOTATIONS = 10  # of each level; GitHub drops what a step says beyond that


def summary(
    plan: PlanFile, compared: tuple[PlanFile, Comparison, Approval] | None = None, *, walk_away: bool = False
) -> str:
    """Return the step summary: marker, headline, what changed, gates, the plan; at most 60 kB, cut from its end.

    Everybody who may read the repository may read it: quotes and what they are worth stay out unless asked for.
    """
    shown = plan if walk_away else msgspec.structs.replace(without_walk_away(plan), walk_away=[])
    headline, _, body = markdown.render(shown).partition("\n\n")
    changed = "" if compared is None else diff.as_markdown(compared[0], plan, compared[1], compared[2]).strip()
    blocks = [changed.replace("###", "####", 1), body]
    return fitted(f"{MARKER}\n{headline}", "\n\n".join(block for block in blocks if block))


def fitted(head: str, body: str, *, most: int = MOST_BYTES) -> str:
    """Return head and body in at most so many bytes: the head whole, of the body the first lines that fit."""
    lines = body.rstrip("\n").split("\n")
    left = most - len(head.encode()) - ROOM
    kept = 0
    for line in lines:
        left -= len(line.encode()) + 1
        if left < 0:
            break
        kept += 1
    if kept == len(lines):
        return f"{head}\n\n{body.rstrip()}\n"
    text = "\n".join(lines[:kept])
    closing = "\n\n</details>" * (text.count("<details>") - text.count("</details>"))
    return (
        f"{head}\n\n{text}{closing}\n\n_{len(lines) - kept:,} further lines do not fit here; the plan file has all._\n"
    )


def workflow_commands(plan: PlanFile) -> list[str]:
    """Return at most ten workflow commands: gates that failed or warn, then warnings, then the result."""
    gates = sorted((gate for gate in gates_of(plan) if gate.outcome in LEVELS), key=lambda gate: gate.outcome)
    said = [(LEVELS[gate.outcome], f"gate {gate.name}", sentence(gate, plan.currency)) for gate in gates]
    said += [("warning", one.code, found_sentence(one)) for one in plan.diagnostics if one.level == "warning"]
    if len(said) >= MOST_ANNOTATIONS:
        left = len(said) - (MOST_ANNOTATIONS - 2)
        said = [*said[: MOST_ANNOTATIONS - 2], ("warning", "more", f"{left:,} more are in the step summary")]
    return [_command(*one) for one in (*said, ("notice", "GPU plan", result(plan)))]


def outputs(plan: PlanFile, *, path: str | None, compared: Comparison | None) -> str:
    """Return the outputs of the step, a line each; unknown figures are empty."""
    gates = gates_of(plan)
    values = {
        "plan": path or "",
        "headline": result(plan),
        "cost": plan.summary.cost,
        "savings": plan.summary.savings or "",
        "currency": plan.currency,
        "gates": outcome_of(gates),
        "failed-gates": ",".join(_names(gates)),
        "differs": "" if compared is None else str(compared.differs).lower(),
        "difference": "" if compared is None else f"{compared.difference:.2f}",
    }
    return "".join(f"{name}={plain(value)}\n" for name, value in values.items())


def _names(gates: Sequence[Gate]) -> list[str]:
    return [gate.name for gate in gates if gate.outcome == "failed"]


def _command(level: str, title: str, message: str) -> str:
    """Write a workflow command; a property may hold neither colon nor comma.

    >>> _command("error", "gate a:b", "100 % used")
    '::error title=gate a%3Ab::100 %25 used'
    """
    name = _data(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={name}::{_data(message)}"


def _data(text: str) -> str:
    return plain(text).replace("%", "%25").replace("##[", "## [")
