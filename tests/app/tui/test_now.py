"""The screen of the present: its figures are summed up again here, row by row of the usage."""

import asyncio
import gc
import re
import tracemalloc
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot
from textual.worker import WorkerCancelled, WorkerFailed

from app.live.past import BillFeed, ReplayFeed
from app.live.state import Live, SourceState
from app.session import Request
from app.tui import burning, glyphs
from app.tui.app import TrancheApp
from app.tui.burning import View, burning_of
from app.tui.screens import now as now_screen
from app.tui.screens.now import NowScreen
from app.tui.screens.rows import RowsScreen
from app.tui.widgets.budgets import WARNED, Budgets, Sources, budget_bar
from app.tui.widgets.burn import BurnTable, Rate, daily, split_bar
from optimizer.burn import BudgetState
from providers.tables import USAGE, checked

pytestmark = pytest.mark.thorough

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AT = datetime(2026, 9, 28, 14, tzinfo=UTC)
NOW = AT + HOUR + timedelta(minutes=4)
H100, L4 = "H100-SXM-80GB", "L4-24GB"
HOSTILE = "[/foo]\x1b[31m\u202e[bold]"
PLACES: list[tuple[str | None, str, str | None, str | None, str | None]] = [
    ("aws", H100, "east", "ads", "ads/rank"),
    ("aws", H100, "east", "ads", "ads/train"),
    ("aws", H100, "west", "search", "search/embed"),
    ("aws", L4, "west", None, "serve"),
    ("gcp", L4, "gke", "search", "search/embed"),
    (None, H100, None, "lab", "lab/try"),
]


