"""Rules buy as they go; what comes of it is worked out by hand, by a simulation of its own, and by laws."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import Case, cases, offer, owned, series, table

from optimizer import rolling
from optimizer.dispatch import dispatch_of
from optimizer.errors import InfeasibleError
from optimizer.limits import Limits
from optimizer.solve import solve
from optimizer.stated import Inputs
from providers.tables import HELD, OFFERS, USAGE, checked

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MONTH = 730  # hours
SEEN = 3  # hours of each month that a history made here has; the others are not known, and are not lived through
LADDER, YEARLY, ONCE = "the ladder on the last year", "a level for each year", "one level for all"
RECENT, NOTHING, HINDSIGHT = "the last 30 days at each date", "nothing but what is owned", "hindsight"
PRICE = 0.6173  # of on demand: odd, so that no level is as good as another


def monthly(needs, *, workload="a", model="A"):
    """Return usage of the first hours of each month, a list of needs for each."""
    return [
        {"hour": month(place) + timedelta(hours=hour), "workload": workload, "gpu_model": model, "gpu_hours": need}
        for place, hours in enumerate(needs)
        for hour, need in enumerate(map(float, hours))
    ]


def month(place):
    return NOW + timedelta(hours=MONTH * place)


def reserved(name="r", price=PRICE, term=12.0, **more):
    return offer(name, "reserved", price, term_months=term, **more)


def case(needs, *more, price=PRICE, term=12.0, **columns):
    rows = monthly(needs)
    return Case(usage=rows, offers=[offer("od", price=1.0), reserved(price=price, term=term), *more], **columns)


def level(gpus, months):
    return [[gpus] * SEEN] * months


def tried(given, *, first, every, **changes):
    """Let rules live through a case of which some months are known first."""
    inputs = replace(given.inputs(), **changes)
    count = len({row["hour"] for row in given.usage}) / SEEN
    return {one.rule: one for one in rolling.rolling(inputs, train=first / count, every_months=every).outcomes}


# Worked by hand


def test_a_ladder_of_twelve_strands_50_node_months_where_one_block_strands_240():
    """finops.md R9: 60 nodes, of which 20 are needed no more from the day on which the block is bought."""
    drop = case([*level(60, 12), *level(40, 12)])
    tranches = [owned(f"c{k}", 5.0, PRICE, start=month(k), end=month(12 + k)) for k in range(1, 13)]
    ladder = drop.but(commitments=tranches)
    block, steps = (tried(one, first=12, every=1) for one in (drop, ladder))
    assert block[ONCE].stranded == pytest.approx(240 * SEEN * PRICE)
    assert steps[RECENT].stranded == pytest.approx(50 * SEEN * PRICE)
    # Of nine months in which tranches would have gone on, those of eight are bought again: 40 are held to the end.
    assert steps[RECENT].cost == pytest.approx((12 * 40 + 50) * SEEN * PRICE)


def test_a_ladder_that_takes_the_last_year_as_typical_sees_the_drop_late():
    """Only when 38 % of the year is the drop are 60 not worth holding: for five months tranches are bought again."""
    drop = case([*level(60, 12), *level(40, 6)])
    tranches = [owned(f"c{k}", 5.0, PRICE, start=month(k), end=month(12 + k)) for k in range(1, 13)]
    found = tried(drop.but(commitments=tranches), first=12, every=1)
    assert found[LADDER].stranded == pytest.approx((5 * 20 + 15) * SEEN * PRICE)


def test_a_forecast_is_made_anew_at_each_date():
    step = MONTH // 2
    usage = series("a", [10] * step + [20] * step * 2)
    given = Case(usage=usage, offers=[offer("od", price=1.0), reserved()])
    inputs = replace(given.inputs(), forecast="seasonal_naive")
    outcomes = rolling.rolling(inputs, train=1 / 3, every_months=0.5).outcomes
    found = {one.rule: one.cost for one in outcomes}
    first, second = 10 * PRICE + 10, 20 * PRICE
    assert found["the ladder on the forecast seasonal_naive"] == pytest.approx(step * (first + second))
    assert found["a level for each year by the forecast seasonal_naive"] == pytest.approx(step * 2 * first)


def test_what_grows_is_bought_as_it_grows():
    found = tried(case([*level(10, 12), *level(20, 3), *level(30, 3)]), first=12, every=3)
    # The last 30 days know of 10 at the first date, of 20 at the second.
    assert found[RECENT].cost == pytest.approx(SEEN * (3 * (10 * PRICE + 10) + 3 * (20 * PRICE + 10)))
    assert found[LADDER].cost == found[ONCE].cost == pytest.approx(SEEN * (6 * 10 * PRICE + 3 * 10 + 3 * 20))
    assert found[HINDSIGHT].cost == pytest.approx(SEEN * (3 * 20 + 3 * 30) * PRICE)
    assert found[NOTHING].cost == pytest.approx(SEEN * (3 * 20 + 3 * 30))


def test_a_term_is_paid_to_its_end_though_nobody_needs_it():
    found = tried(case([*level(10, 12), *level(0, 18)]), first=12, every=3)
    for rule, paid in {YEARLY: 12, ONCE: 18}.items():
        assert (found[rule].cost, found[rule].stranded) == pytest.approx((paid * 10 * SEEN * PRICE,) * 2)
    assert found[HINDSIGHT].cost == 0.0


def test_a_term_shorter_than_the_step_is_renewed_until_the_next_decision():
    found = tried(case([*level(10, 12), *level(0, 12)], term=2.0), first=12, every=5)
    assert found[RECENT].cost == pytest.approx(3 * 2 * 10 * SEEN * PRICE)
    assert found[YEARLY].cost == pytest.approx(12 * 10 * SEEN * PRICE)


def test_a_term_longer_than_the_step_runs_on_and_counts_as_held():
    found = tried(case([*level(10, 12), *level(10, 30)], term=24.0), first=12, every=3)
    for rule in (LADDER, YEARLY, ONCE, RECENT):
        assert found[rule].cost == pytest.approx(30 * 10 * SEEN * PRICE)


def test_what_has_no_term_is_held_to_the_end():
    found = tried(case([*level(10, 12), *level(0, 30)], term=None), first=12, every=3)
    for rule in (LADDER, YEARLY, ONCE, RECENT):
        assert found[rule].cost == pytest.approx(30 * 10 * SEEN * PRICE)


def test_what_is_owned_serves_while_it_runs_and_is_replaced_when_it_ends():
    given = case(level(10, 24), commitments=[owned("c", 4.0, 0.3, start=NOW, end=month(18))])
    found = tried(given, first=12, every=3)
    assert found[NOTHING].cost == pytest.approx(SEEN * (6 * (4 * 0.3 + 6) + 6 * 10))
    for rule in (LADDER, RECENT, "the 50th percentile at each date", HINDSIGHT):
        assert found[rule].cost == pytest.approx(SEEN * (12 * 6 * PRICE + 6 * 4 * 0.3 + 6 * 4 * PRICE)), rule


def test_offers_with_dates_and_options_of_their_own_are_not_tried():
    given = case(level(10, 18))
    better = [
        reserved("dated", 0.1, None, start=month(12), end=month(18)),
        reserved("ramp", 0.1, ramp="5@1 10@2"),
        reserved("way out", 0.1, exit_after_months=3.0),
        reserved("declined", 0.1, status="declined"),
    ]
    plain = tried(given, first=12, every=3)
    assert tried(given.but(offers=[*given.offers, *better]), first=12, every=3) == plain
    quoted = [given.offers[0], given.offers[1] | {"status": "quote"}]
    assert tried(given.but(offers=quoted), first=12, every=3) == plain


def test_cash_at_the_start_is_limited_at_each_date_anew():
    given = case(level(10, 24), term=6.0).but(limits={"upfront": 5 * PRICE * 6 * MONTH})
    offers = [given.offers[0], given.offers[1] | {"upfront_share": 1.0}]
    found = tried(given.but(offers=offers), first=12, every=3)
    assert found[RECENT].cost == pytest.approx(SEEN * (3 * (5 * PRICE + 5) + 9 * 10 * PRICE))
    assert found[RECENT].regret >= 0


def test_a_rule_without_a_way_to_serve_the_rest_has_no_cost():
    few = offer("few", price=1.0, max_gpus=5.0)
    found = tried(case([*level(5, 12), *level(8, 6)]).but(offers=[few, reserved()]), first=12, every=3)
    assert found[NOTHING].cost is None
    assert found[ONCE].cost == pytest.approx(6 * (5 * PRICE + 3) * SEEN)
    assert found[HINDSIGHT].cost == pytest.approx(6 * 8 * SEEN * PRICE)


def test_where_not_even_hindsight_can_serve_there_is_nothing_to_compare():
    with pytest.raises(InfeasibleError):
        tried(case(level(5, 18)).but(offers=[offer("few", price=1.0, max_gpus=1.0)]), first=12, every=3)


@pytest.mark.parametrize("every", [0.0, 0.1])
def test_too_many_dates_are_refused(every):
    with pytest.raises(ValueError, match="more than 60 dates; decide less often"):
        tried(case(level(10, 24)), first=12, every=every)


def test_a_day_that_the_first_part_ends_in_is_lived_through_from_there():
    usage = [row | {"granularity": "day", "gpu_hours": 24.0 * 10} for row in monthly([[1]] * 4)]
    given = Case(usage=usage, offers=[offer("od", price=1.0), reserved()])
    found = rolling.rolling(given.inputs(), train=30 / 96, every_months=1)
    assert (found.decided_on, found.lived_through) == (30, 66)
    assert found.outcomes[0].cost == pytest.approx(66 * 10 * PRICE)


# A simulation of its own: one model, one term of a year, levels as quantiles


def best_level(needs):
    """The newsvendor's level: the last GPU is busy in the share of hours that its price is of on demand."""
    ordered = np.sort(np.ravel(needs))
    return float(ordered[int(np.floor((1 - PRICE) * len(ordered)))])


