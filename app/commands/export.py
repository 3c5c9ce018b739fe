"""`tranche export`: a plan that was written, as the document that procurement, finance or a CI job asks for.

Allocated cost has one form, FOCUS: `tranche export usage.parquet --to focus`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from app.commands import options
from app.diagnostics import UsageError

if TYPE_CHECKING:
    from app.reports.finance import Terms
    from app.reports.planfile import PlanFile

FORMS = ("md", "html", "xlsx", "csv", "json", "focus", "github", "orders")
TABLES = (".parquet", ".csv")
"""How names of usage tables end; anything else is a plan file."""
VERSIONS = ("1.2", "1.3", "1.4")


@click.command()
@click.argument("plan")
@click.option("--to", "form", type=click.Choice(FORMS), required=True, help="The form of the document.")
@click.option("--out", metavar="FILE", help="Write it here; else to stdout.")
@click.option(
    "--cost-of-capital", "capital", metavar="SHARE", default="8%", show_default=True, help="A year, for present value."
)
@click.option("--private-discount", "discount", metavar="SHARE", help="What private pricing takes off on demand.")
@click.option("--walk-away", is_flag=True, help="Say what each offer is worth to us; else that stays out.")
@click.option(
    "--focus",
    type=click.Choice(VERSIONS),
    default="1.3",
    show_default=True,
    help="The version for --to focus: 1.3 or 1.4 of a plan's commitments, 1.2 or 1.3 of what usage cost.",
)
@options.voice_options
@click.pass_context
def command(  # noqa: PLR0913 - a parameter an option
    context: click.Context,
    /,
    *,
    plan: str,
    form: str,
    out: str | None,
    capital: str,
    discount: str | None,
    walk_away: bool,
    focus: str,
) -> None:
    """Export PLAN, a file that `tranche plan --out` wrote, as a document; nothing is solved again.

    With --to focus, PLAN may be a table that `tranche usage --out` wrote instead: its cost by workload and team.
    """
    from app.reports.document import read
    from app.reports.finance import Terms
    from app.reports.paper import without_walk_away

    terms = Terms(
        cost_of_capital=share_of(capital, option="--cost-of-capital"),
        private_discount=None if discount is None else share_of(discount, option="--private-discount"),
    )
    if out is not None:
        check_place(out)
    elif form == "xlsx":
        raise UsageError("--to xlsx: a workbook is no text for stdout; name a file with --out")
    if Path(plan).suffix.lower() in TABLES:
        content = _costs(plan, form, focus)
    else:
        file = read(Path(plan))
        file = file if walk_away else without_walk_away(file)
        content = exported(file, form, terms, walk_away=walk_away, focus=_of_plan(form, focus))
    if out is None:
        options.emit(content.decode())
    else:
        options.write_out(out, content, options.voice_of(context))


def exported(plan: PlanFile, form: str, terms: Terms, *, walk_away: bool, focus: Literal["1.3", "1.4"]) -> bytes:
    """Return a plan in one of the `FORMS`.

    Raises:
        InputError: the plan file says what no plan can.
    """
    from app.reports import csv, github, orders, planfile
    from app.reports import focus as contracts

    if form == "json":
        return planfile.encode(plan)
    if form == "csv":
        return csv.render(plan).encode()
    if form == "orders":
        return orders.render(plan).encode()
    if form == "github":
        return github.summary(plan, walk_away=walk_away).encode()
    if form == "focus":
        return contracts.render(plan, focus).encode()
    return _document(plan, form, terms, walk_away=walk_away)


def _of_plan(form: str, focus: str) -> Literal["1.3", "1.4"]:
    if focus == "1.2" and form == "focus":
        raise UsageError("--focus 1.2: has no commitments; write 1.3 or 1.4, or give a usage table for its cost")
    return "1.4" if focus == "1.4" else "1.3"


def _costs(table: str, form: str, focus: str) -> bytes:
    """Return what usage cost, by hour, workload and team.

    Raises:
        InputError: it is no usage table, or a row has no cost.
        UsageError: it was asked for in another form or version.
    """
    name = Path(table).name
    if form != "focus":
        raise UsageError(f"--to {form}: {name} is a table and no plan file; write --to focus for what its usage cost")
    if focus == "1.4":
        raise UsageError("--focus 1.4: what usage cost is written as 1.2 or 1.3; 1.4 is for a plan's commitments")
    from app.reports import focus_costs
    from providers.files import read
    from providers.tables import USAGE

    usage = read(table, USAGE, one_currency=False).frame
    return focus_costs.render(usage, "1.2" if focus == "1.2" else "1.3", where=name).encode()


def _document(plan: PlanFile, form: str, terms: Terms, *, walk_away: bool) -> bytes:
    from app.reports import html, paper_markdown, xlsx
    from app.reports.finance import finance_of
    from app.reports.paper import paper_of

    paper = paper_of(plan, finance_of(plan, terms), walk_away=walk_away)
    if form == "xlsx":
        return xlsx.render(paper)
    return (html.render(paper) if form == "html" else paper_markdown.render(paper)).encode()


def share_of(text: str, *, option: str) -> float:
    """Read a share such as 8% or 0.08.

    Raises:
        UsageError: it is none, or not between 0 and 100 %.
    """
    number = text.strip()
    try:
        share = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise UsageError(f"{option}: {text!r} is no share between 0 and 100 %; write 8% or 0.08")
    return share


def check_place(out: str) -> None:
    """Refuse a file that cannot be written, before anything is computed.

    Raises:
        UsageError: it is a directory, or its directory does not exist.
    """
    path = Path(out)
    if path.is_dir():
        raise UsageError(f"--out {path.name}: is a directory; name a file in it")
    if not path.parent.is_dir():
        raise UsageError(f"--out {path.name}: its directory does not exist; create it first")
