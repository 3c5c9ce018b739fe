"""The market: prices with their age and source, pools that stay a tree, prices by day, options side by side."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from app.session import Request, load
from app.tui import glyphs, price_history, words
from app.tui.app import TrancheApp
from app.tui.comparison import break_even, contract, eligible_of, size_of, sold
from app.tui.market import Origin, _bases, options_of
from app.tui.price_history import Track, in_words, known_prices
from app.tui.screens.text import TextScreen
from app.tui.state import Desk
from app.tui.widgets.costs import Costs
from app.tui.widgets.headline import _aligned, _figures
from app.tui.widgets.line import Line
from app.tui.widgets.market import Market
from app.tui.widgets.price_lines import PriceLines
from app.tui.widgets.table import FittedTable
from optimizer.tariffs import Tariff
from providers.store import OFFERS, Workspace

pytestmark = pytest.mark.thorough

GPU = "H100-SXM-80GB"
SMALL = "L4-24GB"
HOSTILE = "[/foo]\x1b[31m\u202e[bold]"
ELSEWHERE = "·…"  # what details and changes still put between facts, and a table after what it cuts off
TODAY = date(2026, 11, 21)
SPOT = {
    "mean_hours_between_interruptions": 24,
    "restart_hours": 0.25,
    "checkpoint_hours": 0.5,
    "checkpoint_cost_hours": 0.02,
}


def shelf(files: Any) -> list[dict[str, object]]:
    """Return offers of every kind."""
    offer, aws = files.offer, {"provider": "aws", "region": "us-east-1"}
    known = {"as_of": "2026-11-01", "source": "karpenter-provider-aws price list"}
    return [
        files.on_demand(**aws, **known),
        offer("cheap-spot", "spot", usage=2, **SPOT, **{**aws, "as_of": "2026-05-30T10:00:00Z", "source": HOSTILE}),
        offer("dear-spot", "spot", usage=2.2, provider="gcp", as_of="no day at all"),
        offer("half-now", "reserved", holding=3.4, term_months=12, upfront_share=0.5, **{**aws, **known}),
        offer("saver-rate", "savings_plan", holding=2.9, plan="saver", term_months=36, **aws, as_of="2026-10-31"),
        offer("saver-rate-l4", "savings_plan", holding=0.4, plan="saver", term_months=36, **aws) | {"gpu_model": SMALL},
        offer("quoted", "contract", holding=2.4, status="quote", lot_gpus=8, min_gpus=32, max_gpus=60, term_months=12),
        offer("rival", "contract", holding=3.2, status="quote", term_months=24, as_of="2026-11-20", source="mail"),
    ]


def cells(table: FittedTable, key: str) -> dict[str, str]:
    """Return what a row says, by the name of its columns."""
    row = next(row for row in table._rows if row.key == key)
    return {name: cell.plain for name, cell in zip(table.names, row.cells, strict=True)}


def keys(table: FittedTable) -> list[str]:
    return [row.key for row in table._rows]


async def filtered(pilot: Any, text: str) -> None:
    """Type a filter for the table that has the focus."""
    await pilot.press("slash")
    field = pilot.app.focused
    assert any(isinstance(node, Line) for node in field.ancestors)
    field.value = text
    await pilot.press("enter")
    await pilot.pause()


async def test_every_price_stands_with_its_terms_its_age_and_its_source(files: Any, hands: Any) -> None:
    rows = {str(row["offer_id"]): row for row in shelf(files)}
    overhead = 1 + 0.02 / 0.5 + (0.5 / 2 + 0.25) / 24
    effective = {
        "cheap-spot": 2 * overhead,
        "dear-spot": 2.2,
        "quoted": 2.4,
        "saver": 2.9,
        "rival": 3.2,
        "half-now": 3.4,
        "od": 4.0,
    }
    app = TrancheApp(hands.asks(offers=list(rows.values())))
    async with app.run_test(size=(200, 60)) as pilot:
        await hands.settled(pilot)
        await pilot.press("tab")
        await pilot.pause()
        market, shown = app.screen.query_one(Market), hands.text(app)
        assert keys(market) == sorted(effective, key=lambda offer: effective[offer])
        for offer, price in effective.items():
            said = cells(market, offer)
            assert said["effective"] == f"{price:.3f}"
            row = rows.get(offer, rows["saver-rate"])
            listed = float(row["holding_usd_per_gpu_hour"]) + float(row["usage_usd_per_gpu_hour"])
            assert said["listed"] == f"{listed:.3f}"
            assert said["provider"] == row["provider"]
            assert said["term"] == (f"{row['term_months']} mo" if "term_months" in row else "")
        assert {offer: cells(market, offer)["age"] for offer in effective} == {
            "cheap-spot": str((TODAY - date(2026, 5, 30)).days),
            "dear-spot": "-",
            "quoted": "-",
            "saver": str((TODAY - date(2026, 10, 31)).days),
            "rival": "1",
            "half-now": "20",
            "od": "20",
        }
        assert cells(market, "od")["source"] == "karpenter"
        assert cells(market, "od")["as_of"] == "2026-11-01"
        assert cells(market, "half-now")["upfront"] == "50 %"
        ages = {row.key: dict(zip(market.names, row.cells, strict=True))["age"].style for row in market._rows}
        assert {offer for offer, style in ages.items() if style == "dim"} == {"cheap-spot", "dear-spot", "quoted"}
        assert all(word in shown for word in ("2.000", f"{2 * overhead:.3f}", "Effective", "karpenter", "50 %"))
        market.point_at("cheap-spot")
        await pilot.pause()
        told = hands.text(app)
        assert "price of 2026-05-30, 175 days old, by [/foo]\ufffd[31m\ufffd[bold]" in told.replace("\n", "")
        assert "\x1b" not in told
        assert "\u202e" not in told


async def test_a_filter_and_an_order_are_said_beside_the_title(files: Any, hands: Any) -> None:
    app = TrancheApp(hands.asks(offers=shelf(files)))
    async with app.run_test(size=(200, 60)) as pilot:
        await hands.settled(pilot)
        await pilot.press("tab")
        market = app.screen.query_one(Market)
        for text, let_through in (
            ("price<3 provider=aws !spot", {"saver"}),
            ("price<3 !spot", {"quoted", "saver"}),
            ("term>=24", {"saver", "rival"}),
            ("age>30", {"cheap-spot"}),
            ("as_of<2026-11 | source~karp", {"cheap-spot", "saver", "half-now", "od"}),
            ("upfront>=50%", {"half-now"}),
            ("status=quote verdict!=accept", {"rival"}),
            ("walk_away>2", {"quoted", "rival"}),
            ("in_plan= option=contract", {"rival"}),
        ):
            await filtered(pilot, text)
            assert set(keys(market)) == let_through, text
            assert f"{GPU}, {len(let_through)} of 7 with {text}, cheapest first" in hands.text(app)
        await filtered(pilot, "")
        market.sort("age", descending=True)
        await pilot.pause()
        assert keys(market)[:2] == ["cheap-spot", "saver"]
        assert f"{GPU}, by age ▼" in hands.text(app)


async def test_a_typed_price_is_told_from_what_was_read(files: Any, hands: Any) -> None:
    app = TrancheApp(hands.asks(offers=shelf(files)))
    async with app.run_test(size=(160, 48)) as pilot:
        await hands.settled(pilot)
        await hands.type_price(pilot, "rival", "2.1")
        await hands.settled(pilot)
        market = app.screen.query_one(Market)
        typed = app.theme_variables["text-accent"].removeprefix("ansi_")
        row = dict(zip(market.names, next(row for row in market._rows if row.key == "rival").cells, strict=True))
        assert [(row[name].plain, row[name].style) for name in ("listed", "age")] == [
            ("▼2.100", typed),
            ("typed", typed),
        ]
        assert cells(market, "rival")["as_of"] == ""
        other = dict(zip(market.names, next(row for row in market._rows if row.key == "quoted").cells, strict=True))
        assert other["listed"].style == ""
        assert "$2.10 a GPU-hour, as it was typed here" in hands.text(app).replace("\n", "")
        await pilot.press("u")
        await hands.settled(pilot)
        assert cells(market, "rival")["age"] == "1"


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("quote", "quote"),
        ("quote@64", "quote"),
        ("quote+3mo", "quote"),
        ("quote+1.5mo@256 overage", "quote"),
        ("quote kept", "quote"),
        ("vendor@8 west", "vendor@8 west"),
    ],
)
def test_a_form_of_an_offer_leads_back_to_it(name: str, base: str) -> None:
    assert _bases(name)[0] == name
    assert _bases(name)[-1] == base


async def test_tiers_and_riders_have_the_origin_of_their_offer(files: Any, hands: Any) -> None:
    more = {"as_of": "2026-11-11", "source": "mail", "tiers": "64@2.2", "overage_usd_per_gpu_hour": 3}
    tiered = files.offer("tiered", "contract", holding=2.4, status="quote", term_months=12, **more)
    app = TrancheApp(hands.asks(offers=[files.on_demand(), tiered]))
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        options = {option.tariff.offer_id: option for option in options_of(app.desk, GPU)}
        assert {"tiered", "tiered@64", "tiered overage"} <= set(options)
        ages = {name: option.origin.age_days for name, option in options.items()}
        assert {name: age for name, age in ages.items() if name != "od"} == {
            name: 10 for name in options if name != "od"
        }
        assert ages["od"] is None


def usage_of_two_clouds(hands: Any) -> list[dict[str, object]]:
    cheap = hands.usage(gpu_model=SMALL, workload="serve", team="search", provider="gcp")
    more = hands.usage(team="ads", workload="rank", provider="gcp")
    for row in more:
        row["effective_cost"] = float(row["gpu_hours"]) * 9
    return [*hands.usage(), *hands.usage(team="search", workload="find"), *cheap, *more]


async def test_pools_stay_a_tree_however_they_are_arranged(files: Any, hands: Any) -> None:
    offers = [*hands.offers(), files.on_demand(offer_id="small", gpu_model=SMALL)]
    app = TrancheApp(hands.asks(usage=usage_of_two_clouds(hands), offers=offers))
    async with app.run_test(size=(160, 48)) as pilot:
        await hands.settled(pilot)
        costs = app.screen.query_one(Costs)
        await pilot.press("down", "down", "right")
        paths = {pool.path: pool.cost_per_hour for pool in app.desk.allocation.pools}
        for name, descending in (("cost", False), ("cost", True), ("pool", False), ("pool", True), ("used", False)):
            costs.sort(name, descending=descending)
            await pilot.pause()
            shown = [pool.path for pool in costs._visible.values()]
            assert len(shown) == len(set(shown)) > 5
            for at, path in enumerate(shown[1:], 1):
                above = next(other for other in reversed(shown[:at]) if len(other) < len(path))
                assert above == path[:-1]
            if name == "cost":
                siblings = [[path for path in shown if path[:-1] == of and path != of] for of in ((), ("gcp",))]
                for each in siblings:
                    figures = [paths[path] for path in each]
                    assert figures == sorted(figures, reverse=descending)
        costs.sort(None)
        await filtered(pilot, "team=search")
        found = [pool.path for pool in costs._visible.values()]
        whole = [path for path in paths if path and path[-1] == "search"]
        assert whole
        assert set(found) == {path[:depth] for path in whole for depth in range(len(path) + 1)}
        assert f"{len(found)} of {len(paths)} with team=search" in hands.text(app)
        await filtered(pilot, "gpu~L4 cost>1")
        assert [pool.path for pool in costs._visible.values()][-1] == ("gcp", SMALL, "search")
        await filtered(pilot, "no-such-pool")
        assert costs.pool is None
        await pilot.press("enter", "left", "right", "down")
        await filtered(pilot, "")
        assert len(costs._visible) == len(shown)


def fetched(folder: Path, request: Request, days: dict[date, float], *, currency: str = "USD") -> None:
    """Keep the offers of a request in a workspace, with the price of `od` on each day."""
    offers = load(request).inputs.offers.with_columns(currency=pl.lit(currency))
    for day, price in days.items():
        changed = pl.when(pl.col("offer_id") == "od").then(price).otherwise("usage_usd_per_gpu_hour")
        frame = offers.filter(pl.col("status") == "list").with_columns(usage_usd_per_gpu_hour=changed)
        Workspace(folder).write(OFFERS, "some-feed", day, frame)


DAYS = {date(2026, 10, 1): 4.4, date(2026, 10, 15): 4.2, date(2026, 11, 10): 4.1}
LONG_AGO = {date(2025, 1, 1): 9.0}


async def test_prices_by_day_are_drawn_for_what_is_under_the_cursor_or_marked(
    files: Any, hands: Any, tmp_path: Path
) -> None:
    request = hands.asks(offers=shelf(files))
    fetched(tmp_path / "kept", request, DAYS | LONG_AGO)
    app = TrancheApp(replace(request, workspace=str(tmp_path / "kept")))
    async with app.run_test(size=(200, 60)) as pilot:
        await hands.settled(pilot)
        await pilot.press("tab")
        market, lines = app.screen.query_one(Market), app.screen.query_one(PriceLines)
        market.point_at("od")
        await hands.settled(pilot)
        await app.workers.wait_for_complete()
        await pilot.pause()
        expected = sorted([*DAYS.items(), (date(2026, 11, 1), 4.0)])
        assert lines.paths[0].points == [(float(day.toordinal()), price) for day, price in expected]
        assert not lines.about
        shown = hands.text(app)
        assert all(word in shown for word in ("2026-10-01", "2026-11-10", "$4.10 on 2026-11-10", "/GPU-h"))
        market.point_at("rival")
        await pilot.pause()
        assert "one price known: $3.20 a GPU-hour on 2026-11-20 (mail)" in hands.text(app)
        await pilot.press("m")
        market.point_at("od")
        await pilot.press("m")
        await pilot.pause()
        assert [path.name for path in lines.paths] == ["rival", "od"]
        assert "2 marked, as listed" in hands.text(app)
        for pane in (3, 1):
            await pilot.press("tab")
            assert app.screen.current == pane


def test_only_known_days_of_a_year_and_of_the_plans_currency_count(files: Any, hands: Any, tmp_path: Path) -> None:
    request = replace(hands.asks(offers=shelf(files)), workspace=str(tmp_path / "kept"))
    assert known_prices(request, GPU, now=TODAY, currency="USD") == {}
    fetched(tmp_path / "kept", request, DAYS | LONG_AGO)
    found = known_prices(request, GPU, now=TODAY, currency="USD")
    assert found["od"] == tuple(DAYS.items())
    assert found["half-now"] == tuple((day, 3.4) for day in DAYS)
    assert "quoted" not in found
    assert known_prices(request, SMALL, now=TODAY, currency="USD").keys() == {"saver-rate-l4"}
    assert known_prices(request, GPU, now=TODAY, currency="EUR") == {}
    config = files.text("rates.toml", "[currencies]\nEUR = 1.25\n")
    euros = known_prices(replace(request, config=config), GPU, now=TODAY, currency="EUR")
    assert [price for _, price in euros["od"]] == pytest.approx([price / 1.25 for price in DAYS.values()])


async def test_a_workspace_that_cannot_be_read_is_said(files: Any, hands: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "kept")

    monkeypatch.setattr("providers.book.history", broken)
    app = TrancheApp(hands.asks(offers=shelf(files)))
    async with app.run_test(size=(160, 48)) as pilot:
        await hands.settled(pilot)
        await pilot.press("tab")
        await pilot.pause()
        assert "Permission denied" in hands.text(app)
        assert "Traceback" not in hands.text(app)


@pytest.mark.parametrize(
    ("track", "said"),
    [
        (Track(name="a", days=((TODAY, 2.05),), price=2.05, source="mail"), "$2.05 a GPU-hour on 2026-11-21 (mail)"),
        (Track(name="a", days=(), price=2.0), "$2.00 a GPU-hour, of no known day"),
        (Track(name="a", days=(), price=2.0, source="mail", typed=True), "$2.00 a GPU-hour, as it was typed here"),
    ],
)
def test_what_is_known_of_a_price_is_said_in_words(track: Track, said: str) -> None:
    assert said in in_words([track], "USD")
    assert "tranche fetch keeps prices by day" in in_words([track], "USD")
    assert f"a: {in_words([track], 'USD').partition(';')[0]}" in in_words([track, track], "USD")
    assert in_words([], "USD") == "no option under the cursor"
    assert not price_history.drawable([track])


async def test_marked_options_stand_side_by_side(files: Any, hands: Any) -> None:
    app = TrancheApp(hands.asks(offers=shelf(files)))
    async with app.run_test(size=(200, 60)) as pilot:
        await hands.settled(pilot)
        await pilot.press("tab")
        market = app.screen.query_one(Market)
        for mark in ((), ("quoted",)):
            for offer in mark:
                market.point_at(offer)
                await pilot.press("m")
            await pilot.press("x")
            await pilot.pause()
            assert "mark at least two options" in hands.text(app)
        for offer in ("half-now", "cheap-spot", "saver"):
            market.point_at(offer)
            await pilot.press("m")
        options = market.chosen
        assert "cheapest first, x compares 4" in hands.text(app)
        await pilot.press("x")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert isinstance(app.screen, TextScreen)
        shown = " ".join(hands.text(app).split())
        assert [option.tariff.offer_id for option in options] == ["quoted", "half-now", "cheap-spot", "saver"]
        assert size_of(options) == 32
        hours, totals = 12 * 730, {"quoted": 2.4 * 12 * 730 * 32, "half-now": 3.4 * 12 * 730 * 32}
        for offer, total in totals.items():
            option = next(option for option in options if option.tariff.offer_id == offer)
            assert contract(option, 32) == pytest.approx(total)
            assert f"{words.money(total)} over the term" in shown
        assert f"{words.money(totals['half-now'] / 2)}, 50 % of it" in shown
        assert f"{words.money(2.9 * 3 * hours * 32)} over the term" in shown
        assert "nothing is committed" in shown
        for price in (2.4, 3.4, 2.9):
            assert f"{price / 4 * 100:.1f} % use" in shown
        assert "1 of 1 workloads," in shown
        assert "0 of 1 workloads," in shown  # spot: nobody says that it may be interrupted
        assert "2026-11-01, 20 days" in shown
        await pilot.press("escape")
        await pilot.pause()
        assert "mark at least" not in hands.text(app)


def tariff(**more: Any) -> Tariff:
    usual = {
        "offer_id": "a",
        "provider": "p",
        "region": None,
        "gpu_model": GPU,
        "instance_type": None,
        "purchase_option": "contract",
        "status": "quote",
        "holding": 2.0,
        "usage": 0.0,
        "advertised_usage": 0.0,
        "upfront_share": 0.0,
        "term_months": 12,
        "start": None,
        "end": None,
        "lot": None,
        "minimum": 0.0,
        "maximum": float("inf"),
        "owned": None,
        "currency": "USD",
    }
    return Tariff(**usual | more)


@pytest.mark.parametrize(
    ("terms", "wanted", "gpus"),
    [
        ({}, 37, 37),
        ({"lot": 8}, 37, 40),
        ({"lot": 8}, 40, 40),
        ({"lot": 8, "minimum": 60}, 37, 64),
        ({"lot": 8, "maximum": 60}, 128, 56),
        ({"minimum": 128, "maximum": 128}, 64, 128),
        ({"maximum": 20}, 37, 20),
    ],
)
def test_an_offer_sells_whole_lots_within_its_limits(terms: dict[str, float], wanted: float, gpus: float) -> None:
    assert sold(tariff(**terms), wanted) == gpus


def test_break_even_makes_both_cost_the_same() -> None:
    flex = SimpleNamespace(tariff=tariff(holding=1.1, usage=2.6), effective=3.7)
    rival = SimpleNamespace(tariff=tariff(purchase_option="on_demand"), effective=3.9)
    share = break_even(flex, rival)  # type: ignore[arg-type]
    assert share is not None
    assert 1.1 + 2.6 * share == pytest.approx(3.9 * share)
    assert break_even(flex, SimpleNamespace(effective=2.5)) == float("inf")  # type: ignore[arg-type]
    assert break_even(flex, None) is None  # type: ignore[arg-type]


def test_who_may_be_served_is_counted_by_workload_and_by_gpu_hours(files: Any, hands: Any) -> None:
    may = hands.usage(workload="batch", interruptible="true")
    other = hands.usage(workload="other", gpu_model=SMALL)
    for row in may:
        row["gpu_hours"] = float(row["gpu_hours"]) / 2
    offers = [*shelf(files), files.on_demand(offer_id="od-l4", gpu_model=SMALL)]
    session = load(hands.asks(usage=[*hands.usage(), *may, *other], offers=offers))
    found = eligible_of(session, [tariff(), tariff(offer_id="s", purchase_option="spot")])
    assert [(found[name].workloads, found[name].of) for name in ("a", "s")] == [(2, 3), (1, 3)]
    assert found["a"].share == pytest.approx(1.5 / 2.5)
    assert found["s"].share == pytest.approx(0.5 / 2.5)


async def test_figures_stay_where_they_are_from_stage_to_stage(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(120, 36)) as pilot:
        nothing = _figures(Desk())
        await hands.settled(pilot)
        first = _figures(app.desk)
        await hands.type_price(pilot, "open-quote", "2.1")
        await hands.settled(pilot)
        moved = _figures(app.desk)
        assert any("▼" in figure.value for figure in moved)
        assert not any("▼" in figure.value or "▲" in figure.value for figure in first)
        large = [replace(figure, value="$38.21M", least=9) for figure in first[:-1]] + first[-1:]
        for room in (78, 118, 198):
            for before, after in ((first, moved), (nothing, large)):
                assert _aligned(before, room)[0].plain == _aligned(after, room)[0].plain
            labels, values = _aligned(moved, room)
            assert labels.plain.index("On demand") == values.plain.index(moved[1].value)


async def test_nothing_to_show_is_no_failure(files: Any, hands: Any) -> None:
    bare = [
        {name: row[name] for name in files.on_demand()}
        for row in hands.offers()
        if row["purchase_option"] != "contract"
    ]
    app = TrancheApp(hands.asks(offers=bare))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("tab", "x", "a", "m", "comma", "slash", "escape", "tab", "tab")
        await hands.settled(pilot)
        await pilot.press("tab", "a", "x", "tab")
        await pilot.pause()
        assert "Traceback" not in hands.text(app)
        assert app.desk.plan is not None
        assert options_of(app.desk, GPU)[0].origin == Origin()
    assert options_of(Desk(), GPU) == []


@pytest.mark.parametrize("mode", ["2", "3"])
async def test_plain_terminals_get_plain_characters(
    files: Any, hands: Any, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("TRANCHE_ASCII", "1")
    offers = [row for row in shelf(files) if row["offer_id"] != "cheap-spot"]
    app = TrancheApp(hands.asks(offers=offers))
    try:
        async with app.run_test(size=(200, 60)) as pilot:
            await hands.settled(pilot)
            await hands.type_price(pilot, "rival", "2.1")
            await hands.settled(pilot)
            await pilot.press(mode)
            for _ in range(3):
                await pilot.press("tab")
                await pilot.pause()
                shown = hands.text(app)
                mine = shown.translate(dict.fromkeys(map(ord, ELSEWHERE)))
                left = [line for line in mine.splitlines() if not line.isascii()]
                assert not left
            assert "v $" in shown
    finally:
        glyphs.use(glyphs.UNICODE)
