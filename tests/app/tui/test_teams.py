"""Who pays what: figures on screen against plain sums over rows, cents that add up, and what keys and mouse do."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from threading import Event
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from textual.pilot import Pilot

from app.gate_rules import Rules
from app.session import Request, Session
from app.tui import showback as adding
from app.tui import team_words, words
from app.tui.app import TrancheApp
from app.tui.books import books_of, rows_behind, same
from app.tui.screens.rows import RowsScreen
from app.tui.screens.teams import TeamsScreen
from app.tui.showback import accounts_of
from app.tui.teams import POLICIES, Accounts, Books, Line
from app.tui.widgets.teams import Gaps, TeamLines, UnitCosts, Wastes
from tests.optimizer.test_burn import EVERY, HOUR, PRICES, hourly, residual, row, table, tables

pytestmark = pytest.mark.thorough

HOSTILE = "[/foo]\x1b[31m\u202e[bold]"
OFFERS = PRICES.rename({"usd_per_gpu_hour": "usage_usd_per_gpu_hour"}).with_columns(purchase_option=pl.lit("on_demand"))
APRIL, MAY = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
GPU = "H100-SXM-80GB"
Cells = dict[str, object]


def kept(usage: pl.DataFrame, rules: Rules | None = None) -> Books:
    return books_of(SimpleNamespace(usage=usage, offers=OFFERS), rules)


def opened(usage: pl.DataFrame, rules: Rules | None = None) -> Accounts:
    books = kept(usage, rules)
    return accounts_of(books, books.periods[books.opening])


def cents(lines: Iterable[Line]) -> int:
    return sum(line.total_cents or 0 for line in lines)


# Random tables, against plain loops over hours


@settings(EVERY, max_examples=10)
@given(tables())
def test_every_policy_adds_up_to_the_bill_and_workloads_to_their_team(usage: pl.DataFrame) -> None:
    books = kept(usage)
    for period in books.periods:
        accounts = accounts_of(books, period)
        pieces = [piece for piece in hourly(usage) if period.since <= piece["hour"] < period.until]
        known = [piece["usd"] for piece in pieces if piece["usd"] is not None]
        assert (accounts.bill_cents is None) == (not known)
        assert accounts.bill_cents is None or abs(accounts.bill_cents - float(sum(map(Fraction, known))) * 100) < 0.51
        for policy in POLICIES:
            *lines, total = accounts.teams[policy]
            assert cents(lines) == (total.total_cents or 0) == (accounts.bill_cents or 0)
            for line in lines:
                assert line.total_cents is None or line.direct_cents + line.shared_cents == line.total_cents
                if line.opens:
                    *works, same_total = accounts.inside(policy, line.key)
                    assert cents(works) == (line.total_cents or 0) == (same_total.total_cents or 0)
                    shared = sum(work.shared_usd for work in works)
                    assert shared == pytest.approx(line.shared_usd or 0.0, abs=1e-6)


@settings(EVERY, max_examples=10)
@given(tables())
def test_teams_wastes_gaps_and_rates_are_what_plain_loops_say(usage: pl.DataFrame) -> None:
    books = kept(usage)
    period = books.periods[-1]
    accounts, pieces = accounts_of(books, period), hourly(usage)
    for line in accounts.teams["showback"][:-1]:
        mine = [
            piece
            for piece in pieces
            if (piece["team"] or None) == line.team
            and ((piece["residual"] is None or line.team is not None) == (line.kind != "shared"))
        ]
        assert (line.total_usd or 0.0) == pytest.approx(sum(piece["usd"] or 0.0 for piece in mine), abs=1e-6)
    for waste in accounts.wastes:
        mine = [
            piece
            for piece in pieces
            if (piece["team"], piece["workload"]) == (waste.team, waste.workload)
            and piece["residual"] is None
            and piece["used"] is not None
        ]
        unused = [piece["usd"] * (1 - piece["used"] / piece["gpu_hours"]) for piece in mine if piece["usd"] is not None]
        assert (waste.unused_usd or 0.0) == pytest.approx(sum(unused) * period.per_month, abs=1e-6)
        assert waste.saved_usd is None or waste.saved_usd <= (waste.unused_usd or 0.0) + 1e-6
    work = [piece for piece in pieces if piece["residual"] is None]
    for gap in accounts.gaps:
        lacks = [
            piece for piece in work if not piece[gap.tag] and (gap.everywhere or piece["provider"] == gap.provider)
        ]
        assert gap.gpu_hours == pytest.approx(sum(piece["gpu_hours"] for piece in lacks))
        assert (gap.usd or 0.0) == pytest.approx(sum(piece["usd"] or 0.0 for piece in lacks), abs=1e-6)
    for cost in books.units:
        for month, allocated in zip(books.months, cost.allocated, strict=True):
            mine = [
                piece
                for piece in work
                if (piece["team"], piece["workload"]) == (cost.team, cost.workload)
                and f"{piece['hour']:%Y-%m}" == month
                and piece["usd"] is not None
            ]
            hours = sum(piece["gpu_hours"] for piece in mine)
            assert allocated is None or allocated == pytest.approx(sum(piece["usd"] for piece in mine) / hours)


@settings(EVERY, max_examples=8)
@given(tables())
def test_the_rows_behind_a_figure_add_up_to_it(usage: pl.DataFrame) -> None:
    books = kept(usage)
    for period in books.periods:
        accounts = accounts_of(books, period)

        def usd(shown: Any, team: Line | None = None, *, of: Any = period) -> float:
            return float(rows_behind(books, of, shown, team)[1]["usd"].sum())

        for line in accounts.teams["showback"]:
            assert usd(line) == pytest.approx(line.total_usd or 0.0, abs=1e-6)
            for work in accounts.inside("proportional", line.key):
                direct = line.direct_usd if work.kind == "total" else work.direct_usd
                assert usd(work, line) == pytest.approx(direct or 0.0, abs=1e-6)
        for gap in accounts.gaps:
            assert usd(gap) == pytest.approx(gap.usd or 0.0, abs=1e-6)
    for cost in books.units:
        assert usd(cost) == pytest.approx(cost.usd, abs=1e-6)


# Figures worked out by hand


def test_shared_cost_is_handed_out_by_the_policy() -> None:
    """$30 and $10 of their own, $8 of tax: by own cost $6 and $2, to each the same $4."""
    usage = table(
        row(effective_cost=30.0, team="a"), row(effective_cost=10.0, team="b"), residual("tax", effective_cost=8.0)
    )
    accounts = opened(usage)
    paid = {
        policy: {line.team: (line.shared_cents, line.total_cents) for line in accounts.teams[policy][:-1]}
        for policy in POLICIES
    }
    assert paid == {
        "showback": {"a": (0, 3000), "b": (0, 1000), None: (800, 800)},
        "proportional": {"a": (600, 3600), "b": (200, 1200)},
        "even": {"a": (400, 3400), "b": (400, 1400)},
    }
    assert accounts.shared == (("tax", 8.0),)


def test_the_workloads_of_a_team_carry_its_shared_cost_and_dearer_gpu_hours() -> None:
    """$3 and $1 of one team and $4 elsewhere share $8 by own cost: every GPU-hour is twice as dear."""
    usage = table(
        row(effective_cost=3.0, workload="x"),
        row(effective_cost=1.0, workload="y"),
        row(effective_cost=4.0, team="o"),
        residual("idle", effective_cost=8.0),
    )
    accounts = opened(usage)
    team = next(line for line in accounts.teams["proportional"] if line.team == "t")
    *works, total = accounts.inside("proportional", team.key)
    rates = [(work.workload, work.total_cents, work.usd_per_gpu_hour) for work in works]
    assert rates == [("x", 600, 6.0), ("y", 200, 2.0)]
    assert (total.total_cents, total.share) == (800, 1.0)
    even = accounts.inside("even", team.key)
    assert [(work.workload, work.shared_cents) for work in even[:-1]] == [("x", 200), ("y", 200)]


def test_what_a_team_pays_for_no_workload_is_a_line_of_its_own_that_does_not_open() -> None:
    usage = table(row(effective_cost=3.0), residual("unused_commitment", team="t", effective_cost=2.0))
    accounts = opened(usage)
    [team, _] = accounts.teams["even"]
    works = accounts.inside("even", team.key)
    assert [(team_words.label(line), line.total_cents, line.opens) for line in works] == [
        ("w", 300, False), ("no workload", 200, False), ("Total", 500, False),
    ]  # fmt: skip
    assert accounts.shared == ()


def test_a_budget_is_of_the_row_whose_workloads_it_names() -> None:
    usage = table(
        row(effective_cost=50.0, workload="ads/a", team="ads"),
        row(effective_cost=40.0, workload="ads/b", team="ads"),
        row(effective_cost=9.0, workload="bio/a", team="bio"),
        residual("tax", effective_cost=1.0),
    )
    rules = Rules(budgets={"*": 200.0, "ads/*": 100.0, "ads/b": 30.0, "*/a": 1.0})
    accounts = opened(usage, rules)
    budgets = {line.team or line.kind: line.budget for line in accounts.teams["showback"]}
    assert budgets["bio"] is budgets["shared"] is None
    said = {name: team_words.budget(budget) for name, budget in budgets.items()}
    assert (said["ads"], said["total"]) == (("90.0 % near", "warn"), ("50.0 %", "ok"))
    ads = next(line for line in accounts.teams["showback"] if line.team == "ads")
    works = {work.workload: team_words.budget(work.budget)[0] for work in accounts.inside("showback", ads.key)[:-1]}
    assert works == {"ads/a": "", "ads/b": "133.3 % over"}


def test_periods_are_months_and_then_all_of_them() -> None:
    last = datetime(2026, 5, 2, tzinfo=UTC)
    usage = table(row(APRIL - HOUR), row(APRIL), row(last), row(APRIL + timedelta(days=29), granularity="day"))
    books = kept(usage)
    names = [period.name for period in books.periods]
    assert names == ["2026-03, not whole", "2026-04", "2026-05, not whole", "2026-03-31 to 2026-05-02"]
    assert (books.opening, books.months) == (1, ("2026-05", "2026-04", "2026-03"))
    part = books.periods[2]
    assert (part.hours, part.per_month) == (25.0, 730 / 25)
    one = kept(table(row()))
    assert ([period.name for period in one.periods], one.opening) == (["2026-09, not whole"], 0)
    assert kept(table(row()).clear()).periods == ()


def test_a_day_across_midnight_of_the_month_is_split_in_figures_and_in_the_rows_behind_them() -> None:
    books = kept(table(row(MAY - 6 * HOUR, granularity="day", gpu_hours=24.0, effective_cost=24.0)))
    for period, cost in zip(books.periods, (6, 18, 24), strict=True):
        accounts = accounts_of(books, period)
        assert (accounts.bill_cents, accounts.gpu_hours) == (cost * 100, cost)
        assert rows_behind(books, period, accounts.total("even"), None)[1]["usd"].to_list() == [cost]
    assert books.units[0].allocated == (1.0, 1.0)


def test_what_is_committed_does_not_end_when_it_is_given_back() -> None:
    half = {"effective_cost": 10.0, "gpu_hours_used": 0.5}
    options: list[Cells] = [
        {"purchase_option": "on_demand"},
        {"purchase_option": "reserved"},
        {"purchase_option": "on_demand", "commitment_id": "c"},
        {},
    ]
    usage = table(
        *(row(**half, **option) for option in options), row(workload="idle", effective_cost=4.0, gpu_hours_used=0.04)
    )
    waste, idle = opened(usage).wastes
    scale = 730.0
    assert (waste.unused_usd, waste.saved_usd) == pytest.approx((20.0 * scale, 10.0 * scale))
    assert (idle.quiet_hours, waste.quiet_hours) == (1, 0)
    assert idle.used_share == pytest.approx(0.04)


def test_a_unit_cost_changes_from_month_to_month() -> None:
    march = row(APRIL - HOUR, effective_cost=2.0, gpu_hours_used=0.5)
    books = kept(table(march, row(APRIL, effective_cost=3.0, gpu_hours_used=0.5)))
    [cost] = books.units
    assert (cost.allocated, cost.used, cost.change) == ((3.0, 2.0), (6.0, 4.0), pytest.approx(0.5))
    [alone] = kept(table(row(effective_cost=3.0))).units
    assert (alone.allocated, alone.used, alone.change) == ((3.0,), (None,), None)


def test_an_edit_of_a_quote_leaves_the_books_as_they_are() -> None:
    usage = table(row())
    before = SimpleNamespace(usage=usage, offers=OFFERS)
    quoted = pl.concat([OFFERS, OFFERS.with_columns(purchase_option=pl.lit("contract"))])
    dearer = OFFERS.with_columns(pl.col("usage_usd_per_gpu_hour") * 2)
    assert same(before, SimpleNamespace(usage=usage, offers=quoted))
    assert not same(before, SimpleNamespace(usage=usage, offers=dearer))
    assert not same(before, SimpleNamespace(usage=usage.clone(), offers=OFFERS))


# The screen


def rows_of(hands: Any) -> list[Cells]:
    """Oracle-8 in April and May for three teams, one of them nameless, with what nobody caused."""
    cells: list[Cells] = []
    for since in (APRIL, MAY):
        for place, one in enumerate(hands.usage()):
            hour = since + timedelta(hours=place)
            cells.append(one | {"hour": f"{hour:%Y-%m-%dT%H:%M:%SZ}", "workload": "train", "gpu_hours_used": 30})
    end = f"{MAY - HOUR:%Y-%m-%dT%H:%M:%SZ}"
    own = {"hour": end, "gpu_model": GPU, "provider": "aws"}
    cells.append(own | {"workload": "serve", "team": "language", "gpu_hours": 10, "effective_cost": 40})
    cells.append(own | {"workload": "lost", "gpu_hours": 1, "effective_cost": 3.33})
    cells.append(own | {"workload": "render", "team": "media", "gpu_hours": 7, "effective_cost": 28.01})
    cells.append({"hour": end, "gpu_hours": 0, "residual": "unused_commitment", "effective_cost": 100.01})
    cells.append({"hour": end, "gpu_hours": 0, "residual": "credit", "effective_cost": -10})
    return cells


def costs_in(cells: list[Cells], month: str) -> dict[str, Fraction]:
    """Sum the cost of each team, and of what nobody caused, over rows."""
    found: dict[str, Fraction] = {}
    for one in cells:
        if str(one["hour"]).startswith(month):
            who = str(one.get("team") or ("shared" if one.get("residual") else "none"))
            found[who] = found.get(who, Fraction(0)) + Fraction(str(one["effective_cost"]))
    return found


def said(amount: Fraction) -> str:
    return f"{float(amount):,.2f}"


def shows(text: str, amount: Fraction) -> bool:
    """Whether an amount is there, rounded up or down to a cent, whichever makes the column add up."""
    cent = amount * 100 // 1
    return any(f" {said(Fraction(each, 100))} " in text for each in (cent, cent + 1))


async def shown(pilot: Pilot[Any]) -> TeamsScreen:
    """Wait for the accounts of the time on screen."""
    async with asyncio.timeout(30):
        while not isinstance(pilot.app.screen, TeamsScreen) or pilot.app.screen.accounts is None:
            await pilot.pause(0.02)
    await pilot.pause()
    return pilot.app.screen


async def pushed(pilot: Pilot[Any]) -> RowsScreen:
    async with asyncio.timeout(30):
        while not isinstance(pilot.app.screen, RowsScreen):
            await pilot.pause(0.02)
    await pilot.pause()
    return pilot.app.screen


async def test_the_figures_on_screen_are_sums_of_rows(hands: Any) -> None:
    cells = rows_of(hands)
    april, bill = costs_in(cells, "2026-04"), sum(costs_in(cells, "2026-04").values())
    app = TrancheApp(hands.asks(usage=cells))
    async with app.run_test(size=(200, 60)) as pilot:
        await hands.settled(pilot)
        await pilot.press("6")
        screen = await shown(pilot)
        text = hands.text(app)
        assert f"2026-04 · adds up to the bill: ${said(bill)} · showback" in text
        assert all(said(cost) in text for cost in april.values())
        assert [line.kind for line in screen.query_one(TeamLines)._items.values()][-2:] == ["shared", "total"]
        assert "no team" in text
        assert "2026-04, not whole" not in text

        await pilot.press("g")
        owners = {team: cost for team, cost in april.items() if team != "shared"}
        text = hands.text(app)
        assert "proportional: shared costs by own cost" in text
        for cost in owners.values():
            assert shows(text, cost + april["shared"] * cost / sum(owners.values()))
        assert f"adds up to the bill: ${said(bill)}" in text
        assert "unused commitments $100.01, credits and refunds -$10.00" in text
        await pilot.press("g")
        text = hands.text(app)
        assert "even: shared costs the same for each team" in text
        assert all(shows(text, cost + april["shared"] / len(owners)) for cost in owners.values())

        used, train = Fraction(30 * 8, 520), april["language"] - 40
        assert f"{float(train * (1 - used)):,.2f}" in text
        measured = Fraction(520, 520 + 10 + 1 + 7)
        assert f"${float(train * (1 - used)):,.2f} a month, {float(measured) * 100:.1f} % measured" in text
        assert "4 of 4 tags have gaps" in text
        assert f"{float(Fraction('3.33') / (bill - april['shared'])) * 100:.1f} %" in text
        assert words.rate(4.0) in text
        assert words.rate(float(train / 240)) in text


async def test_keys_and_mouse_lead_into_a_team_its_rows_and_other_months(hands: Any) -> None:
    cells = rows_of(hands)
    app = TrancheApp(hands.asks(usage=cells))
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        await pilot.press("6")
        screen = await shown(pilot)
        lines = screen.query_one(TeamLines)
        assert screen.check_action("leave", ()) is False
        await pilot.press("enter")
        await pilot.pause()
        text = hands.text(app)
        assert "Workload" in text
        assert f"language, 2026-04 · ${said(Fraction(2120))} of" in text
        assert all(word in text for word in ("train", "serve", said(Fraction(2080)), "100.0 %"))
        await pilot.press("enter")
        assert screen.team is not None
        await pilot.press("l")
        rows = await pushed(pilot)
        assert rows._frame["usd"].sum() == pytest.approx(2080)
        assert "Usage of train of language, 2026-04" in rows.caption
        await pilot.press("escape", "backspace")
        await pilot.pause()
        assert (screen.team, lines.item.team) == (None, "language")

        await pilot.press("right_square_bracket")
        await shown(pilot)
        may = sum(costs_in(cells, "2026-05").values())
        assert f"2026-05, not whole · adds up to the bill: ${said(may)}" in hands.text(app)
        await pilot.press("right_square_bracket")
        await shown(pilot)
        everything = may + sum(costs_in(cells, "2026-04").values())
        assert f"2026-04-01 to 2026-05-01 · adds up to the bill: ${said(everything)}" in hands.text(app)
        assert screen.check_action("period", (1,)) is None
        await pilot.press("left_square_bracket", "left_square_bracket")
        await shown(pilot)
        assert screen.period.name == "2026-04"
        assert screen.check_action("period", (-1,)) is None


async def test_the_total_stays_last_and_filters_and_the_mouse_work(hands: Any) -> None:
    app = TrancheApp(hands.asks(usage=rows_of(hands)))
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("6")
        screen = await shown(pilot)
        await hands.settled(pilot)
        lines = screen.query_one(TeamLines)
        await pilot.press("full_stop", "full_stop", "full_stop", "full_stop")
        await pilot.pause()
        order = [row.key for row in lines._rows]
        assert order[-1] == screen.accounts.total("showback").key
        await pilot.press("minus")
        await pilot.pause()
        assert [row.key for row in lines._rows] == [*reversed(order[:-1]), order[-1]]
        await pilot.press("0", "slash", *"media", "enter")
        await pilot.pause()
        assert [line.team for line in map(lines._items.get, (row.key for row in lines._rows))] == ["media"]
        assert "1 of 5" in hands.text(app)
        await pilot.click("#pane-untagged Gaps", offset=(3, 3))
        await pilot.pause()
        assert isinstance(app.focused, Gaps)
        await pilot.press("l")
        assert "without team" in (await pushed(pilot)).caption


async def test_small_screens_show_one_pane_and_say_how_to_measure(hands: Any) -> None:
    cells = [{name: cell for name, cell in one.items() if name != "gpu_hours_used"} for one in rows_of(hands)]
    cells = [one | {"effective_cost": ""} for one in cells if not one.get("residual")]
    app = TrancheApp(hands.asks(usage=cells))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6")
        screen = await shown(pilot)
        text = hands.text(app)
        hours = sum(Fraction(str(one["gpu_hours"])) for one in cells if str(one["hour"]).startswith("2026-04"))
        assert f"2026-04 showback; = ${said(hours * 4)}" in text
        assert "Untagged" in text
        assert "$/month" not in text
        await pilot.press("tab")
        await pilot.pause()
        text = hands.text(app)
        assert "nothing is measured" in text
        assert "DCGM" in text
        assert "tranche usage prometheus+http" in text
        assert screen.query_one(Wastes).item is None
        assert screen.check_action("rows", ()) is None
        await pilot.press("tab", "tab", "down")
        await pilot.pause()
        assert "4.000/-" in hands.text(app)
        assert isinstance(app.focused, UnitCosts)
        for size in ((120, 36), (200, 60)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            await pilot.pause()
            assert "adds up to the cost at on-demand prices, as the usage has none" in hands.text(app)


async def test_text_from_files_is_only_text(hands: Any) -> None:
    cells = [
        one | {"team": f"{HOSTILE}{place % 2}", "workload": HOSTILE, "cost=x": HOSTILE, "usd": ""}
        for place, one in enumerate(hands.usage())
    ]
    cells[0] |= {"cost=x": ""}
    app = TrancheApp(hands.asks(usage=cells))
    async with app.run_test(size=(200, 60)) as pilot:
        await hands.settled(pilot)
        await pilot.press("6")
        await shown(pilot)
        for keys in ((), ("enter",), ("left", "tab"), ("tab",), ("tab",)):
            await pilot.press(*keys)
            await pilot.pause()
            text = hands.text(app)
            assert "[/foo]\ufffd[31m\ufffd[bold]" in text
            assert not {"\x1b", "\u202e"} & set(text)
        assert "cost=x" in text
        await pilot.press("l")
        rows = await pushed(pilot)
        assert "\x1b" not in hands.text(app)
        assert rows._frame["usd_"].sum() == pytest.approx(1040)


async def test_until_the_usage_is_added_up_and_when_that_fails_the_screen_says_so(
    hands: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, work = Event(), adding.accounts_of
    monkeypatch.setattr(Session, "plans", lambda *_args, **_more: iter(()))

    def slow(*given: Any) -> Accounts:
        release.wait(timeout=30)
        return work(*given)

    monkeypatch.setattr(adding, "accounts_of", slow)
    app = TrancheApp(hands.asks(usage=rows_of(hands)))
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("6")
        assert "Teams" in hands.text(app)
        async with asyncio.timeout(30):
            while app.desk.session is None:
                await pilot.pause(0.02)
        await pilot.pause()
        assert "adding up…" in hands.text(app)
        await pilot.press("g", "l", "enter", "left_square_bracket", "backspace")
        release.set()
        screen = await shown(pilot)
        assert screen.period.name == "2026-04"

        release.clear()
        await pilot.press("right_square_bracket")
        await pilot.pause()
        assert "2026-05, not whole: adding up…" in hands.text(app)
        await pilot.press("left_square_bracket")
        release.set()
        await pilot.pause(0.2)
        assert screen.period.name == "2026-04"
        assert "2026-04 ·" in hands.text(app)

        def broken(*_given: Any) -> Accounts:
            raise OSError("the disk is gone")

        monkeypatch.setattr(adding, "accounts_of", broken)
        await pilot.press("right_square_bracket")
        async with asyncio.timeout(30):
            while "the disk is gone" not in hands.text(app):
                await pilot.pause(0.02)
        monkeypatch.setattr(adding, "accounts_of", work)
        await pilot.press("left_square_bracket", "right_square_bracket")
        await shown(pilot)
        assert "the disk is gone" not in hands.text(app)


async def test_other_usage_is_added_up_again_and_other_colours_only_drawn(hands: Any, files: Any) -> None:
    cells = rows_of(hands)
    request: Request = hands.asks(usage=cells)
    app = TrancheApp(request)
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        await pilot.press("6", "right_square_bracket")
        screen = await shown(pilot)
        await pilot.press("left_square_bracket")
        accounts = screen.accounts
        assert accounts is not None
        app.theme = "tranche-light"
        await pilot.pause()
        assert screen.accounts is accounts
        assert not app.edit("counter open-quote 2.1")
        await hands.settled(pilot)
        assert screen.accounts is accounts
        files.table("tui_usage.csv", [*cells, cells[-3] | {"workload": "more", "effective_cost": 1000}])
        assert not app.reload()
        await hands.settled(pilot)
        async with asyncio.timeout(30):
            while screen.accounts is accounts:
                await pilot.pause(0.02)
        bill = sum(costs_in(cells, "2026-04").values()) + 1000
        await pilot.pause()
        assert f"adds up to the bill: ${said(bill)}" in hands.text(app)
