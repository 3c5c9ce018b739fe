"""Who pays what: published splits, sums that hold to the cent, and plain loops over hours on random tables."""

import doctest
import math
from datetime import UTC, date, datetime
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer import showback
from optimizer.sharing import share_out
from optimizer.showback import cents_of, idle_leaders_of, showback_of, untagged_of
from optimizer.units import unit_costs_of
from providers.tables import InputError
from tests.optimizer.test_allocation_sharing import OVERHEAD, USAGE
from tests.optimizer.test_burn import AT, DAY, EVERY, HOUR, PRICES, hourly, price, residual, row, table, tables

SINCE, UNTIL = AT - 40 * DAY, AT + 40 * DAY  # around every row that is drawn
POLICIES = ("showback", "proportional", "even", "fixed")
SHARES = {"t": 0.5, "": 0.2, "absent": 0.25}


def shown(usage, policy="showback", *, by=("team",), since=SINCE, until=UNTIL, **more):
    found = showback_of(usage, prices=PRICES, by=by, policy=policy, since=since, until=until, **more)
    return {(line[by[0]], line["kind"]): line for line in found.iter_rows(named=True)}


def totals(lines):
    return {key: line["total_usd"] for key, line in lines.items()}


# Figures that can be read somewhere


def test_opencost_overhead_by_weight():
    """OpenCost's case 4d (finops.md section 5.2): $168 of overhead on namespaces of 28, 36 and 18."""
    rows = pl.concat([USAGE.filter(pl.col("residual").is_null()), OVERHEAD]).iter_rows(named=True)
    usage = table(
        *(row(workload=one["residual"] or "w", residual=one["residual"], team=one["namespace"],
              effective_cost=one["effective_cost"]) for one in rows)
    )  # fmt: skip
    found = totals(shown(usage, "proportional"))
    expected = {("ns1", "owner"): 85.366, ("ns2", "owner"): 109.756, ("ns3", "owner"): 54.878}
    assert found == pytest.approx(expected, abs=1e-3)


def test_focus_three_quarters_of_a_commitment_are_used():
    """FOCUS 1.2, 75 % (finops.md section 5.5): used 0.75 and unused 0.25 of $1 an hour."""
    usage = table(row(effective_cost=0.75), residual("unused_commitment", gpu_hours=0.0, effective_cost=0.25))
    assert totals(shown(usage)) == {("t", "owner"): 0.75, (None, "shared"): 0.25}
    assert totals(shown(usage, "proportional")) == {("t", "owner"): 1.0}


def test_oracle_8_charges_its_waste():
    """finops.md section 6: of $194.00 an hour $18.00 are idle, which is 9.3 % of the spend."""
    usage = table(row(gpu_hours=65.0, effective_cost=176.0), residual("idle", gpu_hours=7.5, effective_cost=18.0))
    [line] = shown(usage, "even").values()
    assert (line["direct_usd"], line["shared_usd"], line["total_usd"]) == (176.0, 18.0, 194.0)
    assert line["usd_per_gpu_hour"] == pytest.approx(194.0 / 65.0)


# What a row means


def three_teams():
    """Two teams at $6 and $3, $3 without a team, and $8 that nobody caused."""
    return table(
        row(team="a", gpu_hours=2.0, gpu_hours_used=1.0), row(team="b"), row(team=None),
        residual("idle", gpu_hours=1.0, effective_cost=5.0), residual("tax", gpu_hours=0.0, effective_cost=3.0),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("showback", {("a", "owner"): 6, ("b", "owner"): 3, (None, "untagged"): 3, (None, "shared"): 8}),
        ("proportional", {("a", "owner"): 10, ("b", "owner"): 5, (None, "untagged"): 5}),
        ("even", {("a", "owner"): 6 + 8 / 3, ("b", "owner"): 3 + 8 / 3, (None, "untagged"): 3 + 8 / 3}),
        ("fixed", {("a", "owner"): 10, ("c", "owner"): 2, ("b", "owner"): 3, (None, "untagged"): 3,
                   (None, "shared"): 2}),
    ],
)  # fmt: skip
def test_each_policy(policy, expected):
    found = shown(three_teams(), policy, fixed={"a": 0.5, "c": 0.25} if policy == "fixed" else {})
    assert totals(found) == pytest.approx(expected)
    assert sum(line["share_of_total"] for line in found.values()) == pytest.approx(1.0)


