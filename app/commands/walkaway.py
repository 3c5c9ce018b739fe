"""`tranche walkaway`: the highest price worth paying for every quote, with its proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from app.commands import options
from app.commands.planning import planned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.reports.planfile import PlanFile
    from optimizer.walkaway import Flip


@click.command()
@options.input_options
@options.format_option(*options.FORMATS)
@options.voice_options
@click.pass_context
def command(context: click.Context, /, *, form: str, **given: Any) -> None:  # noqa: ANN401 - click's own
    """Find the highest price worth paying for every quote, and prove it by buying just below and not just above."""
    voice = options.voice_of(context)
    session, plan, file = planned(voice, given, form)
    if not plan.walk_away:
        voice.say("warning", "there is no quote among the offers; add one with --offer, or mark one status=quote")
    with voice.waiting("proving each price by solving again"):
        proofs = session.proofs(plan)
    options.emit(_rendered(file, proofs, form))


def _rendered(plan: PlanFile, proofs: Sequence[Flip | None], form: str) -> str:
    from app.reports import quotes

    said = [quotes.proof_text(proof, plan.currency) for proof in proofs]
    if form == "json":
        return quotes.as_json(plan, proofs)
    if form == "csv":
        return quotes.as_csv(plan, said)
    return quotes.as_markdown(plan, said) if form == "md" else quotes.as_table(plan, said, options.terminal_width())
