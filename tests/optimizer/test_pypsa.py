"""The same optimum from another field: GPU models as buses of a power system, commitments as plants to be built."""

import logging
import warnings
from collections.abc import Iterator
from dataclasses import replace

import pytest
from instances import Case, hour, offer, owned, series

from optimizer.edits import Change
from optimizer.ladder import PriceMove
from optimizer.plan import plan_of
from optimizer.scenarios import Drought, Scenario

ORACLE = (40, 40, 40, 60, 80, 100, 100, 60)


@pytest.fixture(scope="module")
def pypsa() -> Iterator[object]:
    """Import PyPSA without its noise."""
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pytest.importorskip("pypsa")
    yield found
    logging.disable(logging.NOTSET)


def network(pypsa: object, hours: int) -> object:
    system = pypsa.Network()
    system.set_snapshots(range(hours))
    return system


def optimum(system: object) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        status, _ = system.optimize(solver_name="highs", log_to_console=False, include_objective_constant=False)
    assert status == "ok"
    return float(system.objective)


def test_commitments_beside_on_demand_and_spot(pypsa):
    """Two classes at one GPU model: the soft one can draw on spot through a one-way link, the firm one cannot."""
    soft = (10, 0, 25, 30, 5, 0, 12, 18)
    case = Case(
        usage=series("firm", ORACLE) + series("soft", soft, interruptible=True),
        offers=[
            offer("od", price=4.0),
            offer("spot", "spot", 1.1, max_gpus=15.0),
            offer("1y", "reserved", 2.4, max_gpus=50.0),
            offer("3y", "reserved", 2.1, max_gpus=30.0, start=hour(3)),
        ],
    )
    system = network(pypsa, 8)
    system.add("Bus", ["firm", "soft"])
    system.add("Load", "firm", bus="firm", p_set=list(ORACLE))
    system.add("Load", "soft", bus="soft", p_set=list(soft))
    system.add("Link", "anything", bus0="firm", bus1="soft", p_nom=1e4)
    system.add("Generator", "od", bus="firm", p_nom=1e4, marginal_cost=4.0)
    system.add("Generator", "spot", bus="soft", p_nom=15.0, marginal_cost=1.1)
    system.add("Generator", "1y", bus="firm", p_nom_extendable=True, p_nom_max=50.0, capital_cost=2.4 * 8)
    on = [0.0] * 3 + [1.0] * 5
    built = {"p_nom_extendable": True, "p_nom_max": 30.0, "capital_cost": 2.1 * 5, "p_max_pu": on}
    system.add("Generator", "3y", bus="firm", **built)
    assert plan_of(case.inputs()).summary.cost == pytest.approx(optimum(system), rel=1e-6)


def test_a_newer_gpu_stands_in_for_an_older_one(pypsa):
    """Links with efficiency 2.2: one hour of B serves 2.2 hours of A."""
    from optimizer.demand import WorkloadRule

    newer = (5, 9, 2, 0, 14, 7, 3, 3)
    case = Case(
        usage=series("old", ORACLE) + series("new", newer, model="B"),
        offers=[
            offer("od-a", price=2.5),
            offer("od-b", price=6.0, gpu_model="B"),
            offer("a", "reserved", 1.6),
            offer("b", "flex", 2.5, use=0.4, gpu_model="B"),
        ],
        commitments=[owned("had", 20.0, 1.0)],
        rules=(WorkloadRule(pattern="old", runs_on={"B": 2.2}),),
    )
    system = network(pypsa, 8)
    system.add("Bus", ["A", "B"])
    system.add("Load", "old", bus="A", p_set=list(ORACLE))
    system.add("Load", "new", bus="B", p_set=list(newer))
    system.add("Link", "stands in", bus0="B", bus1="A", efficiency=2.2, p_nom=1e4)
    system.add("Generator", "od-a", bus="A", p_nom=1e4, marginal_cost=2.5)
    system.add("Generator", "od-b", bus="B", p_nom=1e4, marginal_cost=6.0)
    system.add("Generator", "a", bus="A", p_nom_extendable=True, capital_cost=1.6 * 8)
    system.add("Generator", "b", bus="B", p_nom_extendable=True, capital_cost=2.5 * 8, marginal_cost=0.4)
    system.add("Generator", "had", bus="A", p_nom=20.0)
    expected = optimum(system) + 20.0 * 1.0 * 8
    assert plan_of(case.inputs()).summary.cost == pytest.approx(expected, rel=1e-6)