def test_what_is_untagged_has_a_fixed_share_too():
    found = totals(shown(three_teams(), "fixed", fixed={"": 1.0}))
    assert found == {(None, "untagged"): 11.0, ("a", "owner"): 6.0, ("b", "owner"): 3.0}


def test_the_rates_of_a_team():
    line = shown(three_teams(), "proportional")["a", "owner"]
    assert (line["gpu_hours"], line["used_share"]) == (2.0, 0.5)
    assert (line["usd_per_gpu_hour"], line["usd_per_used_gpu_hour"]) == pytest.approx((5.0, 10.0))
    unmeasured = shown(three_teams(), "proportional")["b", "owner"]
    assert (unmeasured["used_share"], unmeasured["usd_per_used_gpu_hour"]) == (None, None)


def test_rates_are_of_what_is_measured_and_of_what_has_a_price():
    """$6 for 2 of 5 GPU-hours; half of the one GPU-hour that is measured was active, so $3.00 and $6.00 an hour."""
    usage = table(row(gpu_hours_used=0.5), row(), row(gpu_model="Z", gpu_hours=3.0))
    line = shown(usage)["t", "owner"]
    assert (line["gpu_hours"], line["used_share"], line["unpriced_gpu_hours"]) == (5.0, 0.5, 3.0)
    assert (line["usd_per_gpu_hour"], line["usd_per_used_gpu_hour"]) == pytest.approx((3.0, 6.0))


def test_a_team_in_credit_has_no_part_of_what_is_shared():
    credit = residual("credit", gpu_hours=0.0, team="rich", effective_cost=-5.0)
    found = totals(shown(table(row(), credit, residual("idle", effective_cost=2.0)), "proportional"))
    assert found == {("t", "owner"): 5.0, ("rich", "owner"): -5.0}


def test_waste_that_names_a_team_and_no_project_is_that_teams():
    usage = table(row(project="p"), residual("unused_commitment", gpu_hours=0.0, team="t", effective_cost=4.0))
    found = showback_of(usage, prices=PRICES, by=["team", "project"], policy="even", since=SINCE, until=UNTIL)
    lines = found.select("team", "project", "kind", "total_usd").rows()
    assert lines == [("t", None, "untagged", 4.0), ("t", "p", "owner", 3.0)]


def test_a_team_pays_for_the_waste_that_names_it():
    usage = table(row(), residual("unused_commitment", gpu_hours=0.0, team="t", effective_cost=4.0))
    assert totals(shown(usage)) == {("t", "owner"): 7.0}


def test_a_blank_tag_is_none():
    assert list(shown(table(row(team="  ")))) == [(None, "untagged")]


def test_half_a_tag_is_untagged():
    usage = table(row(project=None), row(project="p"))
    found = showback_of(usage, prices=PRICES, by=["team", "project"], policy="even", since=SINCE, until=UNTIL)
    assert found.select("team", "project", "kind").rows() == [("t", "p", "owner"), ("t", None, "untagged")]


def test_what_has_no_price_is_not_nothing():
    found = shown(table(row(gpu_model="Z", gpu_hours=4.0), residual("unmatched", gpu_model=None, gpu_hours=2.0)))
    work, claim = found["t", "owner"], found[None, "shared"]
    assert (work["direct_usd"], work["total_usd"], work["total_cents"], work["unpriced_gpu_hours"]) == (*[None] * 3, 4)
    assert (claim["total_usd"], claim["unpriced_gpu_hours"]) == (None, 2.0)


def test_where_nobody_has_a_cost_to_go_by_it_stays_shared():
    usage = table(row(effective_cost=0.0), residual("idle", effective_cost=2.0))
    assert totals(shown(usage, "proportional")) == {("t", "owner"): 0.0, (None, "shared"): 2.0}
    assert totals(shown(usage, "even")) == {("t", "owner"): 2.0}
    assert totals(shown(table(residual("idle", effective_cost=2.0)), "even")) == {(None, "shared"): 2.0}


