"""`tranche walkaway`: the highest price worth paying for every quote, with its proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from app.commands import options
from app.commands.planning import planned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.reports.planfile import PlanFile
    from optimizer.curve import Step
    from optimizer.walkaway import Flip


@click.command()
@click.option("--curve", is_flag=True, help="Also find how many GPUs of each quote are worth buying at each price.")
@click.option(
    "--solves", type=click.IntRange(1, 10_000), default=32, show_default=True, help="For each curve, at most so many."
)
@options.input_options
@options.format_option(*options.FORMATS)
@options.voice_options
@click.pass_context
def command(context: click.Context, /, *, form: str, **given: Any) -> None:  # noqa: ANN401 - click's own
    """Find the highest price worth paying for every quote, and prove it by buying just below and not just above."""
    voice = options.voice_of(context)
    curve, solves = given.pop("curve"), given.pop("solves")
    session, plan, file = planned(voice, given, form)
    if not plan.walk_away:
        voice.say("warning", "there is no quote among the offers; add one with --offer, or mark one status=quote")
    with voice.waiting("proving each price by solving again"):
        proofs = session.proofs(plan)
    with voice.waiting("finding how much to buy at each price"):
        curves = session.curves(plan, solves=solves) if curve else ()
        vendors = session.vendors(plan) if curve else {}
    options.emit(_rendered(file, proofs, form, curves, vendors))


def _rendered(
    plan: PlanFile,
    proofs: Sequence[Flip | None],
    form: str,
    curves: Sequence[Sequence[Step]],
    vendors: Mapping[str, float | None],
) -> str:
    from app.reports import quotes

    if form == "json":
        return quotes.as_json(plan, proofs, curves, vendors)
    said = [quotes.proof_text(proof, plan.currency) for proof in proofs]
    if curves:
        prices = [float(quote.quoted_usd_per_gpu_hour) for quote in plan.walk_away]
        shown = [quotes.curve_text(*one, plan.currency) for one in zip(curves, prices, strict=True)]
        said = [text + more for text, more in zip(said, shown, strict=True)]
        said = quotes.with_vendors(plan, said, vendors)
    if form == "csv":
        return quotes.as_csv(plan, said)
    return quotes.as_markdown(plan, said) if form == "md" else quotes.as_table(plan, said, options.terminal_width())
