"""A session and its plan -> the plan file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.reports import planfile as doc
from app.reports.negotiated import offers_received, turns_of
from app.reports.planfile import PlanFile, decimal, decode, encode, number, read, schema
from app.reports.times import written
from app.version import version
from providers.tables import HOURS_PER_MONTH

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from app.session import Session
    from optimizer import plan as optimal
    from optimizer.evidence import Load
    from optimizer.policy import LimitValue
    from optimizer.risk import Risk
    from optimizer.sensitivity import Differing
    from optimizer.spending import Spending
    from providers.tables import Diagnostic

__all__ = ["PlanFile", "decode", "differing", "document", "encode", "read", "schema"]


def document(session: Session, plan: optimal.Plan, *, created: datetime) -> PlanFile:
    """Return the plan file of a plan that was made from the session."""
    walk_away = {value.tariff.offer_id: value.walk_away for value in plan.walk_away}
    found = dict.fromkeys((*session.diagnostics, *plan.diagnostics))
    return PlanFile(
        format_version=doc.FORMAT_VERSION,
        tool=doc.Tool(name="tranche", version=version()),
        created=written(created),
        currency=session.currency,
        inputs=_inputs(session, plan),
        summary=_summary(plan.summary),
        purchases=[_purchase(bought, walk_away.get(bought.tariff.offer_id)) for bought in plan.purchases],
        commitments=[_purchase(owned, None) for owned in plan.commitments],
        mix=[_service(service) for service in plan.mix],
        walk_away=[_quote(value) for value in plan.walk_away],
        gates=[],
        diagnostics=[_found(diagnostic) for diagnostic in found],
        load=_load(plan.load),
        limits=[_limit(found) for found in plan.limits],
        spends=[_spend(spending, plan.summary.hours) for spending in plan.floors],
        risk=None if plan.risk is None else _risk(plan.risk),
    )


def _inputs(session: Session, plan: optimal.Plan) -> doc.Inputs:
    config, scenarios = session.config, session.scenarios
    return doc.Inputs(
        usage=[
            doc.UsageFile(path=file.path, sha256=file.sha256, from_=file.first, until=file.last, rows=file.rows)
            for file in session.usage
        ],
        offers=[
            doc.OffersFile(
                path=file.path, sha256=file.sha256, as_of_from=file.first, as_of_until=file.last, rows=file.rows
            )
            for file in session.offers
        ],
        commitments=[
            doc.CommitmentsFile(path=file.path, sha256=file.sha256, rows=file.rows) for file in session.commitments
        ],
        limits=session.inputs.limits.described(),
        options=doc.Options(
            horizon=session.horizon,
            start=written(plan.horizon.start),
            end=written(plan.horizon.end),
            now=written(session.inputs.now),
            demo=session.demo,
            config=None if config is None else doc.ConfigFile(path=config.path, sha256=config.sha256),
            outlook=dict(session.outlook),
            scenarios=None if scenarios is None else doc.ConfigFile(path=scenarios.path, sha256=scenarios.sha256),
            edits=[str(edit) for edit in session.edits],
        ),
        offers_received=offers_received(session),
        turns=turns_of(session),
    )


def _summary(summary: optimal.Summary) -> doc.Summary:
    return doc.Summary(
        hours=_quantity(summary.hours),
        gpu_hours=_quantity(summary.gpu_hours),
        cost=_money(summary.cost),
        existing_commitment_cost=_money(summary.existing_commitment_cost),
        on_demand_cost=decimal(summary.on_demand_cost),
        current_cost=decimal(summary.current_cost),
        savings=decimal(summary.savings),
        effective_savings_rate=number(summary.effective_savings_rate),
        coverage=number(summary.coverage),
        utilization=number(summary.utilization),
        upfront=_money(summary.upfront),
        total_commitment=_money(summary.total_commitment),
        lower_bound=_money(summary.lower_bound),
        gap=number(summary.gap) or 0.0,
        solver=doc.Solver(name="highs", turns=summary.solver_turns),
        replayed_cost=_money(summary.replayed_cost),
    )


def _holding(bought: optimal.Purchase) -> float:
    """Return the vendor's price of having a GPU for an hour; what dollars buy has cost as much as they came to."""
    if bought.usd_per_hour is None:
        return bought.tariff.stated_holding
    return bought.usd_per_hour / bought.gpus if bought.gpus else 0.0


def _purchase(bought: optimal.Purchase, walk_away: float | None) -> doc.Purchase:
    tariff = bought.tariff
    return doc.Purchase(
        offer_id=tariff.offer_id,
        provider=tariff.provider,
        region=tariff.region,
        gpu_model=tariff.gpu_model,
        purchase_option=tariff.purchase_option,
        gpus=_quantity(bought.gpus),
        lots=number(bought.lots, decimals=6),
        start=None if tariff.start is None else written(tariff.start),
        end=None if tariff.end is None else written(tariff.end),
        term_months=tariff.term_months,
        holding_usd_per_gpu_hour=_money(_holding(bought)),
        usd_per_hour=decimal(bought.usd_per_hour),
        adders_usd_per_gpu_hour=_money(tariff.adders),
        usage_usd_per_gpu_hour=_money(tariff.stated_usage if tariff.held else tariff.usage),
        cost=_money(bought.cost),
        upfront=_money(bought.upfront),
        total_commitment=_money(bought.total_commitment),
        utilization=number(bought.utilization),
        break_even_utilization=number(bought.break_even_utilization),
        walk_away_usd_per_gpu_hour=decimal(walk_away),
        because=bought.because,
        instance_type=tariff.instance_type,
        ramp=[doc.RampStep(months=step.months, share=step.share) for step in tariff.ramp],
    )