def test_only_the_time_asked_for_counts():
    day = table(row(AT.replace(hour=0), granularity="day", gpu_hours=24.0))
    assert totals(shown(day, since=AT, until=AT + 3 * HOUR)) == pytest.approx({("t", "owner"): 9.0})
    assert shown(day, since=AT + DAY, until=AT + 2 * DAY) == {}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"by": ()}, "by: names no column; group by a column such as team"),
        ({"by": ("squad",)}, "usage: has no column of text squad"),
        ({"fixed": {"a": 0.7, "b": 0.4}}, "fixed: shares come to 1.1; 1 is the whole"),
        ({"fixed": {"a": -0.1}}, "fixed: gives a the share -0.1; from 0 to 1"),
        ({"fixed": {"": math.nan}}, "fixed: gives what is untagged the share nan; from 0 to 1"),
        ({"by": ("team", "project"), "fixed": {"a": 1.0}}, "fixed: shares are of one column, not of team, project"),
    ],
)
def test_what_cannot_be_asked(asked, message):
    with pytest.raises(InputError, match=message):
        showback_of(table(row()), prices=PRICES, policy="fixed", since=SINCE, until=UNTIL, **asked)


# Cents


def test_the_examples_of_the_module():
    assert doctest.testmod(showback).attempted > 0
    assert doctest.testmod(showback).failed == 0


@EVERY
@given(st.lists(st.one_of(st.none(), st.floats(-1e7, 1e7)), max_size=30))
def test_cents_add_up_and_miss_by_less_than_one(usd):
    cents = cents_of(usd)
    known = [Fraction(amount) * 100 for amount in usd if amount is not None]
    assert [amount is None for amount in usd] == [cent is None for cent in cents]
    whole = sum(cent for cent in cents if cent is not None)
    assert abs(whole - sum(known)) <= Fraction(1, 2) + Fraction(1, 10**5)
    for exact, cent in zip(known, (cent for cent in cents if cent is not None), strict=True):
        assert abs(exact - cent) < 1 + Fraction(1, 10**5)


# Random tables


@EVERY
@given(tables(), st.sampled_from(POLICIES), st.sampled_from([("team",), ("provider", "gpu_model")]))
def test_every_policy_adds_up_to_the_table_to_the_cent(usage, policy, by):
    if policy == "fixed":
        by = by[:1]
    found = showback_of(usage, prices=PRICES, by=by, policy=policy, since=SINCE, until=UNTIL,
                        fixed=SHARES if policy == "fixed" else {})  # fmt: skip
    costs = [(one, price(one)) for one in usage.iter_rows(named=True)]
    whole = math.fsum(usd for _, usd in costs if usd is not None)
    assert found["total_usd"].sum() == pytest.approx(whole, abs=1e-6)
    assert abs(found["total_cents"].sum() - whole * 100) <= 0.5 + 1e-6
    work = [one["gpu_hours"] for one, _ in costs if one["residual"] is None]
    assert found["gpu_hours"].sum() == pytest.approx(sum(work))
    unpriced = [one["gpu_hours"] for one, usd in costs if usd is None]
    assert found["unpriced_gpu_hours"].sum() == pytest.approx(sum(unpriced))


@EVERY
@given(
    tables(), st.sampled_from(["showback", "proportional", "even", "fixed"]), st.integers(-40, 10), st.integers(1, 60)
)
def test_each_team_pays_what_plain_loops_say(usage, policy, start, length):
    since = AT + start * HOUR
    until = since + length * HOUR
    pieces = [piece for piece in hourly(usage) if since <= piece["hour"] < until]
    direct, pot = {}, 0.0
    for piece in pieces:
        if piece["residual"] is None or piece["team"] is not None:
            direct[piece["team"]] = direct.get(piece["team"], 0.0) + (piece["usd"] or 0.0)
        else:
            pot += piece["usd"] or 0.0
    if policy == "fixed":
        direct = {"t": 0.0, None: 0.0, "absent": 0.0} | direct
    shares = plain_shares(policy, direct)
    expected = {team: usd + pot * shares[team] for team, usd in direct.items()}
    found = shown(usage, policy, since=since, until=until, fixed=SHARES if policy == "fixed" else {})
    left = found.pop((None, "shared"), {"total_usd": 0.0})["total_usd"]
    assert {team: usd or 0.0 for (team, _), usd in totals(found).items()} == pytest.approx(expected, abs=1e-6)
    assert (left or 0.0) == pytest.approx(pot * (1 - sum(shares.values())), abs=1e-6)


