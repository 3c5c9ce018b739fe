"""Burn rates and budgets: published figures, drill-downs that add up, and plain loops over hours on random tables."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.burn import COLUMNS, budgets_of, burn_of
from optimizer.trends import cost_of, prices_of
from providers.tables import OFFERS, USAGE, InputError, checked

AT = datetime(2026, 9, 15, 13, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PRICES = pl.DataFrame(
    {"provider": ["a", "b", "a"], "gpu_model": ["X", "X", "Y"], "usd_per_gpu_hour": [3.0, 2.0, 5.0]},
)
PAID_LIST = (None, "idle", "system")  # what occupies a GPU
EVERY = settings(deadline=None, derandomize=True, max_examples=40)
ADDITIVE = (
    "usd_per_hour", "allocated_usd_per_hour", "used_usd_per_hour", "measured_usd_per_hour", "idle_usd_per_hour",
    "other_usd_per_hour", "gpu_hours_per_hour", "gpus_used", "gpus_idle", "unpriced_gpu_hours",
)  # fmt: skip


def row(hour=AT, **cells):
    return {"hour": hour, "workload": "w", "gpu_model": "X", "gpu_hours": 1.0, "provider": "a", "team": "t", **cells}


def residual(kind, hour=AT, **cells):
    return row(hour, **({"workload": None, "team": None, "residual": kind} | cells))


def table(*rows):
    """Return a Usage table; as in one of several sources, rows that are alike stay apart."""
    numbered = [{"source": str(place)} | one for place, one in enumerate(rows)]
    return checked(pl.DataFrame(numbered, infer_schema_length=None), USAGE, where="usage")


def burn(usage, *by, **more):
    found = burn_of(usage, prices=PRICES, by=by, **({"at": AT} | more))
    return found.row(0, named=True) if not by else {line[by[0]]: line for line in found.iter_rows(named=True)}


# Figures that can be read somewhere


def test_oracle_8_with_sixty_reserved():
    """finops.md section 6: $194.00 an hour, of which $18.00 are for what is reserved and not used."""
    rows = []
    for back, nodes in enumerate((40, 40, 40, 60, 80, 100, 100, 60)):
        hour, held = AT - back * HOUR, min(nodes, 60)
        rows.append(row(hour, gpu_hours=held, effective_cost=held * 2.4))
        rows.append(row(hour, gpu_hours=nodes - held, provider="od", effective_cost=(nodes - held) * 4.0))
        rows.append(residual("idle", hour, gpu_hours=60 - held, effective_cost=(60 - held) * 2.4))
    found = burn(table(*rows), hours=8)
    assert found["usd_per_hour"] == pytest.approx(194.0)
    assert (found["allocated_usd_per_hour"], found["idle_usd_per_hour"]) == pytest.approx((176.0, 18.0))
    assert (found["gpu_hours_per_hour"], found["gpus_idle"]) == pytest.approx((65.0, 7.5))


def test_four_holders_of_a_shared_card():
    """finops.md section 5.5: a $3.00 card cut into four replicas, 0.55 active: $3.00 allocated, $1.65 used."""
    holders = [row(workload=name, gpu_hours=0.25, gpu_hours_used=0.1375, effective_cost=0.75) for name in "pqrs"]
    found = burn(table(*holders))
    assert (found["allocated_usd_per_hour"], found["used_usd_per_hour"]) == pytest.approx((3.0, 1.65))
    each = burn(table(*holders), "workload")
    assert {name: line["used_usd_per_hour"] for name, line in each.items()} == pytest.approx(
        dict.fromkeys("pqrs", 0.4125)
    )


def test_a_quarter_of_a_gpu_is_used():
    """OpenCost 1.121: $1 on the basis of what was used, $4 of what was allocated (finops.md, U5)."""
    found = burn(table(row(effective_cost=4.0, gpu_hours_used=0.25)))
    assert (found["used_usd_per_hour"], found["measured_usd_per_hour"]) == (1.0, 4.0)


# What things cost


@pytest.mark.parametrize(
    ("cells", "usd"),
    [
        ({"effective_cost": 7.0}, 7.0),  # the bill goes first
        ({"effective_cost": 0.0}, 0.0),  # 0 is an amount
        ({}, 6.0),  # 2 GPU-hours at a's own price, not b's lower one
        ({"provider": "c"}, 4.0),  # the lowest price of the model
        ({"provider": None}, 4.0),
        ({"gpu_model": "Z"}, None),  # no price, which is not 0
        ({"gpu_model": "Z", "gpu_hours": 0.0}, 0.0),
    ],
)
def test_the_price_of_work(cells, usd):
    assert cost_of(table(row(**({"gpu_hours": 2.0} | cells))), PRICES).to_list() == [usd]


@pytest.mark.parametrize("kind", ["idle", "system", "unused_commitment", "commitment_payment", "tax", "unmatched"])
def test_a_list_price_is_only_for_what_occupies_a_gpu(kind):
    assert cost_of(table(residual(kind)), PRICES).to_list() == [3.0 if kind in PAID_LIST else None]
    assert cost_of(table(residual(kind, effective_cost=0.5)), PRICES).to_list() == [0.5]


def test_prices_are_the_lowest_on_demand_ones():
    sold = {"provider": "a", "gpu_model": "X", "holding_usd_per_gpu_hour": 0.0}
    terms = [("1", "on_demand", 3.0), ("2", "on_demand", 2.5), ("3", "spot", 1.0)]
    offers = [
        {**sold, "offer_id": name, "purchase_option": option, "usage_usd_per_gpu_hour": usd}
        for name, option, usd in terms
    ]
    assert prices_of(checked(pl.DataFrame(offers), OFFERS, where="offers")).rows() == [("a", "X", 2.5)]


# What a row means


def test_unknown_is_not_nothing():
    found = burn(table(row(gpu_model="Z", gpu_hours=3.0)))
    assert (found["usd_per_hour"], found["allocated_usd_per_hour"], found["unpriced_gpu_hours"]) == (None, None, 3.0)
    assert (found["idle_usd_per_hour"], found["other_usd_per_hour"]) == (0.0, 0.0)
    assert (found["used_usd_per_hour"], found["gpus_used"], found["gpu_hours_per_hour"]) == (None, None, 3.0)


def test_an_hour_that_the_table_lacks_is_unknown():
    found = burn(table(row()), at=AT + HOUR)
    assert {found[name] for name in ADDITIVE} == {None}
    assert found["daily_usd"][-1] == 3.0 / 2  # its hours from the first row on, at 13:00 and 14:00
    assert found["daily_usd"][:-1] == [None] * 13


def test_what_has_stopped_shows_as_nothing():
    stopped = burn(table(row(AT - 7 * DAY, workload="old"), row(workload="new")), "workload")
    assert (stopped["old"]["usd_per_hour"], stopped["old"]["change_share"]) == (0.0, -1.0)
    assert (stopped["new"]["usd_per_hour"], stopped["new"]["change_share"]) == (3.0, None)
    assert list(stopped) == ["new", "old"]


def test_the_change_is_against_the_same_hours_a_week_before():
    rows = [row(AT - 7 * DAY, gpu_hours=2.0), row(AT - DAY, gpu_hours=9.0), row(gpu_hours=3.0)]
    assert burn(table(*rows))["change_share"] == pytest.approx(0.5)


def test_a_day_is_spread_over_its_hours():
    whole_day = row(AT.replace(hour=0), granularity="day", gpu_hours=24.0, gpu_hours_used=12.0)
    found = burn(table(whole_day), hours=2, days=2)
    assert (found["usd_per_hour"], found["gpu_hours_per_hour"], found["gpus_used"]) == pytest.approx((3.0, 1.0, 0.5))
    assert found["daily_usd"] == [None, pytest.approx(3.0)]
    tomorrow = burn(table(whole_day), at=AT + DAY)
    assert tomorrow["usd_per_hour"] is None


def test_the_dearest_is_first_then_the_name_then_the_empty_cell_and_the_unknown_last():
    rows = [
        row(team="b", gpu_hours=2.0), row(team=None, gpu_hours=2.0), row(team="a", gpu_hours=2.0),
        row(team="z", gpu_hours=5.0), row(team="u", gpu_model="Z"),
    ]  # fmt: skip
    assert list(burn(table(*rows), "team")) == ["z", "a", "b", None, "u"]


def test_further_tags_may_be_called_as_they_like():
    """Tags that have the names of columns used inside."""
    tags = {name: f"{name}!" for name in ("0", "now", "usd", "work", "part", "day_0", "before", "used", "here")}
    for name, value in tags.items():
        assert burn(table(row(**tags)), name)[value]["usd_per_hour"] == 3.0
        assert burn(table(row(**tags)), "team", within={name: value})["t"]["usd_per_hour"] == 3.0
        assert burn(table(row(**tags)), "team", within={name: None}) == {}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"by": ["squad"]}, "usage: has no column of text squad; take one of workload, gpu_model, provider"),
        ({"by": ["gpu_hours"]}, "usage: has no column of text gpu_hours"),
        ({"by": [], "within": {"squad": "x"}}, "usage: has no column of text squad"),
        ({"by": ["team", "team"]}, "usage: is grouped twice by one of team, team"),
        ({"by": ["gpus_idle"]}, "usage: has a tag gpus_idle, which is a column of the result too"),
        ({"by": [], "hours": 0}, "hours: is 0, and days 14; take at least one hour"),
    ],
)
def test_what_cannot_be_asked(asked, message):
    with pytest.raises(InputError, match=message):
        burn_of(table(row(gpus_idle="x")), prices=PRICES, at=AT, **asked)


def test_of_nothing_there_is_one_row_or_none():
    usage = table(row(AT - 90 * DAY))
    assert burn_of(usage, prices=PRICES, by=["team"], at=AT).columns == ["team", *COLUMNS]
    assert burn_of(usage, prices=PRICES, by=["team"], at=AT).is_empty()
    assert burn(usage, days=0)["daily_usd"] == []


# Random tables: the second formulation looks at one hour after another

TEXT = {"provider": ("a", "b", None), "team": ("t", "s", None), "gpu_model": ("X", "Y", "Z")}


@st.composite
def rows(draw, *, since=AT - 16 * DAY, hours=17 * 24):
    kind = draw(st.sampled_from([None, None, None, "idle", "system", "tax", "credit", "unused_commitment"]))
    gpu_hours = draw(st.integers(0, 8)) / 2
    cells = {name: draw(st.sampled_from(values)) for name, values in TEXT.items()}
    cost = draw(st.one_of(st.none(), st.integers(-400 if kind == "credit" else 0, 4000).map(lambda cents: cents / 100)))
    return {
        "hour": since + draw(st.integers(0, hours)) * HOUR,
        "workload": draw(st.sampled_from(["t/train", "t/serve", "s/train"])) if kind is None else None,
        "residual": kind,
        "gpu_hours": gpu_hours,
        "gpu_hours_used": draw(st.one_of(st.none(), st.integers(0, 4).map(lambda part: gpu_hours * part / 4))),
        "effective_cost": cost,
        "granularity": draw(st.sampled_from(["hour", "day"])),
        **cells,
    }


def tables(**where):
    near = rows(since=AT - 30 * HOUR, hours=30)
    return st.lists(st.one_of(rows(**where), near), min_size=1, max_size=14).map(lambda drawn: table(*drawn))


def price(one):
    if one["effective_cost"] is not None or one["residual"] not in PAID_LIST:
        return one["effective_cost"]
    if not one["gpu_hours"]:
        return 0.0
    listed = {(provider, model): usd for provider, model, usd in PRICES.iter_rows()}
    of_model = [usd for (_, model), usd in listed.items() if model == one["gpu_model"]]
    usd = listed.get((one["provider"], one["gpu_model"]), min(of_model, default=None))
    return None if usd is None else usd * one["gpu_hours"]


def hourly(usage):
    """Return a row for each hour that a row stands for, with its part of every amount."""
    pieces = []
    for one in usage.iter_rows(named=True):
        length, usd = (24 if one["granularity"] == "day" else 1), price(one)
        used = one["gpu_hours_used"] if one["gpu_hours"] else None
        for later in range(length):
            piece = one | {"hour": one["hour"] + later * HOUR, "usd": None if usd is None else usd / length}
            piece |= {"gpu_hours": one["gpu_hours"] / length, "used": None if used is None else used / length}
            pieces.append(piece)
    return pieces


def total(amounts):
    """Return the sum of what is known; None where there is something and nothing is known of it."""
    amounts = list(amounts)
    found = [amount for amount in amounts if amount is not None]
    return sum(found) if found or not amounts else None


def used_usd(piece):
    return None if piece["usd"] is None else piece["usd"] * piece["used"] / piece["gpu_hours"]


def plain_burn(pieces, everything, *, hours, days):
    """Return the columns of one row from its pieces; `everything` is the pieces of the whole table."""
    window = [AT - back * HOUR for back in range(hours)]
    now = [piece for piece in pieces if piece["hour"] in window]
    work = [piece for piece in now if piece["residual"] is None]
    idle = [piece for piece in now if piece["residual"] == "idle"]
    other = [piece for piece in now if piece["residual"] not in (None, "idle")]
    metered = [piece for piece in work if piece["used"] is not None]
    found = {
        "usd_per_hour": total(piece["usd"] for piece in now),
        "allocated_usd_per_hour": total(piece["usd"] for piece in work),
        "used_usd_per_hour": total(map(used_usd, metered)) if metered else None,
        "measured_usd_per_hour": total(piece["usd"] for piece in metered) if metered else None,
        "idle_usd_per_hour": total(piece["usd"] for piece in idle),
        "other_usd_per_hour": total(piece["usd"] for piece in other),
        "gpu_hours_per_hour": sum(piece["gpu_hours"] for piece in work),
        "gpus_used": sum(piece["used"] for piece in metered) if metered else None,
        "gpus_idle": sum(piece["gpu_hours"] for piece in idle),
    }
    found = {name: None if value is None else value / hours for name, value in found.items()}
    found["unpriced_gpu_hours"] = sum(piece["gpu_hours"] for piece in now if piece["usd"] is None)
    if not any(piece["hour"] in window for piece in everything):
        found = dict.fromkeys(found)
    before = total(piece["usd"] for piece in pieces if piece["hour"] + 7 * DAY in window)
    change = None
    if before is not None and before > 1e-9 and found["usd_per_hour"] is not None:
        change = found["usd_per_hour"] * hours / before - 1
    first = min(piece["hour"] for piece in everything)
    return found | {"change_share": change, "daily_usd": [plain_day(pieces, everything, first, back) for back in days]}


def plain_day(pieces, everything, first, back):
    day = (AT - back * DAY).replace(hour=0)
    hours = [day + later * HOUR for later in range(24) if first <= day + later * HOUR <= AT]
    if not any(piece["hour"] in hours for piece in everything):
        return None
    found = total(piece["usd"] for piece in pieces if piece["hour"] in hours)
    return None if found is None else found / len(hours)


def seen(pieces, hours, days):
    """Whether any of the pieces lies in an hour looked at."""
    since = (AT - (days - 1) * DAY).replace(hour=0)
    window = [AT - back * HOUR for back in range(hours)]
    return any(since <= piece["hour"] <= AT or piece["hour"] + 7 * DAY in window for piece in pieces)


@EVERY
@given(tables(), st.sampled_from([(), ("provider",), ("team", "gpu_model")]), st.sampled_from([1, 5, 30]))
def test_burn_is_what_plain_loops_over_hours_say(usage, by, hours):
    everything, days = hourly(usage), 3
    groups = {}
    for piece in everything:
        groups.setdefault(tuple(piece[name] for name in by), []).append(piece)
    expected = {
        key: plain_burn(pieces, everything, hours=hours, days=range(days - 1, -1, -1))
        for key, pieces in groups.items()
        if not by or seen(pieces, hours, days)
    }
    found = burn_of(usage, prices=PRICES, by=by, at=AT + timedelta(minutes=59), hours=hours, days=days)
    assert {tuple(line[name] for name in by) for line in found.iter_rows(named=True)} == set(expected)
    for line in found.iter_rows(named=True):
        for name, value in expected[tuple(line[name] for name in by)].items():
            assert line[name] == pytest.approx(value, abs=1e-6), name


@settings(EVERY, max_examples=10)
@given(tables(), st.sampled_from([1, 24, 100]))
def test_children_add_up_to_their_parent_at_every_level(usage, hours):
    def drilled(within, levels):
        if not levels:
            return
        parent = burn_of(usage, prices=PRICES, by=[], within=within, at=AT, hours=hours).row(0, named=True)
        children = burn_of(usage, prices=PRICES, by=levels[:1], within=within, at=AT, hours=hours)
        for name in ADDITIVE:
            assert children[name].sum() == pytest.approx(parent[name] or 0.0, abs=1e-6)
        for place, usd in enumerate(parent["daily_usd"]):
            assert children["daily_usd"].list.get(place).sum() == pytest.approx(usd or 0.0, abs=1e-6)
        for name in children[levels[0]]:
            drilled({**within, levels[0]: name}, levels[1:])

    drilled({}, ["provider", "gpu_model", "team"])


@EVERY
@given(tables())
def test_the_burn_of_all_hours_is_the_cost_of_the_table(usage):
    hours = 24 * 40
    found = burn(usage, at=AT + 2 * DAY, hours=hours, days=40)
    costs = [usd for one in usage.iter_rows(named=True) if (usd := price(one)) is not None]
    assert (found["usd_per_hour"] or 0.0) * hours == pytest.approx(sum(costs), abs=1e-6)
    parts = [found[f"{name}_usd_per_hour"] or 0.0 for name in ("allocated", "idle", "other")]
    assert sum(parts) == pytest.approx(found["usd_per_hour"] or 0.0, abs=1e-9)


# Budgets


def state(usage, usd_per_month, glob="*", at=AT):
    [found] = budgets_of(usage, prices=PRICES, budgets={glob: usd_per_month}, at=at)
    return found


def test_a_constant_rate_makes_a_whole_month():
    """$3 an hour all September, at the end of hour 13 of the 15th: 350 hours are gone of 720."""
    since = datetime(2026, 9, 1, tzinfo=UTC)
    found = state(table(*(row(since + later * HOUR) for later in range(350))), 3000.0)
    assert (found.spent_usd, found.forecast_usd) == pytest.approx((1050.0, 2160.0))
    assert (found.share_now, found.share_forecast) == pytest.approx((0.35, 0.72))
    assert (found.state_now, found.state_forecast, found.used_up_at) == ("ok", "ok", None)


@pytest.mark.parametrize(
    ("usd", "word"), [(79.99, "ok"), (80.0, "warn"), (99.99, "warn"), (100.0, "over"), (110.0, "over")]
)
def test_budgets_warn_at_80_and_end_at_100_percent(usd, word):
    """finops.md, G3 and G4: 100 spent of a budget of 110 warns."""
    assert state(table(row(effective_cost=usd)), 100.0, at=AT).state_now == word
    assert state(table(row(effective_cost=100.0)), 110.0).state_now == "warn"


def test_a_budget_is_used_up_when_its_rate_says():
    """$3 an hour since midnight of the 1st: $1,200 are spent after 400 hours."""
    since = datetime(2026, 9, 1, tzinfo=UTC)
    found = state(table(*(row(since + later * HOUR) for later in range(350))), 1200.0)
    assert (found.state_now, found.state_forecast) == ("warn", "over")
    assert found.used_up_at == since + 400 * HOUR


def test_the_month_is_the_calendar_month_in_utc():
    last = datetime(2026, 9, 30, 23, tzinfo=UTC)
    usage = table(row(datetime(2026, 8, 31, 23, tzinfo=UTC)), row(last), row(last + HOUR))
    assert (state(usage, 9.0, at=last).spent_usd, state(usage, 9.0, at=last).forecast_usd) == (3.0, 3.0)
    assert state(usage, 9.0, at=last + HOUR).spent_usd == 3.0


def test_a_glob_is_of_workloads_and_the_star_is_of_everything():
    usage = table(row(workload="a/train"), row(workload="b/train"), residual("tax", gpu_hours=0.0, effective_cost=0.5))
    globs = {"*": 1.0, "a/*": 1.0, "*/train": 1.0, "A/*": 1.0}
    states = budgets_of(usage, prices=PRICES, budgets=globs, at=AT)
    assert [(one.glob, one.spent_usd) for one in states] == [("*", 6.5), ("a/*", 3.0), ("*/train", 6.0), ("A/*", 0.0)]


def test_what_has_no_price_is_no_proof():
    found = state(table(row(gpu_model="Z", gpu_hours=4.0)), 100.0)
    assert (found.spent_usd, found.share_now, found.state_now, found.unpriced_gpu_hours) == (None, None, "unknown", 4.0)
    some = state(table(row(gpu_model="Z", gpu_hours=4.0), row()), 100.0)
    assert (some.spent_usd, some.state_now, some.unpriced_gpu_hours) == (3.0, "ok", 4.0)


def test_a_budget_of_nothing_is_over_once_anything_is_spent():
    assert state(table(row()), 0.0).state_now == "over"
    assert state(table(row(effective_cost=0.0)), 0.0).state_now == "ok"


@EVERY
@given(tables(since=AT - 40 * DAY, hours=41 * 24))
def test_budgets_are_what_plain_loops_over_hours_say(usage):
    pieces = [piece for piece in hourly(usage) if piece["hour"] <= AT]
    lately = min(168, max((AT - usage["hour"].min()) / HOUR + 1, 1))
    for glob, matches in {"*": lambda _: True, "t/*": lambda piece: (piece["workload"] or "").startswith("t/")}.items():
        mine = [piece for piece in pieces if matches(piece)]
        month = [piece for piece in mine if piece["hour"] >= AT.replace(day=1, hour=0)]
        spent = sum(piece["usd"] or 0.0 for piece in month)
        rate = sum(piece["usd"] or 0.0 for piece in mine if piece["hour"] > AT - 7 * DAY) / lately
        unpriced = sum(piece["gpu_hours"] for piece in month if piece["usd"] is None)
        found = state(usage, 50.0, glob)
        assert found.unpriced_gpu_hours == pytest.approx(unpriced, abs=1e-6)
        assert (found.spent_usd or 0.0) == pytest.approx(spent, abs=1e-6)
        assert (found.spent_usd is None) == (unpriced > 0 and all(piece["usd"] is None for piece in month))
        if found.forecast_usd is not None:
            assert found.forecast_usd == pytest.approx(spent + rate * (720 - 350), abs=1e-6)
