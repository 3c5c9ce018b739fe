"""What the risk screen says beside its panes, and of the row under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from app.tui import words
from app.tui.risks import AS_PLANNED, EXAMPLE

if TYPE_CHECKING:
    from app.tui.risks import Errand, Future, Idle, Past
    from optimizer.backtest import Outcome
    from optimizer.plan import Plan
    from optimizer.risk import Risk

SEPARATOR = " · "
NEGLIGIBLE = 0.005  # $: what is less would be written as 0.00
SAME = 1e-9  # relative: what is closer than this is one figure


def of_scenarios(plan: Plan | None) -> str:
    """Say what the rows are."""
    if plan is None:
        return ""
    if plan.risk is None:
        return "no scenarios; the usage planned from, scaled"
    weight = f", the worst weigh {plan.risk.weight * 100:.3g} %" if plan.risk.weight else ""
    return f"{len(plan.risk.outcomes)}{weight}"


def summary(risk: Risk, currency: str) -> Text:
    """Write the measures of risk of a plan in three lines."""
    worst = f"worst {(1 - risk.tail) * 100:.3g} %"
    spread = SEPARATOR.join(
        f"{name} {words.money(usd, currency)}" for name, usd in (("P5", risk.p5), ("P50", risk.p50), ("P95", risk.p95))
    )
    return Text.assemble(
        ("Expected ", "dim"),
        (words.money(risk.expected, currency), "bold"),
        (f"   CVaR of the {worst} ", "dim"),
        (words.money(risk.cvar, currency), "bold"),
        f"\n{spread}\nstranded in the {worst} {words.money(risk.stranded_cvar, currency)}",
        no_wrap=True,
        overflow="ellipsis",
    )


def demand_line(errand: Errand[tuple[Future, ...]], session: object) -> Text:
    """Say how the demand can be tried out, how long that has taken, or what came of it."""
    found = errand.found(session)
    if errand.running(session):
        return Text(f"working out… {errand.seconds:.0f} s; escape abandons it")
    if isinstance(found, str):
        return Text(f"other demand: {found}")
    if found is None:
        return Text("y: what keeping this plan costs if demand is ±20 %")
    return Text("purchases kept, the rest bought as it is used")


def how_to() -> Text:
    """Say how a plan gets scenarios."""
    head = "With futures: tranche open --scenarios futures.toml"
    return Text.assemble((head, "bold"), "\n", (EXAMPLE.rstrip(), "dim"))


def of_frontier(plan: Plan | None, *, tried: bool) -> str:
    """Say what the chart shows."""
    if plan is None:
        return ""
    if plan.risk is None:
        return "cost of the horizon by demand" if tried else "none without scenarios; y: cost by demand"
    spread = [point.cvar for point in plan.risk.frontier]
    if spread and max(spread) - min(spread) <= SAME * abs(max(spread)):
        return "no plan has less risk than the cheapest"
    return "mean of the worst by expected cost"


def of_stranded(idle: list[Idle], plan: Plan | None, currency: str) -> str:
    """Say what is paid for and not used."""
    if plan is None:
        return ""
    whole = sum(one.stranded for one in idle)
    of = f" of {words.money(plan.summary.cost, currency)}" if plan.summary.cost else ""
    return f"{words.money(whole, currency)}{of} for held hours not used"


def of_past(errand: Errand[Past], session: object, *, planned: bool) -> str:
    """Say what the back-test is doing, or how its rules stand."""
    found = errand.found(session)
    if errand.running(session):
        return f"working out… {errand.seconds:.0f} s"
    if found is None:
        return "k tries rules on the past" if planned else ""
    return "could not be tried" if isinstance(found, str) else "the cheapest rule first"


def past_line(errand: Errand[Past], session: object, currency: str) -> Text:
    """Say what the figures of the back-test are, how long they are worked on, or how to get them."""
    found = errand.found(session)
    if errand.running(session):
        return Text(f"working out… {errand.seconds:.0f} s; escape abandons it")
    if isinstance(found, str):
        return Text(found.removeprefix("--train: "))
    if found is None:
        about = (
            "k lets rules for buying decide on the first two thirds of the history and live through the rest: the plan "
            "of then, the last 30 days as providers recommend, percentiles, nothing, hindsight. Seconds to minutes."
        )
        return Text(about, style="dim")
    reference = words.UNKNOWN if found.on_demand is None else words.money(found.on_demand, currency)
    tried = f"decided on {found.found.decided_on:,} hours, lived through {found.found.lived_through:,}"
    return Text(f"{tried}\nrest taken as typical of the horizon; on demand {reference}", style="dim")


def future_detail(one: Future, currency: str) -> Text:
    """Tell what the plan comes to in one future."""
    title = _title(one)
    if not one.served:
        return Text.assemble(
            (title, "bold"), "\nWhat the plan holds leaves no way to serve it within the offers and limits."
        )
    facts = [f"costs {words.money(one.cost, currency)}" if one.cost is not None else ""]
    facts += [
        f"{words.money(one.stranded, currency)} of it for held hours not used" if one.stranded is not None else ""
    ]
    if one.regret is not None:
        more = f"the best plan for it alone costs {words.money(one.regret, currency)} less"
        facts.append(more if one.regret > NEGLIGIBLE else "no plan costs less for it alone")
    return Text.assemble((title, "bold"), "  ", SEPARATOR.join(fact for fact in facts if fact))


def _title(one: Future) -> str:
    if one.factor is None:
        return words.name(one.name)
    return "Demand as planned" if one.name == AS_PLANNED else f"Demand {words.name(one.name)}"


def idle_detail(one: Idle, currency: str) -> Text:
    """Tell what of a commitment is idle."""
    hours = "" if one.gpu_hours is None else f", {one.gpu_hours:,.0f} GPU-hours"
    return Text.assemble(
        (words.name(one.offer_id), "bold"),
        f"  {'owned' if one.owned else 'to buy'}{SEPARATOR}{words.count(one.gpus)} GPUs{SEPARATOR}"
        f"{words.share(one.utilization)} of the hours held are used\n"
        f"{words.money(one.stranded, currency)} of the {words.money(one.paid, currency)} that holding it costs over the"
        f" hours planned are for hours not used{hours}",
    )


def rule_detail(one: Outcome, past: Past, currency: str) -> Text:
    """Tell how a rule did."""
    title = words.name(one.rule)
    if one.cost is None or one.regret is None:
        return Text.assemble((title, "bold"), "\nWhat it holds leaves no way to serve the rest of the history.")
    saved = "" if past.on_demand is None else f"{SEPARATOR}{words.money(past.on_demand - one.cost, currency)} saved "
    more = "against all on demand" if saved else ""
    dearer = f"{words.money(one.regret, currency)} dearer than hindsight, which knows the rest"
    least = "it knows the rest, so that no rule can be cheaper"
    return Text.assemble(
        (title, "bold"),
        f"  costs {words.money(one.cost, currency)}{saved}{more}\n"
        f"{dearer if one.regret > NEGLIGIBLE else least}"
        f"{SEPARATOR}{words.money(one.stranded, currency)} paid for held hours not used",
    )