def plain_shares(policy, direct):
    if policy == "fixed":
        return {team: SHARES.get(team or "", 0.0) for team in direct}
    weights = {
        "showback": dict.fromkeys(direct, 0.0),
        "even": dict.fromkeys(direct, 1.0),
        "proportional": {team: max(usd, 0.0) for team, usd in direct.items()},
    }[policy]
    whole = sum(weights.values())
    return {team: weight / whole if whole > 1e-9 else 0.0 for team, weight in weights.items()}


@EVERY
@given(tables())
def test_in_proportion_is_the_same_as_sharing_out_row_by_row(usage):
    """`sharing.share_out` weighs rows; where no row is negative, so do teams."""
    work = usage.filter(pl.col("residual").is_null() | pl.col("team").is_null())
    priced = work.with_columns(effective_cost=pl.Series([price(one) or 0.0 for one in work.iter_rows(named=True)]))
    if priced.is_empty():
        return
    rows = share_out(priced, pl.col("residual").is_not_null(), how="weighted")
    by_team = rows.group_by("team", pl.col("residual").is_not_null().alias("shared")).agg(
        (pl.col("effective_cost") + pl.col("shared_cost")).sum().alias("usd")
    )
    expected = {(team, shared): usd for team, shared, usd in by_team.iter_rows() if abs(usd) > 1e-9}
    found = totals(shown(priced, "proportional"))
    mine = {(team, kind == "shared"): usd for (team, kind), usd in found.items() if abs(usd) > 1e-9}
    assert mine == pytest.approx(expected, abs=1e-6)


# Waste


def leaders(usage, *by, **more):
    given = {"since": SINCE, "until": UNTIL} | more
    found = idle_leaders_of(usage, prices=PRICES, by=by or ("team", "workload"), **given)
    return {tuple(line[name] for name in (by or ("team", "workload"))): line for line in found.iter_rows(named=True)}


def test_who_wastes_most():
    rows = [row(AT - back * HOUR, workload="busy", gpu_hours_used=0.9) for back in range(3)]
    rows += [row(AT - back * HOUR, workload="lazy", gpu_hours_used=used) for back, used in enumerate((0.04, 0.05, 1.0))]
    found = leaders(table(*rows, row(workload="unmeasured"), residual("idle", gpu_hours=9.0)))
    assert list(found) == [("t", "lazy"), ("t", "busy")]
    lazy = found["t", "lazy"]
    assert (lazy["allocated_usd"], lazy["used_usd"], lazy["unused_usd"]) == pytest.approx((9.0, 3.27, 5.73))
    assert (lazy["quiet_hours"], found["t", "busy"]["quiet_hours"]) == (1.0, 0.0)


def test_the_activity_of_an_hour_is_that_of_all_its_gpus():
    """One GPU of 30 is busy, 3.3 % of them: a quiet hour, whatever that row says for itself."""
    rows = [row(gpu_hours_used=1.0), row(gpu_hours=29.0, gpu_hours_used=0.0, provider="b")]
    assert leaders(table(*rows), "team")[("t",)]["quiet_hours"] == 1.0
    busy = [row(gpu_hours_used=0.0), row(gpu_hours=29.0, gpu_hours_used=29.0, provider="b")]
    assert leaders(table(*busy), "team")[("t",)]["quiet_hours"] == 0.0


def test_a_quiet_day_has_as_many_hours_as_lie_in_the_time():
    day = table(row(AT.replace(hour=0), granularity="day", gpu_hours=24.0, gpu_hours_used=0.5))
    assert leaders(day)["t", "w"]["quiet_hours"] == 24.0
    assert leaders(day, since=AT, until=AT + 5 * HOUR)["t", "w"]["quiet_hours"] == pytest.approx(5.0)


