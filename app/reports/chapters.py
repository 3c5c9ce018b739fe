"""The chapters of the plan document: what to buy, what it costs, what it rests on, what else was possible."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from app.reports.finance import purchase_break_even_months
from app.reports.outline import in_force, sentence, term
from app.reports.paper import Cell, Chapter, Column
from app.reports.record_chapters import demand_chapter, negotiation_chapters
from app.reports.risk_chapters import risk_chapters

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from app.reports.finance import Finance
    from app.reports.planfile import PlanFile, Purchase, Service

NOTICE = timedelta(days=90)
FALLS = (0.1, 0.2, 0.3)
OFTEN = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95)
ROLES = ("Requested by", "Owner of unused hours", "Cost centre", "Approved by finance", "Approved by technology")
BOUGHT = (
    Column(title="Offer"),
    Column(title="Provider"),
    Column(title="Region"),
    Column(title="GPU"),
    Column(title="Option"),
    Column(title="GPUs", kind="count"),
    Column(title="Term"),
    Column(title="Price", kind="rate"),
    Column(title="Price of use", kind="rate"),
    Column(title="Upfront", kind="money", summed=True),
    Column(title="Contract value", kind="money", summed=True),
    Column(title="Cost in the plan", kind="money", summed=True),
    Column(title="Used", kind="share"),
    Column(title="Break-even", kind="share"),
    Column(title="Break-even months", kind="count"),
    Column(title="Because"),
)


def chapters_of(plan: PlanFile, finance: Finance, *, walk_away: bool) -> Iterable[Chapter]:
    """Return the chapters in their order; one without rows has nothing to say."""
    note = "Prices per GPU-hour; the contract value is paid over the whole term, which may outlast the plan."
    yield _chapter("Buy", "What to buy", note, BOUGHT, map(_bought, plan.purchases))
    yield _chapter("Owned", "Owned already", "", BOUGHT, map(_bought, plan.commitments))
    yield _as_it_goes(plan)
    yield _spends(plan)
    yield _cash(finance)
    yield _owed(finance)
    yield _concentration(finance)
    yield _alternatives(plan)
    yield _falls(plan)
    yield demand_chapter(plan)
    yield from risk_chapters(plan)
    yield _offers(plan, walk_away=walk_away)
    yield from negotiation_chapters(plan, walk_away=walk_away)
    yield _load(plan)
    yield _workloads(plan)
    yield _inputs(plan)
    yield _chapter(
        "Notes", "Notes", "", (Column(title="Level"), Column(title="Note")),
        [(found.level, sentence(found)) for found in plan.diagnostics],
    )  # fmt: skip
    yield _approval(plan)


def _chapter(name: str, title: str, note: str, columns: Sequence[Column], rows: Iterable[tuple[Cell, ...]]) -> Chapter:
    return Chapter(name=name, title=title, note=note, columns=tuple(columns), rows=tuple(rows))


def _bought(bought: Purchase) -> tuple[Cell, ...]:
    return (
        bought.offer_id,
        bought.provider,
        bought.region,
        bought.gpu_model,
        bought.purchase_option,
        bought.gpus,
        term(bought),
        Decimal(bought.holding_usd_per_gpu_hour),
        Decimal(bought.usage_usd_per_gpu_hour),
        Decimal(bought.upfront),
        Decimal(bought.total_commitment),
        Decimal(bought.cost),
        bought.utilization,
        bought.break_even_utilization,
        purchase_break_even_months(bought),
        bought.because,
    )


def _as_it_goes(plan: PlanFile) -> Chapter:
    held = {bought.offer_id for bought in (*plan.purchases, *plan.commitments)}
    found: defaultdict[str, list[Service]] = defaultdict(list)
    for service in plan.mix:
        if service.offer_id not in held:
            found[service.offer_id].append(service)
    rows = [
        (
            *(offer, one[0].provider, one[0].region, one[0].gpu_model, one[0].purchase_option),
            sum(service.gpu_hours for service in one),
            sum((Decimal(service.cost) for service in one), Decimal(0)),
        )
        for offer, one in sorted(found.items())
    ]
    columns = [Column(title=title) for title in ("Offer", "Provider", "Region", "GPU", "Option")]
    columns += [Column(title="GPU-hours", kind="count", summed=True), Column(title="Cost", kind="money", summed=True)]
    note = "Spot and on demand, for what no commitment serves."
    return _chapter("As it goes", "Paid as it goes", note, columns, rows)


def _spends(plan: PlanFile) -> Chapter:
    rows = [
        (
            *(one.offer_id, one.provider, "prepaid" if one.prepaid else "least spend", in_force(one)),
            *(Decimal(one.usd), one.discount, Decimal(one.spent), Decimal(one.shortfall), Decimal(one.given_back)),
            Decimal(one.cost),
        )
        for one in plan.spends
    ]
    columns = [Column(title=title) for title in ("Commitment", "Provider", "Kind", "In force")]
    columns += [Column(title="To spend", kind="money"), Column(title="Discount", kind="share")]
    columns += [Column(title=title, kind="money") for title in ("Spent", "Short", "Given back")]
    note = (
        "What is spent stands in the tables above; a commitment costs what falls short of it, less what it gives back."
    )
    return _chapter("Spend", "Commitments to spend", note, (*columns, Column(title="Cost", kind="money", summed=True)),
                    rows)  # fmt: skip


def _cash(finance: Finance) -> Chapter:
    titles = ("Upfront", "New commitments", "Owned", "As it goes", "Paid", "Used", "On demand")
    columns = [Column(title="Month", kind="date"), Column(title="In the plan")]
    columns += [Column(title=title, kind="money", summed=True) for title in titles]
    rows = [
        (
            *(month.month, "yes" if month.planned else "after it"),
            *(month.upfront, month.committed, month.owned, month.as_you_go, month.paid, month.used, month.on_demand),
        )
        for month in finance.months
    ]
    note = (
        "Paid is cash; used is the cost of what is used, prepaid terms shared evenly among their hours (amortisation). "
        "Use, and what commitments to spend add to it, is spread evenly over the hours planned. What is owned is shown "
        "as if nothing of it had been prepaid."
    )
    return _chapter("Cash flow", "Cash flow and amortisation by month", note, columns, rows)


def _owed(finance: Finance) -> Chapter:
    rows = [
        (
            *(one.bought.offer_id, "owned" if one.owned else "new", one.bought.provider),
            *(Decimal(str(round(one.usd, 6))), one.months, f"{one.since:%Y-%m-%d}"),
            *(("", "") if one.until is None else (f"{one.until:%Y-%m-%d}", f"{one.until - NOTICE:%Y-%m-%d}")),
        )
        for one in finance.obligations
    ]
    columns = (
        *(Column(title="Commitment"), Column(title="Kind"), Column(title="Provider")),
        *(Column(title="Still to pay", kind="money", summed=True), Column(title="Months", kind="count")),
        *(Column(title=title, kind="date") for title in ("Begins", "Ends", "Give notice by")),
    )
    note = (
        "When the plan begins. Notice is 90 days before the end: the contract may ask for more. Commitments to spend "
        "stand in a chapter of their own, since what is bought here counts towards them."
    )
    return _chapter("Obligations", "Obligations, expiry and renewal", note, columns, rows)


def _concentration(finance: Finance) -> Chapter:
    usd: defaultdict[str, float] = defaultdict(float)
    for one in finance.obligations:
        usd[one.bought.provider] += one.usd
    whole = sum(usd.values())
    rows = [
        (name, Decimal(str(round(usd[name], 6))), usd[name] / whole if whole else None)
        for name in sorted(usd, key=lambda name: (-usd[name], name))
    ]
    columns = (Column(title="Provider"), Column(title="Still to pay", kind="money", summed=True))
    share = Column(title="Share", kind="share")
    return _chapter("Concentration", "Commitments by provider", "", (*columns, share), rows)


def _alternatives(plan: PlanFile) -> Chapter:
    summary = plan.summary
    choices = [
        ("This plan", summary.cost),
        ("Buy nothing, own nothing: all on demand", summary.on_demand_cost),
        ("Do nothing: as billed today", summary.current_cost),
        ("No plan is cheaper than (proven)", summary.lower_bound),
    ]
    rows = [(name, Decimal(cost), Decimal(cost) - Decimal(summary.cost)) for name, cost in choices if cost is not None]
    columns = (Column(title="Alternative"), Column(title="Cost", kind="money"), Column(title="Dearer by", kind="money"))
    note = "Over the hours planned; the gap between this plan and the bound is all that a better plan could save."
    return _chapter("Alternatives", "Alternatives considered", note, columns, rows)


def _falls(plan: PlanFile) -> Chapter:
    """Keep what is bought and let every other price fall: what was committed does not fall with it."""
    held = {bought.offer_id for bought in (*plan.purchases, *plan.commitments)}
    going = sum((Decimal(one.cost) for one in plan.mix if one.offer_id not in held), Decimal(0))
    if plan.summary.on_demand_cost is None:
        return _chapter("Price falls", "", "", (), ())
    cost, listed = Decimal(plan.summary.cost), Decimal(plan.summary.on_demand_cost)
    rows = []
    for fall in map(Decimal, map(str, FALLS)):
        left, market = cost - going * fall, listed * (1 - fall)
        rows.append((float(-fall), left, market, market - left, float((market - left) / market) if market else None))
    columns = (
        Column(title="Prices", kind="share"),
        *(Column(title=title, kind="money") for title in ("Cost", "On-demand equivalent", "Net savings")),
        Column(title="Effective savings rate", kind="share"),
    )
    note = "What is bought stays as it is; on-demand and spot prices fall from the first hour on."
    return _chapter("Price falls", "If prices fall", note, columns, rows)


def _offers(plan: PlanFile, *, walk_away: bool) -> Chapter:
    columns = [Column(title="Offer"), Column(title="Provider"), Column(title="GPU"), Column(title="Option")]
    columns += [Column(title="GPUs", kind="count"), Column(title="Quoted", kind="rate"), Column(title="Verdict")]
    if walk_away:
        columns += [Column(title="Walk-away", kind="rate"), Column(title="Next GPU", kind="rate")]
        columns += [Column(title="Headroom", kind="money"), Column(title="Because"), Column(title="Next GPU because")]
    rows: list[tuple[Cell, ...]] = []
    for quote in plan.walk_away:
        said = (quote.offer_id, quote.provider, quote.gpu_model, quote.purchase_option, quote.gpus)
        worth = (quote.walk_away_usd_per_gpu_hour, quote.next_gpu_usd_per_gpu_hour, quote.headroom)
        amounts = tuple(None if one is None else Decimal(one) for one in worth)
        more = (*amounts, quote.because, quote.next_because) if walk_away else ()
        rows.append((*said, Decimal(quote.quoted_usd_per_gpu_hour), quote.verdict, *more))
    note = "The highest price worth paying is for our eyes only." if walk_away else ""
    return _chapter("Offers", "Offers received", note, columns, rows)


def _load(plan: PlanFile) -> Chapter:
    columns = [Column(title="GPU")] + [Column(title=f"In {share:.0%} of hours", kind="count") for share in OFTEN[1:]]
    columns.insert(1, Column(title="Busiest 1%", kind="count"))
    rows: list[tuple[Cell, ...]] = []
    if plan.load is not None:
        curves = [*plan.load.gpu_models.items(), ("all", plan.load.demand)]
        rows = [(name, *(_at(curve, share) for share in OFTEN)) for name, curve in curves if curve]
    note = "GPUs that are needed at once in at least so many of the hours."
    return _chapter("Load", "Load duration", note, columns, rows)


def _at(curve: Sequence[float], share: float) -> float:
    return curve[min(max(round(share * len(curve)) - 1, 0), len(curve) - 1)]


def _workloads(plan: PlanFile) -> Chapter:
    rows = [
        (one.workload, one.offer_id, one.purchase_option, one.gpu_model, one.gpu_hours, Decimal(one.cost))
        for one in plan.mix
    ]
    columns = [Column(title=title) for title in ("Workload", "Offer", "Option", "GPU")]
    columns += [Column(title="GPU-hours", kind="count", summed=True), Column(title="Cost", kind="money", summed=True)]
    note = "Idle hours of commitments are shared in."
    return _chapter("Workloads", "What serves which workload", note, columns, rows)


def _inputs(plan: PlanFile) -> Chapter:
    given = plan.inputs
    rows: list[tuple[Cell, ...]] = [
        ("usage", one.path, (one.from_ or "")[:10], (one.until or "")[:10], float(one.rows), one.sha256)
        for one in given.usage
    ]
    rows += [("offers", one.path, one.as_of_from, one.as_of_until, float(one.rows), one.sha256) for one in given.offers]
    rows += [("commitments", one.path, None, None, float(one.rows), one.sha256) for one in given.commitments]
    if given.options.config:
        rows.append(("settings", given.options.config.path, None, None, None, given.options.config.sha256))
    rows += [("limit", f"{name}<={value}", None, None, None, None) for name, value in given.limits.items()]
    columns = [Column(title="Input"), Column(title="File"), Column(title="From", kind="date")]
    columns += [Column(title="Until", kind="date"), Column(title="Rows", kind="count"), Column(title="SHA-256")]
    return _chapter("Inputs", "Inputs and limits", "The same inputs give the same plan.", columns, rows)


def _approval(plan: PlanFile) -> Chapter:
    approval = plan.approval
    rows = [(role, "", "") for role in ROLES]
    if approval.status == "approved":
        rows.insert(0, ("Plan approved by", approval.by or "", (approval.date or "")[:10]))
    columns = (Column(title="Role"), Column(title="Name"), Column(title="Date", kind="date"))
    note = (
        "To be filled in. Upfront payments are prepaid expenses, used up over their term: column Used of the cash flow."
    )
    return _chapter("Approval", "Ownership and approval", note, columns, rows)