def test_nodes_of_eight(pypsa):
    """Capacity that is built in modules of eight, over a year of typical hours."""
    case = Case(
        usage=series("a", ORACLE),
        offers=[offer("od"), offer("nodes", "reserved", 2.4, lot_gpus=8.0)],
        months=12,
    )
    system = network(pypsa, 8)
    weight = 8760 / 8
    system.snapshot_weightings.loc[:, :] = weight
    system.add("Bus", "A")
    system.add("Load", "a", bus="A", p_set=list(ORACLE))
    system.add("Generator", "od", bus="A", p_nom=1e4, marginal_cost=4.0)
    system.add("Generator", "nodes", bus="A", p_nom_extendable=True, p_nom_mod=8.0, capital_cost=2.4 * 8760)
    assert plan_of(case.inputs()).summary.cost == pytest.approx(optimum(system), rel=1e-6)


FUTURES = (  # probability, demand, on-demand price and spot of the second half year against today's
    ("expected", 0.5, 1.0, 1.0, 1.0),
    ("growth", 0.2, 1.6, 1.3, 1.0),
    ("bust", 0.3, 0.4, 0.6, 0.0),
)


@pytest.mark.parametrize("risk", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("tail", [0.6, 0.9])
def test_expected_cost_and_the_mean_of_the_tail(pypsa, risk, tail):
    """Two stages over three futures: what is built is shared, what runs is not; PyPSA weighs the tail by omega."""
    case = Case(
        usage=series("a", ORACLE, interruptible=True),
        offers=[
            offer("od", price=4.0),
            offer("spot", "spot", 1.1, max_gpus=15.0),
            offer("1y", "reserved", 2.4, max_gpus=50.0),
            offer("flex", "flex", 1.0, use=2.0, max_gpus=40.0),
        ],
        months=12,
    )
    scenarios = tuple(
        Scenario(
            name=name,
            probability=chance,
            changes=(Change(workload="a", factor=demand),),
            moves=(PriceMove(gpu_model="*", from_month=6.0, factor=price),),
            droughts=() if spot else (Drought(gpu_model="*", provider="*", from_month=6.0, until_month=12.0),),
        )
        for name, chance, demand, price, spot in FUTURES
    )
    plan = plan_of(replace(case.inputs(), scenarios=scenarios, risk=risk, tail=tail))
    assert plan.risk is not None
    weighed = (1 - risk) * plan.risk.expected + risk * plan.risk.cvar
    assert weighed == pytest.approx(optimum(_stochastic(pypsa, risk, tail)), rel=1e-6)


def _stochastic(pypsa: object, risk: float, tail: float) -> object:
    """Two half years of the eight hours, in three futures; prices are kept on what is built today."""
    system = network(pypsa, 16)
    system.snapshot_weightings = system.snapshot_weightings * (8760 / 16)
    system.add("Bus", "A")
    system.add("Load", "a", bus="A", p_set=[float(need) for need in ORACLE * 2])
    system.add("Generator", "od", bus="A", p_nom=1e4, marginal_cost=4.0)
    system.add("Generator", "spot", bus="A", p_nom=15.0, marginal_cost=1.1)
    built = {"p_nom_extendable": True, "bus": "A"}
    system.add("Generator", "1y", p_nom_max=50.0, capital_cost=2.4 * 8760, **built)
    system.add("Generator", "flex", p_nom_max=40.0, capital_cost=1.0 * 8760, marginal_cost=2.0, **built)
    # What varies has to be there for every hour before the futures part.
    system.generators_t.marginal_cost["od"] = 4.0
    system.generators_t.marginal_cost["spot"] = 1.1
    system.generators_t.p_max_pu["spot"] = 1.0
    system.set_scenarios({name: chance for name, chance, *_ in FUTURES})
    for name, _, demand, price, spot in FUTURES:
        system.loads_t.p_set[name, "a"] = [need * demand for need in ORACLE * 2]
        system.generators_t.marginal_cost[name, "od"] = [4.0] * 8 + [4.0 * price] * 8
        system.generators_t.marginal_cost[name, "spot"] = [1.1] * 8 + [1.1 * price] * 8
        system.generators_t.p_max_pu[name, "spot"] = [1.0] * 8 + [spot] * 8
    if risk:
        system.set_risk_preference(alpha=tail, omega=risk)
    return system