def test_waste_without_a_price_is_counted_in_gpu_hours():
    found = leaders(table(row(gpu_model="Z", gpu_hours=4.0, gpu_hours_used=1.0)))["t", "w"]
    assert (found["unused_usd"], found["unused_gpu_hours"], found["unpriced_gpu_hours"]) == (None, 3.0, 4.0)


@EVERY
@given(tables())
def test_waste_is_what_plain_loops_say(usage):
    metered = [
        piece
        for piece in hourly(usage)
        if piece["residual"] is None and piece["gpu_hours"] and piece["used"] is not None
    ]
    for (workload,), line in leaders(usage, "workload").items():
        mine = [piece for piece in metered if piece["workload"] == workload]
        unused = [piece["usd"] * (1 - piece["used"] / piece["gpu_hours"]) for piece in mine if piece["usd"] is not None]
        assert (line["unused_usd"] or 0.0) == pytest.approx(sum(unused), abs=1e-6)
        hours = sum(piece["gpu_hours"] - piece["used"] for piece in mine)
        assert line["unused_gpu_hours"] == pytest.approx(hours, abs=1e-6)
    assert set(leaders(usage, "workload")) == {(piece["workload"],) for piece in metered}


# Tags


def test_what_lacks_a_tag_by_provider():
    usage = table(
        row(team=None, gpu_hours=2.0), row(), row(team=" ", provider="b"), row(provider=None),
        residual("idle"), row(team=None, gpu_model="Z"),
    )  # fmt: skip
    found = untagged_of(usage, ["team", "cost_center"], prices=PRICES, since=SINCE, until=UNTIL)
    lines = {(line["tag"], line["provider"]): line for line in found.iter_rows(named=True)}
    assert list(lines) == [("team", "a"), ("team", "b"), *(("cost_center", name) for name in ("a", "b", None))]
    team = lines["team", "a"]
    assert (team["usd"], team["gpu_hours"], team["unpriced_gpu_hours"]) == (6.0, 3.0, 1.0)
    assert (team["usd_share"], team["gpu_hours_share"]) == (6 / 9, 3 / 4)
    assert lines["cost_center", "b"]["usd_share"] == 1.0


@EVERY
@given(tables())
def test_what_is_untagged_and_what_is_tagged_add_up(usage):
    found = untagged_of(usage, ["team"], prices=PRICES, since=SINCE, until=UNTIL)
    lacking = [one for one in usage.iter_rows(named=True) if one["residual"] is None and one["team"] is None]
    assert found["gpu_hours"].sum() == pytest.approx(sum(one["gpu_hours"] for one in lacking))
    assert found["usd"].sum() == pytest.approx(sum(price(one) or 0.0 for one in lacking), abs=1e-6)
    assert set(found["provider"]) == {one["provider"] for one in lacking}


def test_no_tags_are_lacked_by_nothing():
    assert untagged_of(table(row()), [], prices=PRICES, since=SINCE, until=UNTIL).is_empty()


# Units


def units(*rows, who="workload", when="day"):
    return pl.DataFrame(rows, schema=[when, who, "unit", "quantity"], orient="row", infer_schema_length=None)


def costs(usage, table_of_units, **per):
    found = unit_costs_of(usage, table_of_units, prices=PRICES, per=per)
    return {(line["month"].isoformat()[:7], line["unit"]): line for line in found.iter_rows(named=True)}


def test_a_tenth_of_a_cent_an_inference():
    """finops.md, U2: $0.003 an inference, 10 million a day, are $30,000 a day, or $3 per 1,000."""
    usage = table(row(effective_cost=30_000.0))
    [line] = costs(usage, units((date(2026, 9, 15), "w", "inferences", 10e6)), inferences=1000.0).values()
    assert (line["usd_per_unit"], line["per"]) == (pytest.approx(3.0), 1000.0)


def test_the_fraud_model():
    """finops.md, U2: $4,115 a month at $0.0023 are 1,789,130 predictions."""
    usage = table(row(effective_cost=4115.0))
    [line] = costs(usage, units(("2026-09-30", "w", "predictions", 1_789_130))).values()
    assert line["usd_per_unit"] == pytest.approx(0.0023, abs=5e-9)


