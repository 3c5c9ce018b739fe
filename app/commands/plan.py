"""`tranche plan`: usage and offers -> the plan, which then has to pass the gates."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app import saving
from app.commands import gate_options, options
from app.commands.planning import planned
from app.diagnostics import ExitCode

if TYPE_CHECKING:
    from app.diagnostics import Voice
    from app.gate_rules import Rules
    from app.reports.planfile import Approval, PlanFile
    from app.session import Session
    from optimizer.compare import Comparison
    from optimizer.plan import Plan

    Compared = tuple[PlanFile, Comparison, Approval]


@click.command()
@options.input_options
@options.format_option(*options.FORMATS)
@click.option("--out", metavar="FILE", help="Also write the plan here: .json is the plan file; .csv, .md and .txt too.")
@click.option("--sensitivity", is_flag=True, help="Also keep what is bought at 10 and 20 % more and less demand.")
@gate_options.gate_options
@options.voice_options
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    form: str,
    out: str | None,
    sensitivity: bool,
    **given: Any,  # noqa: ANN401 - click's own
) -> ExitCode:
    """Plan what to buy for the GPU-hours in USAGE, CSV or Parquet files; with none, for the demo.

    Gates, here or in [gates] and [budgets] of tranche.toml, are judged once the plan is written: where one fails, the
    exit code is 3.
    """
    voice = options.voice_of(context)
    out_form = options.check_out(out)
    limits, asked = gate_options.taken_from(given)
    rules = saving.rules_of(given["config"], limits, warn_only=asked["warn_only"])
    against = _against(asked["against"])
    session, plan, file = planned(voice, given, form)
    file = _at_other_demand(session, plan, file, voice) if sensitivity else file
    file, compared = _judged(rules, session, file, against, voice)
    text = options.rendered(file, form, width=options.terminal_width())
    if out is not None and out_form is not None:
        options.write_out(out, saving.content_of(file, out_form), voice)
    options.emit(text)
    if asked["github"]:
        _tell_github(file, compared, out, voice)
    failed = _say_gates(file, rules, voice)
    if failed and not rules.warn_only:
        return ExitCode.GATE_FAILED
    differs = compared is not None and compared[1].differs
    return ExitCode.DIFFERS if asked["detailed_exitcode"] and differs else ExitCode.DONE


def _at_other_demand(session: Session, plan: Plan, file: PlanFile, voice: Voice) -> PlanFile:
    """Return the plan with what it comes to where the demand is another."""
    import msgspec

    from app.reports.document import differing

    with voice.waiting("trying other demand"):
        return msgspec.structs.replace(file, sensitivity=differing(session.sensitivity(plan)))


def _against(path: str | None) -> tuple[PlanFile, Approval] | None:
    from app.reports.approval import read

    return None if path is None else read(Path(path))


def _judged(
    rules: Rules, session: Session, file: PlanFile, against: tuple[PlanFile, Approval] | None, voice: Voice
) -> tuple[PlanFile, Compared | None]:
    """Return the plan with what the gates say, and what it is compared with."""
    from app.comparing import comparison
    from app.reports.diff import headline

    old = None if against is None else against[0]
    _say_unjudged(rules, old, voice)
    with voice.waiting("judging"):
        file = saving.gated(rules, session, file, old)
    if against is None:
        return file, None
    found = comparison(against[0], file)
    voice.say("note", f"compared with the plan of --against: {headline(against[0], file, found)}")
    return file, (against[0], found, against[1])


def _say_unjudged(rules: Rules, against: PlanFile | None, voice: Voice) -> None:
    from app.gate_rules import COMPARES

    for gate in COMPARES:
        if against is None and gate in rules.limits:
            voice.say("note", f"gate fail-{gate} of the settings is not judged; name a plan with --against")


def _say_gates(file: PlanFile, rules: Rules, voice: Voice) -> bool:
    """Say which gates fail or warn; return whether one fails."""
    from app.reports.gates import LEVELS, gates_of, outcome_of, sentence

    gates = gates_of(file)
    for gate in gates:
        if gate.outcome in LEVELS:
            voice.say("warning" if rules.warn_only else LEVELS[gate.outcome], sentence(gate, file.currency))
    return outcome_of(gates) == "failed"


def _tell_github(file: PlanFile, compared: Compared | None, out: str | None, voice: Voice) -> None:
    from app.reports import github

    _append("GITHUB_STEP_SUMMARY", github.summary(file, compared), voice)
    outputs = github.outputs(file, path=out, compared=None if compared is None else compared[1])
    _append("GITHUB_OUTPUT", outputs, voice)
    for line in github.workflow_commands(file):
        sys.stderr.write(f"{line}\n")


def _append(variable: str, text: str, voice: Voice) -> None:
    """Add text to the file that an environment variable names, as GitHub asks."""
    path = os.environ.get(variable)
    if not path:
        voice.say("warning", f"{variable} is not set: this is no step of GitHub Actions, and nothing was written there")
        return
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        voice.say("warning", f"{variable}: {path} cannot be written ({error.strerror}); check the path")