def simulated(months, first, every, decide, *, looks):
    """Return cost and what was paid for nothing: at each date a rule buys for a year what it lacks."""
    held = np.zeros(len(months))
    for date in range(first, len(months), every):
        need = decide(np.concatenate(months[max(0, date - looks) : date]))
        held[date : date + 12] += max(0.0, need - held[date])
    pairs = [(need, held[place]) for place in range(first, len(months)) for need in months[place]]
    cost = sum(PRICE * has + max(need - has, 0.0) for need, has in pairs)
    return cost, sum(PRICE * max(has - need, 0.0) for need, has in pairs)


NEED = st.floats(0.0, 100.0).map(lambda need: round(need, 2))
HISTORY = st.lists(st.lists(NEED, min_size=SEEN, max_size=SEEN), min_size=6, max_size=36)


@given(months=HISTORY, every=st.sampled_from([1, 3]), data=st.data())
@settings(deadline=None, max_examples=8)
def test_rules_come_to_what_they_come_to_in_a_simulation_of_its_own(months, every, data):
    first = data.draw(st.integers(max(1, len(months) - 15), len(months) - 1))
    found = tried(case(months), first=first, every=every)
    expected = {
        LADDER: simulated(months, first, every, best_level, looks=12),
        RECENT: simulated(months, first, every, best_level, looks=1),
        YEARLY: simulated(months, first, 12, best_level, looks=12),
        NOTHING: simulated(months, first, every, lambda _: 0.0, looks=1),
    }
    for rank in (50, 70, 90):
        at_rank = simulated(months, first, every, lambda past, rank=rank: float(np.percentile(past, rank)), looks=12)
        expected[f"the {rank}th percentile at each date"] = at_rank
    for rule, (cost, stranded) in expected.items():
        assert found[rule].cost == pytest.approx(cost, rel=1e-7, abs=1e-6), rule
        assert found[rule].stranded == pytest.approx(stranded, rel=1e-6, abs=1e-5), rule
    rest, fixed = np.concatenate(months[first:]), best_level(months[:first])
    assert found[ONCE].cost == pytest.approx(sum(PRICE * fixed + np.maximum(rest - fixed, 0.0)), rel=1e-7, abs=1e-6)


