"""Whatever is edited, undone and redone, the desk holds what a fresh session with the same edits holds."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.diagnostics import UsageError
from app.negotiation import History, Solved, Step
from app.session import Request, Session, load
from app.solver import Solver
from optimizer.errors import AbandonedError, InfeasibleError

GPU = "H100-SXM-80GB"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
OFFERS = (
    f"b:{GPU}=2/h,64gpus,12mo,name=block",
    f"c:{GPU}=2.5/h,lot8,<=96gpus,12mo,name=lots",
    f"d:{GPU}=2.2/h,name=any",
)
EDITS = 40  # a run; with the examples below more than 1,000 in all
PRICES = st.integers(2, 48).map(lambda price: price / 10)
NAMES = st.sampled_from(["block", "lots", "any"])


def opened(files):
    return load(Request(now=NOW, usage=(files.usage,), offers=(files.offers,), offer=OFFERS, horizon="history"))


def planned(session):
    """Return the plan, or why there is none."""
    try:
        return session.plan()
    except InfeasibleError as error:
        return str(error)


def worth(plan):
    """Return what each quote is worth; the names alone of those without a price."""
    prices = {value.tariff.offer_id: value.walk_away for value in plan.walk_away}
    return {name: -1.0 if price is None else price for name, price in prices.items()}


class Desk(RuleBasedStateMachine):
    """A person who types, undoes and redoes; `lines` and `undone` are what a notebook beside the desk would say."""

    session: Session

    @initialize()
    def open(self):
        self.history = History((Step(session=replace(self.session, solver=Solver())),))
        self.lines, self.undone, self.solves = [], [], 0

    def edit(self, line):
        try:
            self.history = self.history.edited(line)
        except UsageError:
            return
        self.lines, self.undone = [*self.lines, line], []

    @rule(name=NAMES, price=PRICES)
    def counters(self, name, price):
        self.edit(f"counter {name} {price}")

    @rule(name=NAMES, price=PRICES, gpus=st.sampled_from([8, 16, 64]))
    def counters_with_terms(self, name, price, gpus):
        self.edit(f"counter {name} {price} 6mo {gpus}")

    @rule(name=NAMES, verb=st.sampled_from(["accept", "decline", "reopen"]))
    def settles(self, name, verb):
        self.edit(f"{verb} {name}")

    @rule(price=PRICES)
    def quotes(self, price):
        self.edit(f"quote e:{GPU}={price}/h,16gpus,12mo")

    @rule(share=st.integers(20, 100))
    def limits(self, share):
        self.edit(f"limit committed<={share}%")

    @precondition(lambda self: self.lines)
    @rule(edits=st.integers(1, 5))
    def undoes(self, edits):
        self.history = self.history.gone_to(self.history.at - edits)
        for _ in range(min(edits, len(self.lines))):
            self.undone.append(self.lines.pop())

    @precondition(lambda self: self.undone)
    @rule(edits=st.integers(1, 5))
    def redoes(self, edits):
        self.history = self.history.gone_to(self.history.at + edits)
        for _ in range(min(edits, len(self.undone))):
            self.lines.append(self.undone.pop())

    @invariant()
    def the_edits_are_those_of_the_notebook(self):
        if hasattr(self, "history"):
            assert [str(edit) for edit in self.history.now.session.edits] == self.lines
            assert self.history.undoable == bool(self.lines)
            assert self.history.redoable == bool(self.undone)

    @precondition(lambda self: self.solves < 2)
    @rule()
    def plans(self):
        """The plan, solved with all that is remembered, is the plan of a fresh session."""
        self.solves += 1
        fresh = replace(self.session, solver=Solver())
        for line in self.lines:
            fresh = fresh.after(line)
        mine = self.history.now.session
        assert mine.inputs.offers.equals(fresh.inputs.offers)
        assert mine.inputs.limits == fresh.inputs.limits
        plan, again = planned(mine), planned(fresh)
        if isinstance(plan, str) or isinstance(again, str):
            assert plan == again
            return
        assert plan.summary == again.summary
        assert plan.purchases == again.purchases
        assert worth(plan) == pytest.approx(worth(again), rel=1e-9)
        self.history = self.history.solved(Solved(plan=plan, tariffs=(), seconds=0.0))


def test_no_run_of_edits_diverges_from_a_fresh_session(files):
    machine = type("DeskOnOracle8", (Desk,), {"session": opened(files)})
    machine.TestCase.settings = settings(
        max_examples=26,
        stateful_step_count=EDITS,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a plan a step is too slow to look for a shorter run
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    machine.TestCase().runTest()


def test_an_edit_after_an_undo_drops_what_was_undone(files):
    history = History((Step(session=opened(files)),)).edited("counter any 1")
    first = history.steps[0]
    again = history.gone_to(0).edited("counter any 2")
    assert [str(step.edit) for step in again.steps[1:]] == ["counter any 2"]
    assert not again.redoable
    assert again.gone_to(-5).now is first
    assert again.gone_to(0).gone_to(7).now is again.steps[1]


def test_a_failed_step_falls_back_to_one_with_a_plan_and_can_be_redone(files):
    history = History((Step(session=opened(files)),))
    history = history.solved(Solved(plan=history.now.session.plan(), tariffs=(), seconds=0.0))
    failed = history.edited("counter any 1").edited("counter any 2")
    assert failed.fallen_back().at == 0
    assert failed.fallen_back().gone_to(2).now is failed.now


def test_what_is_given_up_says_so_and_the_newer_plan_is_whole(files):
    """A solve that is asked for while another runs is served next; the first stops before its next part."""
    session = opened(files)
    session.solver._waiting = 1
    with pytest.raises(AbandonedError):
        session.plan()
    session.solver._waiting = 0
    assert session.plan().summary == opened(files).plan().summary


def test_the_plan_comes_before_what_its_quotes_are_worth(files):
    session = opened(files)
    plans = list(session.plans(first="lots"))
    known = [[value.tariff.offer_id for value in plan.walk_away] for plan in plans]
    assert known == [[], ["lots"], ["any", "lots"], ["any", "block", "lots"], ["any", "block", "lots"]]
    assert len({plan.summary.cost for plan in plans}) == 1
    whole = opened(files).plan()
    assert plans[-1].walk_away == whole.walk_away
    assert plans[-1].limits == whole.limits