def rows_of(since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Usage of every hour, of which each row and hour has figures of its own, and idle GPUs of one cluster."""
    rows = []
    for place, (provider, gpu_model, cluster, team, workload) in enumerate(PLACES):
        own = {"provider": provider, "gpu_model": gpu_model, "cluster": cluster, "team": team, "workload": workload}
        for number in range(int((until - since) / HOUR)):
            gpus = 4.0 + place + number % 7
            used = None if workload == "serve" else gpus * (0.5 + place / 20)
            cost = {"effective_cost": gpus * (3.0 + place) if workload != "lab/try" else None}
            rows.append({"hour": since + number * HOUR, "gpu_hours": gpus, "gpu_hours_used": used, **cost, **own})
            if place == 0:
                idle = {"workload": None, "team": None, "residual": "idle", "gpu_hours": 2.0, "effective_cost": 7.0}
                rows.append({"hour": since + number * HOUR, **own, **idle})
    return rows


def usage_of(rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    return checked(pl.DataFrame(list(rows), infer_schema_length=None), USAGE, where="test")


def live_of(usage: pl.DataFrame, at: datetime = AT, *, problem: str = "", **more: Any) -> Live:
    source = SourceState(name="prometheus db:9090", kind="live", until=at + HOUR, asked=NOW, problem=problem)
    bill = SourceState(name="bill.csv", kind="bill", until=at - 3 * DAY, asked=None)
    return Live(**{"usage": usage, "at": at, "sources": (source, bill), "how": "live", "taken": NOW, **more})


def past(at: datetime = AT) -> list[dict[str, Any]]:
    return rows_of(at + HOUR - 15 * DAY, at + HOUR)


def spent(rows: Iterable[dict[str, Any]], at: datetime, **where: Any) -> float:
    """What an hour costs, with lab/try at the on-demand price of Oracle-8."""
    return sum(
        4.0 * row["gpu_hours"] if row["effective_cost"] is None else row["effective_cost"]
        for row in rows
        if row["hour"] == at and all(row[name] == value for name, value in where.items())
    )


REFRESH = TrancheApp.refresh_live


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for what runs now only where a test does."""
    monkeypatch.setattr(TrancheApp, "refresh_live", lambda _: None)


async def caught_up(pilot: Pilot[Any]) -> None:
    """Wait until the screen shows what is known now, broken down as it was asked for."""
    screen = pilot.app.screen
    async with asyncio.timeout(30):
        while screen.workers._workers or screen._moving or screen._shown.live is not pilot.app.live:
            with suppress(WorkerFailed, WorkerCancelled):
                await pilot.app.workers.wait_for_complete()
            await pilot.pause()


async def refreshed(pilot: Pilot[Any]) -> None:
    """Ask for what runs now, and wait until it is on screen."""
    before = pilot.app.live
    REFRESH(pilot.app)
    async with asyncio.timeout(30):
        while pilot.app.live is before:
            await pilot.pause()
    await caught_up(pilot)


async def open_now(pilot: Pilot[Any], hands: Any, live: Live | None, *, now: datetime = NOW) -> NowScreen:
    await hands.settled(pilot)
    await pilot.press("1")
    await pilot.pause()
    screen: NowScreen = pilot.app.screen
    screen.app.clock = lambda: now
    if live is not None:
        pilot.app.live = live
        await caught_up(pilot)
    return screen


def table_on(text: str, head: str) -> dict[str, list[str]]:
    """Read the rows of the burn table from the screen: the cells after the name, by name."""
    lines = text.split("\n")
    top = next(index for index, line in enumerate(lines) if re.match(rf" *{head} +Allocated", line))
    found = (re.match(r" *(.+?) +((?:-|[\d,]+\.\d\d) .*)", line) for line in lines[top + 2 :])
    return {row[1]: row[2].split() for row in takewhile(bool, found) if row}


def money(text: str) -> float:
    return float(text.replace(",", ""))


async def test_rows_add_up_to_the_row_they_are_in_at_every_level(app: TrancheApp, hands: Any) -> None:
    rows = past()
    async with app.run_test(size=(160, 48)) as pilot:
        screen = await open_now(pilot, hands, live_of(usage_of(rows)))
        table, where, parent = screen.query_one(BurnTable), {}, spent(rows, AT)
        assert "all by provider" in hands.text(app)
        levels = [("provider", "aws"), ("gpu_model", H100), ("cluster", "east"), ("team", "ads"), ("workload", None)]
        for level, into in levels:
            burns = [table._burns[row.key] for row in table._given]
            total, *inside = burns
            assert total.usd == pytest.approx(parent)
            for burn in inside:
                assert burn.usd == pytest.approx(spent(rows, AT, **where, **{level: burn.path[-1][1]}))
            assert len(inside) == len({row[level] for row in rows if all(row[k] == v for k, v in where.items())})
            on_screen = table_on(hands.text(app), {"gpu_model": "GPU"}.get(level, level.capitalize()))
            totals = [money(cells[3]) for cells in on_screen.values()]
            assert totals[0] == pytest.approx(parent, abs=0.005)
            assert sum(totals[1:]) == pytest.approx(totals[0], abs=0.005 * len(totals))
            assert totals[1:] == sorted(totals[1:], reverse=True)
            if into is None:
                break
            burn = next(burn for burn in inside if burn.path[-1][1] == into)
            table.point_at(burn.key)
            where[level], parent = into, burn.usd
            await pilot.press("enter")
            await caught_up(pilot)
        assert f"all > aws > {H100} > east > ads by workload" in hands.text(app)
        for way, (_, into) in zip(("left", "backspace", "left", "backspace"), reversed(levels[:-1]), strict=True):
            await pilot.press(way)
            await caught_up(pilot)
            assert table.burn.path[-1][1] == into
        assert "all by provider" in hands.text(app)
        assert screen.check_action("back", ()) is False


async def test_the_rate_of_everything_and_its_parts_are_those_of_the_usage(app: TrancheApp, hands: Any) -> None:
    rows = past()
    async with app.run_test(size=(80, 24)) as pilot:
        await open_now(pilot, hands, live_of(usage_of(rows)))
        shown, usd = hands.text(app), spent(rows, AT)
        assert f"${usd:,.2f} an hour" in shown
        assert f"${usd * 24:,.2f} a day, ${usd * 720 / 1e3:,.1f}k in 30 days" in shown
        work = [row for row in rows if row["hour"] == AT and "residual" not in row]
        price = {
            id(row): 4.0 if row["effective_cost"] is None else row["effective_cost"] / row["gpu_hours"] for row in work
        }
        measured = [row for row in work if row["gpu_hours_used"] is not None]
        used = sum(price[id(row)] * row["gpu_hours_used"] for row in measured)
        share = used / sum(price[id(row)] * row["gpu_hours"] for row in measured)
        before = spent(rows, AT - 7 * DAY)
        change = usd / before - 1
        assert f"used {share * 100:.1f} % · idle {7 / usd * 100:.1f} %" in shown
        assert f"{'▲' if change > 0 else '▼' if change < 0 else '='} {abs(change) * 100:.1f} % in 7 days" in shown
        assert "LIVE: 14:00 to 15:00 UTC, ended 4 min ago" in shown
        cells = table_on(shown, "Provider")["All"]
        assert [money(cell) for cell in cells[:3]] == pytest.approx([usd - 7, used, 7], abs=0.005)
        assert cells[3] == f"{sum(row['gpu_hours'] for row in work):.0f}"
        days = app.screen._shown.total.daily
        for back, mean in enumerate(reversed(days)):
            hours = {row["hour"] for row in rows if row["hour"].date() == AT.date() - back * DAY}
            assert mean == pytest.approx(sum(spent(rows, hour) for hour in hours) / len(hours))
        assert len(days) == 14
        assert daily(days) in shown


async def test_another_column_a_filter_a_sort_and_marks(app: TrancheApp, hands: Any) -> None:
    rows = [{**row, "cost_center": f"cc-{len(row['gpu_model'])}"} for row in past()]
    async with app.run_test(size=(160, 48)) as pilot:
        screen = await open_now(pilot, hands, live_of(usage_of(rows)))
        table = screen.query_one(BurnTable)
        for key, head in (("b", "GPU"), ("b", "Cluster"), ("B", "GPU"), ("B", "Provider")):
            await pilot.press(key)
            await caught_up(pilot)
            assert table_on(hands.text(app), head)
        assert screen.break_down_by("cost_center") == ""
        await caught_up(pilot)
        found = table_on(hands.text(app), "Cost center")
        assert money(found["cc-7"][3]) == pytest.approx(spent(rows, AT, gpu_model=L4), abs=0.005)
        assert "did you mean team?" in screen.break_down_by("teem")
        assert "no column of text" in screen.break_down_by("gpu_hours")
        assert screen.break_down_by("provider") == ""
        await caught_up(pilot)
        table.filter("provider~aw")
        table.sort("allocated")
        table.point_at('[["provider", "aws"]]')
        await pilot.press("m")
        await pilot.pause()
        assert "2 of 4 rows: provider~aw" in hands.text(app)
        assert list(table_on(hands.text(app), "Provider")) == ["All", "● aws"]
        app.live = live_of(usage_of(past(AT + HOUR)), AT + HOUR)
        await caught_up(pilot)
        assert list(table_on(hands.text(app), "Provider")) == ["All", "● aws"]
        assert table.key == '[["provider", "aws"]]'
        assert table.marked == (table.key,)
        await pilot.press("right")
        await caught_up(pilot)
        assert table.filtered == ""
        assert list(table_on(hands.text(app), "GPU")) == ["● All of aws", L4, H100]  # sorted by allocated, total first
        assert "all of this is provider aws" in screen.break_down_by("provider")
        await pilot.press("left")
        await caught_up(pilot)
        assert table.filtered == "provider~aw"
        assert table.key == '[["provider", "aws"]]'


async def test_the_rows_behind_a_figure_and_the_mouse(app: TrancheApp, hands: Any) -> None:
    rows = past()
    daily_row = {**rows[0], "hour": AT.replace(hour=0), "granularity": "day", "effective_cost": 48.0, "team": "batch"}
    rows = [row for row in rows if "residual" not in row]
    async with app.run_test(size=(160, 48)) as pilot:
        screen = await open_now(pilot, hands, live_of(usage_of([*rows, daily_row])))
        table = screen.query_one(BurnTable)
        for _ in range(2):
            await pilot.click(BurnTable, offset=(4, 3))
            await pilot.pause()
        await caught_up(pilot)
        assert screen._view.path == (("provider", "aws"),)
        assert "idle not stated" in hands.text(app)
        await pilot.press("l")
        await pilot.pause()
        assert isinstance(app.screen, RowsScreen)
        frame = app.screen._frame
        assert frame["usd_per_hour"].sum() == pytest.approx(table.burn.usd)
        assert table.burn.usd == pytest.approx(spent(rows, AT, provider="aws", gpu_model=H100) + 48 / 24)
        assert set(frame["workload"]) == {"ads/rank", "ads/train", "search/embed"}
        assert frame["usd_per_hour"].is_sorted(descending=True)
        assert "2026-09-28 14:00 UTC" in hands.text(app)
        await pilot.press("escape")
        await pilot.pause()
        await pilot.press("home", "enter")
        await caught_up(pilot)
        assert screen._view.path == ()


async def test_the_deepest_row_opens_its_usage(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_now(pilot, hands, live_of(usage_of(past())))
        for depth in range(6):
            await pilot.press(*["enter", "down"][: 1 + (depth == 0)][::-1])
            await pilot.pause()
            if isinstance(app.screen, RowsScreen):
                break
            await caught_up(pilot)
            assert len(screen._view.path) == depth + 1
        gone = [name for name, _ in screen._view.path]
        assert gone == ["provider", "gpu_model", "cluster", "team"]
        assert app.screen._frame.height == 1


class FakeFeed:
    """A live source with a clock of its own: every refresh is a minute later, and now and then one fails."""

    def __init__(self) -> None:
        self.now, self.asked, self.rows = NOW, 0, {}

    def refresh(self) -> Live:
        self.asked += 1
        self.now += timedelta(minutes=1)
        at = self.now.replace(minute=0) - HOUR
        problem = "prometheus db:9090: did not answer in 10 s; figures are of 14:00" if self.asked % 3 == 0 else ""
        if at not in self.rows:
            self.rows = {at: usage_of(past(at))}
        return live_of(self.rows[at].clone(), at, problem=problem, taken=self.now)


async def test_an_hour_of_refreshes_keeps_the_place_and_take_no_memory(app: TrancheApp, hands: Any) -> None:
    feed = FakeFeed()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_now(pilot, hands, live_of(usage_of(past())))
        screen.app.clock = lambda: feed.now
        app._feed = feed
        table = screen.query_one(BurnTable)
        table.point_at('[["provider", "aws"]]')
        await pilot.press("enter")
        await caught_up(pilot)
        table.point_at(f'[["provider", "aws"], ["gpu_model", "{L4}"]]')
        table.sort("gpus")
        found, traced = {}, {}
        try:
            for number in range(66):
                if number == 53:
                    tracemalloc.start()
                await refreshed(pilot)
                assert feed.asked == number + 1
                assert screen._shown.everything.usd == pytest.approx(spent(past(app.live.at), app.live.at))
                assert ("did not answer in 10 s" in screen.query_one(Rate).text.plain) == bool(app.live.problems)
                if number in {24, 65}:
                    gc.collect()
                    found[number] = (
                        len(gc.get_objects()),
                        sum(1 for _ in screen.walk_children()),
                    )
                if number >= 57:
                    gc.collect()
                    traced[number] = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert found[65][1] == found[24][1]
        assert found[65][0] < found[24][0] * 1.03
        assert max(traced.values()) - traced[57] < 100_000
        assert not screen.workers._workers
        assert screen._view == View(path=(("provider", "aws"),), by="gpu_model")
        assert table.burn.path[-1] == ("gpu_model", L4)
        assert table.order.name == "gpus"
        assert feed.now == NOW + timedelta(minutes=66)
        shown = hands.text(app)
        assert "1 of 2 sources: prometheus db:9090: did not answer" in shown
        assert f"{screen._shown.total.allocated:,.2f}" in shown


async def test_how_old_it_is_is_said_of_a_bill_and_of_a_replay(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_now(pilot, hands, None)
        now = datetime(2026, 11, 21, tzinfo=UTC)
        screen.app.clock = lambda: now
        origin = SourceState(name="usage.csv", kind="bill", until=datetime(2026, 4, 1, 8, tzinfo=UTC), asked=None)
        prices = SourceState(name="offers.csv", kind="prices", until=now - 9 * DAY, asked=None)
        usage = app.desk.session.inputs.usage
        app._feed = BillFeed(usage, [origin, prices], clock=lambda: now)
        await refreshed(pilot)
        shown = hands.text(app)
        assert "LAST BILL: 2026-04-01 07:00 UTC, ended 7 months, 19 days ago" in shown
        assert screen._shown.everything.usd == pytest.approx(60 * 4)
        assert "the bill ends" in shown
        assert "9 days ago" in shown
        app._feed = ReplayFeed(usage, [origin, prices], clock=lambda: now)
        for hour, gpus in ((0, 40), (1, 40), (2, 40), (3, 60), (4, 80)):
            await refreshed(pilot)
            assert f"DEMO REPLAY: 2026-04-01 0{hour}:00, an hour every refresh" in hands.text(app)
            assert screen._shown.everything.usd == pytest.approx(gpus * 4)
        await pilot.press("tab", "tab")
        await pilot.pause()
        assert screen.query_one(Sources).source.kind == "replay"
        assert "demo replay · to 2026-04-01 05:00 UTC" in hands.text(app)


async def test_budgets_count_the_whole_month_and_say_what_becomes_of_it(app: TrancheApp, hands: Any) -> None:
    month = rows_of(datetime(2026, 9, 1, tzinfo=UTC), AT + HOUR)
    live = usage_of(row for row in month if row["hour"] >= AT + HOUR - 15 * DAY)
    cost = lambda rows: sum(spent([row], row["hour"]) for row in rows)  # noqa: E731
    whole, ads = cost(month), cost(row for row in month if str(row["workload"]).startswith("ads/"))
    weekly = cost(row for row in month if row["hour"] >= AT + HOUR - 7 * DAY) / 168
    budgets = {"*": whole + weekly * 10, "ads/*": ads / 0.85, "lab/*": 1e9, "none": 5.0}
    async with app.run_test(size=(200, 60)) as pilot:
        screen = await open_now(pilot, hands, live_of(live))
        assert "none set" in hands.text(app)
        assert "[budgets]" in hands.text(app)
        history = app.desk.session.inputs.usage
        found = burning_of(
            live_of(live), view=View(), budgets=budgets, offers=app.desk.session.inputs.offers, history=usage_of(month)
        )
        everything, of_ads, lab, none = found.budgets
        assert everything.spent_usd == pytest.approx(whole)
        assert everything.used_up_at == pytest.approx(AT + 11 * HOUR, abs=timedelta(seconds=1))
        assert (everything.state_now, everything.state_forecast) == ("warn", "over")
        assert of_ads.spent_usd == pytest.approx(ads)
        assert (of_ads.state_now, lab.state_now, none.state_now) == ("warn", "ok", "ok")
        assert found.budgets_since is None
        known = burning_of(live_of(live), view=View(), budgets=budgets, offers=None, history=history)
        assert known.budgets_since == AT + HOUR - 15 * DAY
        screen._shown = found
        screen._paint()
        await pilot.press("tab")
        await pilot.pause()
        shown = hands.text(app)
        line = next(line for line in shown.split("\n") if line.startswith(" ads/*"))
        assert "85.0 %" in line
        assert "warn" in line
        first = next(line for line in shown.split("\n") if line.startswith(" *  "))
        assert "09-29 01:00" in first
        assert "over" in first
        assert "used up 2026-09-29 01:00 UTC" in shown
        await pilot.press("down", "down", "down")
        await pilot.pause()
        assert screen.query_one(Budgets).budget.glob == "none"


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_hostile_names_empty_usage_and_other_sizes(app: TrancheApp, hands: Any, size: tuple[int, int]) -> None:
    rows = [{**row, "provider": HOSTILE, "team": HOSTILE, HOSTILE: "a", "cluster": ""} for row in past()]
    problem = f"{HOSTILE}: answered 500"
    async with app.run_test(size=size) as pilot:
        screen = await open_now(pilot, hands, live_of(usage_of(rows), problem=problem))
        for key in ("down", "enter"):
            await pilot.press(key)
            await caught_up(pilot)
        assert screen.break_down_by(HOSTILE) == ""
        await caught_up(pilot)
        shown = hands.text(app)
        assert "\ufffd[31m\ufffd[bold]" in shown
        assert not {"\x1b", "\u202e"} & set(shown)
        await pilot.resize_terminal(*((120, 36) if size[0] == 80 else (80, 24)))
        await pilot.pause()
        assert screen._view.by == HOSTILE
        fewer = usage_of(past()).drop(HOSTILE, strict=False)
        for usage in (fewer, fewer.drop("team", "cluster"), fewer.clear()):
            app.live = live_of(usage)
            await caught_up(pilot)
            assert screen._view.by in usage.columns
            assert all(name in usage.columns for name, _ in screen._view.path)
        assert screen._shown.everything.usd is None
        assert "what is spent is not known" in hands.text(app)


async def test_no_figures_yet_and_a_failure_keep_what_is_there(
    app: TrancheApp, hands: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_now(pilot, hands, None)
        await pilot.press("b", "l", "enter", "left", "tab", "tab", "tab")
        assert app.screen is screen
        app.live = live_of(usage_of(past()))
        await caught_up(pilot)
        before = screen._shown

        def broken(*_: object, **__: object) -> None:
            raise ValueError(HOSTILE)

        with monkeypatch.context() as patched:
            patched.setattr(now_screen, "burning_of", broken)
            await pilot.press("b")
            for _ in range(20):
                with suppress(WorkerFailed, WorkerCancelled):
                    await app.workers.wait_for_complete()
                await pilot.pause()
        assert screen._shown is before
        assert screen._view == before.view
        assert "a fault in tranche (ValueError" in hands.text(app)
        assert f"${before.everything.usd:,.2f}" in hands.text(app)
        await pilot.press("b")
        await caught_up(pilot)
        assert "a fault" not in hands.text(app)
        await pilot.press("2")
        app.live = live_of(usage_of(past(AT + HOUR)), AT + HOUR)
        await pilot.pause()
        assert screen._shown.live is not app.live
        await pilot.press("1")
        await caught_up(pilot)
        assert screen._shown.live is app.live


async def test_a_file_that_cannot_be_read_is_said(files: Any, hands: Any) -> None:
    files.text("empty.csv", "")
    app = TrancheApp(Request(now=hands.asks().now, usage=("empty.csv",), offers=(files.offers,)))
    async with app.run_test(size=(80, 24)) as pilot:
        await hands.settled(pilot)
        await pilot.press("1", "b", "l", "enter", "tab", "question_mark")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        assert "empty" in app.screen.query_one(Rate).text.plain
        assert "Traceback" not in hands.text(app)


AMOUNTS = st.none() | st.floats(min_value=0, max_value=1e9) | st.sampled_from([float("inf"), 0.8, 1.0, 1.2, 2.0])


@given(now=AMOUNTS, then=AMOUNTS, width=st.integers(10, 60), plain=st.booleans())
def test_a_budget_bar_has_its_width_and_its_marks(
    now: float | None, then: float | None, width: int, plain: bool
) -> None:
    budget = BudgetState(
        glob="*", usd_per_month=1.0, spent_usd=now, forecast_usd=then, unpriced_gpu_hours=0.0, share_now=now,
        share_forecast=then, state_now="ok", state_forecast="ok", used_up_at=None,
    )  # fmt: skip
    glyphs.use(glyphs.ASCII if plain else glyphs.UNICODE)
    try:
        bar, signs = budget_bar(budget, width), glyphs.chosen()
    finally:
        glyphs.use(glyphs.UNICODE)
    assert len(bar) == width
    assert bar.isascii() or not plain
    assert bar.count(signs.limit) in {1, 2}
    first, last = bar.index(signs.limit), bar.rindex(signs.limit)
    assert last == pytest.approx(first / WARNED, abs=1.3)
    assert (bar[0] == signs.bought) == (
        round(min(now or 0.0, 2.0) / max(min(max(then or 0.0, now or 0.0), 2.0), 1.2) * width) > 0
    )
    assert (signs.bought in bar[last:]) <= ((now or 0.0) > 1)


@given(
    allocated=st.floats(0, 1e6).map(lambda usd: round(usd, 6)),
    used=st.none() | st.floats(0, 1),
    idle=st.none() | st.integers(0, 10**6),
    top=st.integers(0, 10**6),
)
def test_used_allocated_and_idle_are_beside_each_other(
    allocated: float, used: float | None, idle: int | None, top: int
) -> None:
    burn = burning.Burn(
        path=(), usd=None, allocated=allocated, used=None if used is None else used * allocated, measured=None,
        idle=idle, other=None, gpus=None, gpus_used=None, gpus_idle=None, unpriced=None, change=None, daily=(),
    )  # fmt: skip
    bar, whole, signs = split_bar(burn, top, 36), allocated + (idle or 0.0), glyphs.chosen()
    assert bar == "".join(sorted(bar, key=f"{signs.bought}{signs.owned}{signs.payg}".index))
    assert len(bar) == pytest.approx(36 * min(whole / top, 1.0) if top and whole else 36 * (whole > 0), abs=0.5001)
    if bar:
        assert bar.count(signs.payg) / len(bar) == pytest.approx((idle or 0.0) / whole, abs=0.51 / len(bar))
        assert bar.count(signs.bought) / len(bar) == pytest.approx(
            (used or 0.0) * allocated / whole, abs=0.51 / len(bar)
        )


@pytest.mark.parametrize(
    ("by", "path", "next_level"),
    [
        ("provider", ("provider",), "gpu_model"),
        ("cluster", ("provider", "cluster"), "team"),
        ("workload", ("workload",), "provider"),
        ("region", ("provider", "region"), "gpu_model"),
        ("workload", ("provider", "gpu_model", "cluster", "team", "workload"), None),
    ],
)
def test_what_is_below_a_row(by: str, path: tuple[str, ...], next_level: str | None) -> None:
    found = burning_of(
        live_of(usage_of({**row, "region": "us"} for row in past())),
        view=View(by=by),
        budgets={},
        offers=None,
        history=None,
    )
    burn = found.rows[0]
    deeper = found.deeper(
        burning.Burn(
            **{**{name: getattr(burn, name) for name in burn.__slots__}, "path": tuple((name, "x") for name in path)}
        )
    )
    assert (deeper.by if deeper else None) == next_level