# Laws


@given(
    gpus=st.floats(1.0, 500.0),
    price=st.floats(0.05, 0.95),
    every=st.sampled_from([1.0, 3.0, 6.0]),
    term=st.sampled_from([1.0, 6.0, 12.0, 36.0, None]),
    rest=st.integers(1, 20),
)
@settings(deadline=None, max_examples=6)
def test_when_nothing_changes_every_rule_is_hindsight(gpus, price, every, term, rest):
    term = None if term is None else max(term, every)
    found = tried(case(level(gpus, 4 + rest), price=price, term=term), first=4, every=every)
    for rule, one in found.items():
        if rule != NOTHING:
            assert one.cost == pytest.approx(gpus * price * rest * SEEN, rel=1e-7), rule
            assert one.stranded == pytest.approx(0.0, abs=1e-6)


@st.composite
def histories(draw):
    """Draw a case whose terms are a few hours long, as its history is."""
    drawn = draw(cases())
    terms = st.sampled_from([1.0, 2.0, 3.0, 5.0, 7.0]).map(lambda hours: hours / MONTH)
    offers = [row | ({"term_months": draw(terms)} if row["purchase_option"] in HELD else {}) for row in drawn.offers]
    return drawn.but(offers=offers, months=None)


@given(histories(), st.sampled_from([2, 3]))
@settings(deadline=None, max_examples=12)
def test_no_rule_is_cheaper_than_hindsight(drawn, step):
    try:
        found = rolling.rolling(drawn.inputs(), train=0.5, every_months=step / MONTH).outcomes
    except (InfeasibleError, ValueError):
        return
    best = next(one.cost for one in found if one.rule == HINDSIGHT)
    assert all(one.cost is None or one.cost >= best - 1e-6 * max(1.0, abs(best)) for one in found)


