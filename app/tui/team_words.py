"""The accounts of teams in words: beside the titles of the panes, and the row under the cursor in full."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from app.tui import words
from app.tui.glyphs import chosen
from app.tui.teams import Gap, Line, Waste

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from app.tui.teams import Accounts, Books, Policy, Told, UnitCost
    from optimizer.burn import BudgetState

POLICIES: Mapping[Policy, str] = {
    "showback": "showback: shared costs stay apart",
    "proportional": "proportional: shared costs by own cost",
    "even": "even: shared costs the same for each team",
}
RESIDUALS = {
    "idle": "GPUs that nobody asked for",
    "system": "what keeps clusters running",
    "unsupported": "what the provider does not split",
    "unmatched": "claims on machines not on the bill",
    "unused_commitment": "unused commitments",
    "commitment_payment": "payments for commitments",
    "tax": "tax",
    "credit": "credits and refunds",
    "rounding": "rounding",
    "other": "what has no GPU",
}
NO_TEAM, NO_WORKLOAD, SHARED, TOTAL = "no team", "no workload", "shared, of no team", "Total"
UNMEASURED = (
    "Nobody measured how busy the GPUs were, so nobody can say what was not used. To measure it, let Prometheus scrape "
    "NVIDIA's DCGM exporter (DCGM_FI_PROF_GR_ENGINE_ACTIVE), and read it with\n"
    "tranche usage prometheus+http://HOST:9090 --window 7d --out usage.parquet"
)


def cents(amount: int | None) -> str:
    """Write an amount to the cent."""
    return words.UNKNOWN if amount is None else f"{amount / 100:,.2f}"


def label(line: Line) -> str:
    """Name a line."""
    if line.kind == "total":
        return TOTAL
    if line.kind == "shared":
        return SHARED
    return of_team(line.team) if line.opens else of_workload(line.workload)


def of_team(team: str | None) -> str:
    """Name a team."""
    return words.name(team or "") or NO_TEAM


def of_workload(workload: str | None) -> str:
    """Name a workload; what a team pays for none is of a commitment, a tax or the like."""
    return words.name(workload or "") or NO_WORKLOAD


def provider(gap: Gap) -> str:
    """Name the provider of a gap."""
    return "all" if gap.everywhere else words.name(gap.provider or "") or "provider not named"


def budget(state: BudgetState | None) -> tuple[str, str]:
    """Say what share of a budget is spent, and whether that is ok, warn or over."""
    if state is None or state.share_now is None:
        return "", "ok"
    sign = {"warn": " near", "over": " over"}.get(state.state_now, "")
    share = "more" if state.share_now == float("inf") else words.share(state.share_now)
    return f"{share}{sign}", state.state_now


def of_showback(books: Books, accounts: Accounts, policy: Policy, team: Line | None, *, brief: bool) -> str:
    """Say what time the showback is of, how shared cost is paid, and that it adds up to the bill."""
    bill = _adds_up(books, accounts, policy, brief=brief)
    if team is not None:
        amounts = (f"{words.sign(books.currency)}{cents(amount)}" for amount in (team.total_cents, accounts.bill_cents))
        bill = " of ".join(amounts) if accounts.bill_cents is not None else bill
    when = f"{of_team(team.team)}, {accounts.period.name}" if team else accounts.period.name
    return f"{when} {policy}; {bill}" if brief else _joined([when, bill, _policy(accounts, policy)])


def _policy(accounts: Accounts, policy: Policy) -> str:
    return POLICIES[policy] if accounts.shared else f"{policy}: nothing is shared"


def _adds_up(books: Books, accounts: Accounts, policy: Policy, *, brief: bool) -> str:
    total, bill, sign = accounts.total(policy).total_cents, accounts.bill_cents, words.sign(books.currency)
    if bill is None:
        return "nothing of it has a price"
    if total != bill:
        return f"does not add up to the {books.basis}: off by {sign}{cents((total or 0) - bill)}"
    return f"= {sign}{cents(bill)}" if brief else f"adds up to the {books.basis}: {sign}{cents(bill)}"


def of_idle(accounts: Accounts, currency: str) -> str:
    """Say what is wasted in all, and how much of it anybody measured."""
    known = [waste.unused_usd for waste in accounts.wastes if waste.unused_usd is not None]
    if not accounts.wastes:
        return "nothing is measured" if accounts.gpu_hours else "nothing ran"
    share = accounts.measured_gpu_hours / accounts.gpu_hours if accounts.gpu_hours else 0.0
    measured = "" if share > 1 - 1e-9 else f", {words.share(share)} measured"
    return f"{words.money(sum(known), currency)} a month{measured}" if known else f"no price{measured}"


def of_gaps(accounts: Accounts) -> str:
    """Say which tags are missing."""
    lacking = [gap for gap in accounts.gaps if gap.everywhere and gap.gpu_hours > 0]
    return f"{len(lacking)} of {sum(gap.everywhere for gap in accounts.gaps)} tags have gaps"


def of_units(books: Books) -> str:
    """Say what is shown of unit costs."""
    return "latest month first" if len(books.months) > 1 else "of one month"


def detail(row: Told, books: Books, accounts: Accounts, policy: Policy) -> Text:
    """Tell a row in full."""
    if isinstance(row, Line):
        return line_detail(books, accounts, policy, row)
    if isinstance(row, Waste):
        return waste_detail(row, books.currency)
    return gap_detail(row, accounts, books.currency) if isinstance(row, Gap) else unit_detail(row, books)


def line_detail(books: Books, accounts: Accounts, policy: Policy, line: Line) -> Text:
    """Tell a line of the showback: what it costs, how shared cost came to it, and its budget."""
    sign, known = words.sign(books.currency), line.total_cents is not None
    parts = f" = {sign}{cents(line.direct_cents)} its own + {sign}{cents(line.shared_cents)} shared"
    facts = [
        f"{sign}{cents(line.total_cents)}{parts if line.shared_cents else ''}" if known else "no price",
        *([f"{line.gpu_hours:,.0f} GPU-hours"] if line.gpu_hours else []),
        *([f"{words.share(line.used_share)} of them used"] if line.used_share is not None else []),
        *_rates(line, sign),
    ]
    said = (_joined(list(_remarks(books, accounts, policy, line))), _shared(accounts, policy, books.currency))
    return _titled(label(line), facts).append("".join(f"\n{each}" for each in said if each))


def _remarks(books: Books, accounts: Accounts, policy: Policy, line: Line) -> Iterable[str]:
    budget_of = line.budget
    if budget_of is not None and budget_of.share_now is not None:
        of = words.money(budget_of.usd_per_month, books.currency)
        yield f"budget {words.name(budget_of.glob)}: {budget(budget_of)[0]} of {of} a month"
    if line.unpriced_gpu_hours:
        yield f"{line.unpriced_gpu_hours:,.0f} GPU-hours have no price and are in no amount"
    if line.kind == "total":
        yield _adds_up(books, accounts, policy, brief=False)


def _rates(line: Line, sign: str) -> list[str]:
    allocated, used = line.usd_per_gpu_hour, line.usd_per_used_gpu_hour
    if allocated is None:
        return []
    return [f"{sign}{words.rate(allocated)} each{f', {sign}{words.rate(used)} a used one' if used is not None else ''}"]


def _shared(accounts: Accounts, policy: Policy, currency: str) -> str:
    """Say what the shared costs are, and who pays them."""
    parts = [f"{RESIDUALS.get(what, words.name(what))} {words.money(usd, currency)}" for what, usd in accounts.shared]
    return f"{POLICIES[policy]} ({', '.join(parts)})" if parts else ""


def waste_detail(waste: Waste, currency: str) -> Text:
    """Tell what a workload does not use, and what it would save to give that back."""
    part = waste.unused_gpu_hours / waste.gpu_hours if waste.gpu_hours else None
    facts = [
        f"{waste.unused_gpu_hours:,.0f} of {waste.gpu_hours:,.0f} GPU-hours not used ({words.share(part)})",
        f"{words.money(waste.unused_usd, currency)} a month",
        f"{waste.quiet_hours:,.0f} hours with under 5 % activity",
    ]
    text = _titled(f"{of_team(waste.team)} {chosen().middle} {of_workload(waste.workload)}", facts)
    saved, unused = waste.saved_usd, waste.unused_usd
    if saved is None or unused is None:
        return text.append("\nIt has no price, so that nobody can say what it would save.")
    given = f"\nGiving back what is not used saves up to {words.money(saved, currency)} a month"
    rest = unused - saved
    kept = (
        f"; {words.money(rest, currency)} of it is committed and stays to be paid, free for others"
        if rest > 0.005
        else ""
    )
    return text.append(f"{given}{kept}.")


def gap_detail(gap: Gap, accounts: Accounts, currency: str) -> Text:
    """Tell what lacks a tag."""
    where = "" if gap.everywhere else f" at {provider(gap)}"
    if not gap.gpu_hours:
        return _titled(words.name(gap.tag), [f"all work{where} has it in {accounts.period.name}"])
    facts = [
        f"{words.money(gap.usd, currency)} of work{where} has none, {words.share(gap.usd_share)} of all",
        f"{gap.gpu_hours:,.0f} GPU-hours, {words.share(gap.gpu_hours_share)} of all",
        *([f"{words.share(gap.provider_share)} of its own GPU-hours"] if not gap.everywhere else []),
    ]
    text = _titled(f"{words.name(gap.tag)}", facts)
    return text.append(
        "\nTag it where it is billed, or name in [tags] of tranche.toml the tags and columns that fill it."
    )


def unit_detail(cost: UnitCost, books: Books) -> Text:
    """Tell the unit costs of a workload, month by month."""
    sign = words.sign(books.currency)
    each = [
        f"{month} {words.rate(allocated)}/{words.rate(used)}"
        for month, allocated, used in zip(books.months, cost.allocated, cost.used, strict=True)
        if allocated is not None
    ]
    facts = [f"{words.money(cost.usd, books.currency)} in all of {len(each)} month{'s' if len(each) != 1 else ''}"]
    text = _titled(f"{of_team(cost.team)} {chosen().middle} {of_workload(cost.workload)}", facts)
    return text.append(f"\n{sign} per allocated / used GPU-hour: {'  '.join(each)}")


def _titled(title: str, facts: Sequence[str]) -> Text:
    return Text.assemble((title, "bold"), "  ", _joined(facts))


def _joined(facts: Sequence[str]) -> str:
    return f" {chosen().middle} ".join(facts)
