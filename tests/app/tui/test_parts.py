"""The small parts that need no screen."""

from typing import Any

import pytest
from rich.text import Text
from textual.app import App, ComposeResult

from app.session import load
from app.tui import words
from app.tui.pools import allocation_of
from app.tui.widgets.columns import Column, Row
from app.tui.widgets.mix import lengths, shares_of
from app.tui.widgets.spark import spark
from app.tui.widgets.table import FittedTable

GPU = "H100-SXM-80GB"


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (38_213_456.0, "$38.21M"),
        (-382_100.0, "-$382.1k"),
        (9_812.4, "$9,812.40"),
        (0.0, "$0.00"),
        (None, "-"),
    ],
)
def test_money_is_short(amount: float | None, text: str) -> None:
    assert words.money(amount) == text


def test_a_spark_has_the_shape_of_its_values() -> None:
    assert spark([0, 1, 2, 4], 4) == " ▃▅█"
    assert spark([1.0] * 100, 5) == "█████"
    assert spark([0, 0], 2) == "  "
    assert spark([], 5) == ""


@pytest.mark.parametrize("parts", [[1.0, 2.0, 3.0], [0.0, 5.0], [1e-9, 1.0, 1e-9], [0.0, 0.0]])
def test_a_bar_is_full_and_shows_every_part(parts: list[float]) -> None:
    cells = lengths(parts, 20)
    assert sum(cells) == (20 if any(parts) else 0)
    assert all((cell > 0) == (part > 0) for cell, part in zip(cells, parts, strict=True))


def test_the_mix_costs_what_the_plan_costs(hands: Any) -> None:
    plan = load(hands.asks()).plan()
    shares = shares_of(plan)
    assert sum(share.cost for share in shares.values()) == pytest.approx(plan.summary.cost)
    assert sum(share.gpu_hours for share in shares.values()) == pytest.approx(plan.summary.gpu_hours)


def test_the_allocation_adds_up_at_every_level(hands: Any) -> None:
    rows = [*hands.usage(), *hands.usage(team="search", workload="serve"), *hands.usage(provider="gcp")]
    allocation = allocation_of(load(hands.asks(usage=rows)).inputs)
    by_path = {pool.path: pool for pool in allocation.pools}
    assert list(by_path) == [
        (),
        ("aws",),
        ("aws", GPU),
        ("aws", GPU, "language"),
        ("aws", GPU, "search"),
        ("gcp",),
        ("gcp", GPU),
        ("gcp", GPU, "language"),
    ]
    assert by_path[()].cost_per_hour == pytest.approx(3 * 520 * 4 / 8)
    for path, pool in by_path.items():
        inside = [other for key, other in by_path.items() if key[:-1] == path and len(key) == len(path) + 1]
        if inside:
            assert pool.cost_per_hour == pytest.approx(sum(other.cost_per_hour for other in inside))
            assert pool.gpu_hours_share == pytest.approx(sum(other.gpu_hours_share for other in inside))


def test_cost_comes_from_prices_where_the_bill_has_none(hands: Any) -> None:
    rows = hands.usage()
    for row in rows:
        row["effective_cost"] = ""
    allocation = allocation_of(load(hands.asks(usage=rows)).inputs)
    assert allocation.basis == "at on-demand prices"
    assert allocation.pools[0].cost_per_hour == pytest.approx(520 * 4 / 8)
    rows[0]["effective_cost"] = 7.0
    assert "as billed, else" in allocation_of(load(hands.asks(usage=rows)).inputs).basis


async def test_a_long_table_moves_under_its_header_and_drops_columns() -> None:
    class Sheet(App[None]):
        def compose(self) -> ComposeResult:
            yield FittedTable((Column(title="Name", left=True, least=3), Column(title="Price", rank=1)), id="sheet")

    async with Sheet().run_test(size=(40, 10)) as pilot:
        table = pilot.app.query_one(FittedTable)
        table.fill([Row(key=str(index), cells=(Text(f"name {index}"), Text("1.0"))) for index in range(100_000)])
        table.focus()
        for keys, key in (
            (["end"], "99999"),
            (["up"], "99998"),
            (["home"], "0"),
            (["pagedown"], "7"),
            (["pageup"], "0"),
        ):
            await pilot.press(*keys)
            assert table.key == key
            shown = [strip.text.split() for strip in pilot.app.screen._compositor.render_strips()]
            assert shown[0] == ["Name", "Price"]
            assert ["name", key, "1.0"] in shown
        assert table.titles == ["Name", "Price"]
        await pilot.resize_terminal(9, 10)
        await pilot.pause()
        assert table.titles == ["Name"]