@given(histories(), st.sampled_from([1, 3]))
@settings(deadline=None, max_examples=12)
def test_all_demand_is_served_by_what_is_held_or_bought_as_it_is_used(drawn, step):
    """And what is held is paid for in the hours from its purchase to its end, and in no others."""
    try:
        world = rolling._world(drawn.inputs(), 0.5)
        policies = rolling.policies_of(world, step / MONTH)
        stated, windows = rolling.lived_through(world, policies)
        holds = rolling.bought(world, policies[0])
        pinned = np.where(stated.problem.held, rolling._quantities(stated, windows, holds), math.nan)
        pinned = np.where(np.isnan(stated.problem.pinned), pinned, stated.problem.pinned)
        free = replace(stated.problem, pinned=pinned, limits=Limits(), floors=())
        dispatch = dispatch_of(solve(free))
    except (InfeasibleError, ValueError):
        return
    served = (dispatch.gpu_hours * free.rates).sum(axis=1)
    assert served == pytest.approx(free.demand.sum(axis=1), rel=1e-6, abs=1e-6)
    hours = sorted({row["hour"] for row in drawn.usage})
    rest = [hour for hour in hours if hour >= world.since]
    first = len(free.usage) - len(windows)
    for place, window in enumerate(windows):
        paid = sum(hour >= window.start and (window.end is None or hour < window.end) for hour in rest)
        assert dispatch.held[first + place] == pytest.approx(holds.get(window, 0.0) * paid)
    assert np.all(dispatch.used[free.held] <= dispatch.held[free.held] + 1e-5)


@given(months=HISTORY, other=HISTORY, data=st.data())
@settings(deadline=None, max_examples=4)
def test_what_a_rule_buys_hangs_on_nothing_that_comes_later(months, other, data):
    count = min(len(months), len(other))
    known = data.draw(st.integers(2, count - 1))
    both = months[:count], [*months[:known], *other[known:count]]
    for forecast in (None, "seasonal_level"):
        worlds = [rolling._world(replace(case(needs).inputs(), forecast=forecast), 1 / count) for needs in both]
        dates = [date for date in worlds[0].dates(3.0) if date <= month(known)]
        for policy in rolling.policies_of(worlds[0], 3.0):
            if policy.name == ONCE and forecast is not None:
                continue
            one, two = (
                {window: gpus for window, gpus in rolling.bought(world, policy).items() if window.start <= dates[-1]}
                for world in worlds
            )
            assert one == pytest.approx(two)


# Shaved Ice, and what the README says of it

TOP = Path(__file__).parents[2]
SHAVED_ICE = TOP.parent / "shared" / "data" / "usage" / "shavedice_vm_2021_2022.parquet"
STEP, YEAR_HOURS, RECENT_HOURS = 3 * MONTH, 12 * MONTH, 30 * 24


@pytest.fixture(scope="module")
def usage() -> pl.DataFrame:
    if not SHAVED_ICE.exists():
        pytest.skip("the histories are not on this machine")
    return checked(pl.read_parquet(SHAVED_ICE), USAGE, where="Shaved Ice")


def published():
    """Return what the README says of each rule: shares saved and idle with 2/3 known, and with 1/3 known."""
    lines = (TOP / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.endswith("% |")]
    return {row[0].split(",")[0]: [float(cell.rstrip(" %")) / 100 for cell in row[1:]] for row in rows}


