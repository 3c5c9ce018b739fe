"""The options of `tranche plan` that compare and that gate; nothing heavy is imported, so that help is instant."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any, TypeVar

import click

from app.commands import options
from app.diagnostics import UsageError
from app.gate_rules import COMPARES, KINDS, limit_of

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")
GATES = {
    "over": ("USD", "The plan costs more than this over the hours planned."),
    "increase": ("PCT", "An hour planned costs more than in --against, by more than this."),
    "savings_missed": ("USD", "What is decided already (owned, and --against) costs more than the plan, by more."),
    "stale": ("DAYS", "The usage, or the prices of some source, are older."),
    "untagged": ("PCT", "More of the usage lacks a tag, team or what [gates] tags says."),
    "utilization_below": ("PCT", "Less of the committed hours is used."),
    "break_even_above": ("MONTHS", "A purchase takes longer to earn back what it costs at the start."),
    "expiring_within": ("DAYS", "Something owned ends so soon."),
}


def gate_options(command: F) -> F:
    """Add --against, the gates, --warn-only, --detailed-exitcode and --github."""
    gates = [
        click.option(f"--fail-{gate.replace('_', '-')}", f"fail_{gate}", metavar=metavar, help=f"Fail where: {help_}")
        for gate, (metavar, help_) in GATES.items()
    ]
    return reduce(
        lambda wrapped, option: option(wrapped),
        reversed(
            [
                click.option("--against", metavar="PLAN", help="Compare with this plan, such as the one approved."),
                *gates,
                click.option("--warn-only", is_flag=True, help="Say which gates fail, and exit as if none did."),
                options.detailed_exitcode_option,
                click.option(
                    "--github", is_flag=True, help="Also write GitHub's step summary, step outputs and annotations."
                ),
            ]
        ),
        command,
    )


def taken_from(given: dict[str, Any]) -> tuple[dict[str, float], dict[str, Any]]:
    """Take the gates out of the values of the options, and read their limits; and take the other options of this page.

    Raises:
        UsageError: a limit cannot be read, or an option needs --against.
    """
    texts = {gate: given.pop(f"fail_{gate}") for gate in KINDS}
    rest = {name: given.pop(name) for name in ("against", "warn_only", "detailed_exitcode", "github")}
    limits = {
        gate: limit_of(gate, text, where=f"--fail-{gate.replace('_', '-')}")
        for gate, text in texts.items()
        if text is not None
    }
    alone = [f"--fail-{gate}" for gate in COMPARES if gate in limits]
    alone += ["--detailed-exitcode"] if rest["detailed_exitcode"] else []
    if rest["against"] is None and alone:
        raise UsageError(f"{alone[0]} compares with another plan; name it with --against PLAN")
    return limits, rest