def test_a_training_run():
    """finops.md, U1: about $847 and 14 hours."""
    usage = table(*(row(AT + later * HOUR, effective_cost=60.5) for later in range(14)))
    [line] = costs(usage, units((AT, "w", "training runs", 1), when="hour")).values()
    assert line["usd_per_unit"] == pytest.approx(847.0)


def test_tokens_on_both_bases():
    """OpenCost 1.121 (finops.md, U5): $4 per million tokens allocated, $1 used."""
    usage = table(row(effective_cost=8.0, gpu_hours_used=0.25))
    [line] = costs(usage, units(("2026-09-15", "t", "tokens", 2e6), who="team"), tokens=1e6).values()
    assert (line["usd_per_unit"], line["used_usd_per_unit"]) == pytest.approx((4.0, 1.0))


def test_a_month_without_a_quantity_or_a_cost_has_no_price():
    july, august, september, october = (datetime(2026, month, 9, 5, tzinfo=UTC) for month in (7, 8, 9, 10))
    usage = table(row(july), row(august), row(september), row(october, gpu_model="Z"), row(july, workload="v"))
    made = units(
        ("2026-07-09", "w", "runs", 2), ("2026-08-09", "w", "runs", 0), ("2026-09-09", "w", "runs", None),
        ("2026-10-09", "w", "runs", 5), ("2026-11-09", "w", "runs", 5),
    )  # fmt: skip
    found = {key: line["usd_per_unit"] for key, line in costs(usage, made).items()}
    assert found == {
        ("2026-07", "runs"): 1.5, ("2026-08", "runs"): None, ("2026-09", "runs"): None, ("2026-10", "runs"): None,
        ("2026-11", "runs"): None,
    }  # fmt: skip


def test_what_was_counted_on_some_days_says_so():
    usage = table(*(row(AT + later * DAY) for later in range(4)), residual("idle"))
    [line] = costs(usage, units(("2026-09-15", "w", "runs", 3))).values()
    assert (line["usd"], line["counted_share"], line["usd_per_unit"]) == (12.0, 0.25, 4.0)


def test_a_day_across_the_end_of_a_month_is_split():
    usage = table(row(datetime(2026, 8, 31, 18, tzinfo=UTC), granularity="day", gpu_hours=24.0))
    found = costs(usage, units(("2026-08-31", "w", "runs", 1), ("2026-09-01", "w", "runs", 1)))
    assert [line["usd"] for line in found.values()] == [18.0, 54.0]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (units(("2026-09-15", "w", "runs", -1)), "units: column quantity, row 1: -1.0 is"),
        (units(("soon", "w", "runs", 1)), "units: column day, row 1: soon is not a time"),
        (units(("2026-09-15", None, "runs", 1)), "units: column workload, row 1: is empty"),
        (units(("2026-09-15", "w", "runs", 1)).drop("unit"), "units: has no column unit; a table of units needs"),
        (units(("2026-09-15", "w", "runs", 1)).drop("workload"), "units: has no column workload"),
        (units(*[("2026-09-15", "w", "runs", 1)] * 2), "units: column day, row 2: .* stands in an earlier row too"),
    ],
)
def test_what_is_no_table_of_units(bad, message):
    with pytest.raises(InputError, match=message):
        unit_costs_of(table(row()), bad, prices=PRICES)


@EVERY
@given(tables())
def test_months_add_up_to_the_cost_of_the_work(usage):
    made = units(*(("2026-09-01", name, "runs", 3) for name in ("t/train", "t/serve", "s/train")))
    found = unit_costs_of(usage, made, prices=PRICES)
    pieces = [piece for piece in hourly(usage) if piece["residual"] is None]
    for line in found.iter_rows(named=True):
        mine = [
            piece["usd"] or 0.0
            for piece in pieces
            if piece["workload"] == line["workload"] and piece["hour"].date().replace(day=1) == line["month"]
        ]
        assert (line["usd"] or 0.0) == pytest.approx(sum(mine), abs=1e-6)
        if line["usd_per_unit"] is not None:
            assert line["usd_per_unit"] == pytest.approx(sum(mine) / 3)
    assert found["usd"].sum() == pytest.approx(sum(piece["usd"] or 0.0 for piece in pieces), abs=1e-6)