@pytest.mark.parametrize(("train", "place"), [(2 / 3, 0), (1 / 3, 2)])
def test_the_readme_says_what_came_of_ladder_and_hindsight(usage, train, place):
    """And the ladder beats one level for all, and the yearly re-set that sees the same of the time to come."""
    models, said = usage["gpu_model"].unique().sort(), published()
    rows = [offer(f"od-{model}", price=1.0, gpu_model=model) for model in models]
    rows += [reserved(f"1y-{model}", 0.6, gpu_model=model) for model in models]
    inputs = Inputs(
        usage=usage,
        offers=table(rows, OFFERS),
        commitments=None,
        rules=(),
        limits=Limits(),
        months=12,
        now=NOW,
        forecast="best",
    )
    world, (needs, first) = rolling._world(inputs, train), split(usage, train)
    policies, alone = rolling.policies_of(world, 3.0), needs[:, first:].sum()
    best = solve(rolling.lived_through(world, policies)[0].problem).cost
    assert said[HINDSIGHT][place] == pytest.approx(1 - best / alone, abs=1e-3)
    ladder, yearly = (
        lived(needs, first, rolling.bought(world, policy), world, list(models))
        for policy in policies
        if policy.forecast is not None
    )
    names = "the ladder on the forecast best", "a level for each year by the forecast best"
    for name, (cost, idle) in zip(names, (ladder, yearly), strict=True):
        assert said[name][place : place + 2] == pytest.approx([1 - cost / alone, idle / alone], abs=1e-3), name
    assert best < ladder[0] < min(yearly[0], by_quantile(needs, first, needs.shape[1], needs.shape[1], 0.4)[0])


@pytest.mark.parametrize(("train", "place"), [(2 / 3, 0), (1 / 3, 2)])
def test_the_readme_agrees_with_levels_set_by_quantile(usage, train, place):
    """The same rules in a few lines of their own, one VM type after the other."""
    needs, first = split(usage, train)
    alone, said = needs[:, first:].sum(), published()
    expected = {
        LADDER: by_quantile(needs, first, STEP, YEAR_HOURS, 0.4),
        YEARLY: by_quantile(needs, first, YEAR_HOURS, YEAR_HOURS, 0.4),
        RECENT: by_quantile(needs, first, STEP, RECENT_HOURS, 0.4),
        ONCE: by_quantile(needs, first, needs.shape[1], needs.shape[1], 0.4),
    }
    for rank in (50, 70, 90):
        expected[f"the {rank}th percentile at each date"] = by_quantile(needs, first, STEP, YEAR_HOURS, rank / 100)
    for rule, (cost, idle) in expected.items():
        assert said[rule][place : place + 2] == pytest.approx([1 - cost / alone, idle / alone], abs=1.5e-3), rule


def split(usage, train):
    """Return demand, VM types x hours, and the first hour of the rest."""
    hours = usage["hour"].unique().sort()
    pools = usage.group_by("gpu_model", "hour").agg(pl.col("gpu_hours").sum())
    names = usage["gpu_model"].unique().sort()
    needs = np.zeros((len(names), len(hours)))
    place = names.search_sorted(pools["gpu_model"]).to_numpy(), hours.search_sorted(pools["hour"]).to_numpy()
    needs[place] = pools["gpu_hours"].to_numpy()
    return needs, round(train * len(hours))


def lived(needs, first, holds, world, models):
    """Return cost, and what was paid for nothing, of holding what was bought for a year from its date on."""
    held = np.zeros_like(needs)
    for window, gpus in holds.items():
        date = first + int((window.start - world.since) / timedelta(hours=1))
        held[models.index(window.gpu_model), date : date + YEAR_HOURS] += gpus
    return paid(needs[:, first:], held[:, first:])


def paid(needs, held):
    return (0.6 * held + np.maximum(needs - held, 0.0)).sum(), 0.6 * np.maximum(held - needs, 0.0).sum()


def by_quantile(needs, first, step, looks, rank):
    """Return what comes of buying, for a year, or to the end where there is one date, what a quantile asks for."""
    held = np.zeros_like(needs)
    for date in range(first, needs.shape[1], step):
        level = np.quantile(needs[:, max(0, date - looks) : date], rank, axis=1)
        lacks = np.maximum(level - held[:, date], 0.0)
        held[:, date : date + max(YEAR_HOURS, step)] += lacks[:, None]
    return paid(needs[:, first:], held[:, first:])