def _load(load: Load) -> doc.Load:
    return doc.Load(
        hours=_quantity(load.hours),
        peak_gpus=_quantity(load.peak_gpus),
        demand=_curve(load.demand),
        served={kind: _curve(gpus) for kind, gpus in load.served.items()},
        gpu_models={name: _curve(gpus) for name, gpus in load.gpu_models.items()},
    )


def _curve(gpus: Iterable[float]) -> list[float]:
    return [number(value, decimals=3) or 0.0 for value in gpus]


def _limit(found: LimitValue) -> doc.LimitValue:
    at, most, step = (_quantity(value) for value in (found.at, found.most, found.step))
    return doc.LimitValue(name=found.name, at=at, most=most, step=step, saving=_money(found.saving))


def _spend(spending: Spending, hours: float) -> doc.Spend:
    terms = spending.floor.terms
    term_hours = hours if terms.term_hours is None else terms.term_hours
    return doc.Spend(
        offer_id=terms.offer_id,
        provider=terms.provider,
        prepaid=terms.prepaid,
        usd=_money(spending.floor.usd),
        discount=_quantity(terms.discount),
        taken=spending.taken,
        spent=_money(spending.spent),
        shortfall=_money(spending.shortfall),
        given_back=_money(spending.given_back),
        cost=_money(spending.cost),
        worth=decimal(spending.worth),
        largest_usd=decimal(spending.largest_usd),
        contract_usd=_money(terms.usd_per_hour * term_hours if terms.usd is None else terms.usd),
        start=None if terms.start is None else written(terms.start),
        end=None if terms.end is None else written(terms.end),
        term_months=number(None if terms.term_hours is None else terms.term_hours / HOURS_PER_MONTH, decimals=6),
        status="owned" if terms.owned else terms.status,
        gpu_models=sorted(terms.models),
    )


def differing(found: Iterable[Differing]) -> list[doc.Differing]:
    """Return what a plan comes to at other demand, as the plan file says it."""
    return [
        doc.Differing(
            demand=_quantity(one.factor), kept=decimal(one.kept), best=decimal(one.best), stranded=decimal(one.stranded)
        )
        for one in found
    ]


def _risk(risk: Risk) -> doc.Risk:
    return doc.Risk(
        weight=_quantity(risk.weight),
        tail=_quantity(risk.tail),
        expected=_money(risk.expected),
        cvar=_money(risk.cvar),
        p5=_money(risk.p5),
        p50=_money(risk.p50),
        p95=_money(risk.p95),
        stranded_cvar=_money(risk.stranded_cvar),
        outcomes=[
            doc.Outcome(
                scenario=outcome.scenario,
                probability=number(outcome.probability) or 0.0,
                cost=_money(outcome.cost),
                stranded=_money(outcome.stranded),
                regret=_money(outcome.regret),
            )
            for outcome in risk.outcomes
        ],
        frontier=[
            doc.Point(weight=_quantity(point.weight), expected=_money(point.expected), cvar=_money(point.cvar))
            for point in risk.frontier
        ],
    )


def _service(service: optimal.Service) -> doc.Service:
    tariff = service.tariff
    return doc.Service(
        workload=service.workload,
        offer_id=tariff.offer_id,
        provider=tariff.provider,
        region=tariff.region,
        gpu_model=tariff.gpu_model,
        purchase_option=tariff.purchase_option,
        gpu_hours=_quantity(service.gpu_hours),
        cost=_money(service.cost),
    )


def _quote(value: optimal.QuoteValue) -> doc.Quote:
    tariff = value.tariff
    return doc.Quote(
        offer_id=tariff.offer_id,
        provider=tariff.provider,
        gpu_model=tariff.gpu_model,
        purchase_option=tariff.purchase_option,
        quoted_usd_per_gpu_hour=_money(value.quoted),
        walk_away_usd_per_gpu_hour=decimal(value.walk_away),
        next_gpu_usd_per_gpu_hour=decimal(value.next_gpu),
        gpus=number(value.gpus, decimals=6),
        headroom=decimal(value.headroom),
        verdict=value.verdict,
        because=value.because,
        next_because=value.next_because,
    )


def _found(diagnostic: Diagnostic) -> doc.Found:
    return doc.Found(
        level=diagnostic.level,
        code=diagnostic.code,
        message=diagnostic.message,
        hint=diagnostic.hint,
        where=diagnostic.where,
    )


def _money(amount: float) -> str:
    text = decimal(amount)
    if text is None:
        raise ValueError(f"{amount} is no amount of money")
    return text


def _quantity(value: float) -> float:
    return number(value, decimals=6) or 0.0
