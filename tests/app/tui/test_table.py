"""One table for everything: sorted, filtered and marked by keys and mouse, over rows of any number."""

import asyncio
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from threading import Event
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Input

from app.filters import Filter, FilterError, parse
from app.tui.screens.rows import RowsScreen
from app.tui.widgets.arranging import arranged
from app.tui.widgets.columns import Column, LazyRows, Order, Row, named
from app.tui.widgets.filter_input import FilterInput
from app.tui.widgets.frame_rows import FrameRows, number, specs_of
from app.tui.widgets.table import FittedTable

pytestmark = pytest.mark.thorough

HOSTILE = "[/foo]\x1b[31m\u202e[bold]"
COLUMNS = (Column(title="Offer", left=True), Column(title="List price", unit="$"), Column(title="Term"))
OFFERS = (("b", 2.0, 12.0), ("a", 10.0, None), ("c", None, 36.0), ("d", 2.0, 1.0))


class Sheet(App[None]):
    """A table on a screen of its own, with a line to filter it."""

    CSS = ".line { display: none; height: 3; }"

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def compose(self) -> ComposeResult:
        yield FittedTable(COLUMNS, id="sheet")
        yield FilterInput()

    def on_mount(self) -> None:
        self.query_one(FittedTable).fill(offers())
        self.query_one(FittedTable).focus()

    def on_fitted_table_filter_asked(self, event: FittedTable.FilterAsked) -> None:
        self.query_one(FilterInput).ask(event.table).focus()

    def on_line_left(self) -> None:
        self.query_one(FittedTable).focus()

    def on_fitted_table_marked(self, event: FittedTable.Marked) -> None:
        self.told.append(f"marked {' '.join(event.control.marked)}")

    def on_fitted_table_chosen(self, event: FittedTable.Chosen) -> None:
        self.told.append(f"chosen {event.table.key}")


def offers(rows: Sequence[tuple[str, float | None, float | None]] = OFFERS) -> list[Row]:
    return [
        Row(key=row[0], cells=(Text(row[0]), *(Text(f"{part}" if part else "") for part in row[1:])), values=row)
        for row in rows
    ]


def shown(app: App[Any]) -> list[str]:
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip) for strip in strips]


def keys(table: FittedTable) -> str:
    return " ".join(row.key for row in table._rows)


async def settled(pilot: Pilot[Any], done: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not done():
            await pilot.pause(0.01)
    await pilot.pause()


async def type_filter(pilot: Pilot[Any], text: str) -> None:
    await pilot.press("slash")
    pilot.app.screen.query_one(FilterInput).query_one(Input).value = text
    await pilot.press("enter")
    await pilot.pause()


@pytest.mark.parametrize(
    ("pressed", "order", "title"),
    [
        ([], "b a c d", "Offer"),
        (["full_stop"], "a b c d", "Offer▲"),
        (["full_stop", "minus"], "d c b a", "Offer▼"),
        (["full_stop", "full_stop"], "b d a c", "List price▲"),
        (["full_stop", "full_stop", "minus"], "a b d c", "List price▼"),
        (["comma"], "d b c a", "Term▲"),
        (["comma", "minus"], "c b d a", "Term▼"),
        (["comma", "comma"], "b d a c", "List price▲"),
        (["comma", "full_stop"], "a b c d", "Offer▲"),
        (["full_stop", "minus", "0"], "b a c d", "Offer"),
        (["minus"], "b a c d", "Offer"),
    ],
)
async def test_keys_sort_by_the_columns_that_are_shown(pressed: list[str], order: str, title: str) -> None:
    app = Sheet()
    async with app.run_test(size=(60, 20)) as pilot:
        table = app.query_one(FittedTable)
        table.point_at("c")
        await pilot.press(*pressed)
        await pilot.pause()
        assert keys(table) == order
        assert table.key == "c"
        assert title in shown(app)[0]
        assert "…" not in shown(app)[0]
        assert [line.split()[0] for line in shown(app)[2:6]] == order.split()
        assert sum(arrow in shown(app)[0] for arrow in "▲▼") == (title[-1] in "▲▼")


async def test_a_cursor_at_the_top_stays_there_and_any_other_stays_on_its_row() -> None:
    app = Sheet()
    async with app.run_test(size=(60, 20)) as pilot:
        table = app.query_one(FittedTable)
        for pressed, key in (("full_stop", "a"), ("minus", "d"), ("down", "c"), ("minus", "c"), ("0", "c")):
            await pilot.press(pressed)
            assert table.key == key
        table.fill(offers(OFFERS[::-1]))
        assert table.key == "c"
        table.fill(offers(), at="a")
        assert table.key == "a"
        table.filter("offer!=a")
        assert (table.cursor, table.key) == (0, "b")


async def test_a_title_that_is_clicked_sorts_and_turns_the_order_round() -> None:
    app = Sheet()
    async with app.run_test(size=(60, 20)) as pilot:
        table, order = app.query_one(FittedTable), []
        place = shown(app)[0].index("List price")
        for y in (0, 1, 0):
            await pilot.click(FittedTable, offset=(place, y))
            await pilot.pause()
            order.append(keys(table))
        await pilot.click(FittedTable, offset=(55, 0))
        assert order == ["b d a c", "a b d c", "b d a c"]
        assert keys(table) == "b d a c"
        await pilot.click(FittedTable, offset=(1, 4))
        assert table.key == "a"
        await pilot.click(FittedTable, offset=(1, 4))
        await pilot.pause()
        assert app.told == ["chosen a"]


async def test_marks_survive_order_filter_and_other_rows() -> None:
    app = Sheet()
    async with app.run_test(size=(60, 20)) as pilot:
        table = app.query_one(FittedTable)
        before = shown(app)
        assert "●" not in "".join(before)
        await pilot.press("down", "m", "down", "down", "m")
        await pilot.pause()
        assert table.marked == ("a", "d")
        assert [line[:3] for line in shown(app)[2:6]] == ["   ", " ● ", "   ", " ● "]
        table.sort("offer", descending=True)
        table.filter("offer!=d")
        table.fill(offers(OFFERS[:3]))
        await pilot.pause()
        assert keys(table) == "c b a"
        assert [line[:4] for line in shown(app)[2:5]] == ["   c", "   b", " ● a"]
        table.point_at("a")
        await pilot.press("m")
        assert table.marked == ("d",)
        await pilot.press("M")
        await pilot.pause()
        assert table.marked == ()
        assert "●" not in "".join(shown(app))
        assert app.told == ["marked a", "marked a d", "marked d", "marked "]
        assert table.check_action("unmark", ()) is None


async def test_a_filter_is_typed_complained_about_and_taken_away() -> None:
    app = Sheet()
    async with app.run_test(size=(80, 20)) as pilot:
        table, line = app.query_one(FittedTable), app.query_one(FilterInput)
        assert table.info == ""
        await type_filter(pilot, "list_price<3")
        assert (line.open, keys(table), table.info, table.filtered) == (False, "b d", "2 of 4", "list_price<3")
        await type_filter(pilot, "prise<3")
        assert line.open
        assert "no column is called prise" in "".join(shown(app))
        await pilot.press("x")
        assert not line.has_class("-wrong")
        await pilot.press("escape")
        await pilot.pause()
        assert (line.open, keys(table), table.filtered) == (False, "b d", "list_price<3")
        await type_filter(pilot, 'term<"two years"')
        assert "term cannot be compared" in "".join(shown(app))
        await pilot.press("escape")
        await pilot.pause()
        await type_filter(pilot, "nothing")
        assert (keys(table), table.key, table.info) == ("", None, "0 of 4")
        assert "Offer" in shown(app)[0]
        await pilot.press("m", "enter", "down", "full_stop")
        assert app.told == []
        await type_filter(pilot, "")
        assert (keys(table), table.info) == ("a b c d", "")


async def test_a_filter_of_columns_that_are_gone_is_gone() -> None:
    app = Sheet()
    async with app.run_test(size=(60, 20)):
        table = app.query_one(FittedTable)
        table.filter("term>1")
        table.sort("term")
        table._columns = COLUMNS[:1]
        table.fill([Row(key="z", cells=(Text("z"),))])
        assert (keys(table), table.filtered) == ("z", "")


def test_cells_are_read_where_a_row_has_no_values() -> None:
    texts = ("10.50", "-", "9.25", "$1.2k", "45 %", "any", "")
    rows = [Row(key=text, cells=(Text(text),)) for text in texts]
    order = arranged(rows, ["price"], Filter(), Order(name="price"))
    assert [row.key for row in order] == ["45 %", "9.25", "10.50", "$1.2k", "any", "-", ""]
    below = arranged(rows, ["price"], parse("price<10", ["price"]), None)
    assert [row.key for row in below] == ["9.25", "45 %"]


def test_columns_have_names_of_their_own() -> None:
    columns = [Column(title=title) for title in ("Walk-away", "Was", "Was", "", "was_3")]
    assert named([*columns, Column(title="Was", name="before")]) == [
        "walk_away",
        "was",
        "was_3",
        "column_4",
        "was_3_5",
        "before",
    ]


VALUES = st.none() | st.floats() | st.text(max_size=2) | st.datetimes(timezones=st.none() | st.just(UTC))


@given(st.lists(VALUES), st.booleans())
def test_rows_of_any_values_are_sorted_with_the_empty_ones_last(values: list[Any], descending: bool) -> None:
    rows = [Row(key=str(at), cells=(), values=(value,)) for at, value in enumerate(values)]
    order = [int(row.key) for row in arranged(rows, ["a"], Filter(), Order(name="a", descending=descending))]
    assert sorted(order) == list(range(len(values)))
    full = [value for value in (values[at] for at in order) if not_empty(value)]
    assert all(map(not_empty, (values[at] for at in order[: len(full)])))
    for first, then in pairwise(order[: len(full)]):
        one, two = values[first], values[then]
        if type(one) is type(two) and not isinstance(one, datetime):
            assert one >= two if descending else one <= two
            assert one != two or first < then


def not_empty(value: Any) -> bool:
    return value is not None and value != "" and not (isinstance(value, float) and math.isnan(value))


FRAMES = st.integers(1, 30).flatmap(
    lambda height: st.fixed_dictionaries(
        {
            "text": st.lists(st.none() | st.text("ab", max_size=2), min_size=height, max_size=height),
            "number": st.lists(
                st.none() | st.sampled_from([0.0, 1.5, -2.0, math.nan, math.inf]), min_size=height, max_size=height
            ),
            "whole": st.lists(st.none() | st.integers(-3, 3) | st.just(2**60 + 1), min_size=height, max_size=height),
        }
    )
)


def frame_of(columns: dict[str, list[Any]]) -> pl.DataFrame:
    return pl.DataFrame(columns, schema={"text": pl.String, "number": pl.Float64, "whole": pl.Int64}, strict=True)


def rows_of(frame: pl.DataFrame) -> FrameRows:
    return FrameRows(frame, specs_of(frame))


@given(FRAMES, st.sampled_from(["", "a", "number<1 | whole>0", "text=", "!number="]), st.booleans(), st.data())
def test_a_frame_is_arranged_as_its_rows_would_be(
    columns: dict[str, list[Any]], text: str, descending: bool, data: Any
) -> None:
    frame = frame_of(columns)
    names = frame.columns
    order = data.draw(st.none() | st.sampled_from(names).map(lambda name: Order(name=name, descending=descending)))
    rows = [Row(key=str(at), cells=(), values=values) for at, values in enumerate(frame.rows())]
    wanted = parse(text, names)
    expected = [row.key for row in arranged(rows, names, wanted, order)]
    lazy = rows_of(frame).arranged(wanted, order)
    assert [row.key for row in lazy] == expected
    assert [lazy.find(key) for key in expected] == list(range(len(expected)))
    assert [row.key for row in lazy[::-1]] == expected[::-1]
    gone = {str(at) for at in range(frame.height + 1)}.difference(expected)
    assert all(lazy.find(key) is None for key in gone)


def test_cells_are_written_as_their_type_asks_and_cannot_steer_the_terminal() -> None:
    hour = datetime(2026, 4, 1, 5, tzinfo=UTC)
    frame = pl.DataFrame(
        {
            "n\x1b[1m": [HOSTILE, None],
            "price": [1234.56789, math.nan],
            "small": [0.000123456, 0.0],
            "gpus": [4000, None],
            "spot": [True, False],
            "hour": [hour, None],
            "day": [hour.date(), None],
            "tags": [["a", "b"], None],
        }
    )
    rows = rows_of(frame)
    first = [cell.plain for cell in rows[0].cells]
    assert first[1:] == ["1,234.5679", "0.0001235", "4,000", "yes", "2026-04-01 05:00", "2026-04-01", "['a', 'b']"]
    assert first[0].isprintable()
    assert first[0].startswith("[/foo]")
    assert [cell.plain for cell in rows[1].cells] == ["", "", "0", "", "no", "", "", ""]
    assert all(column.title.isprintable() and column.name.isprintable() for column in rows.columns)
    assert rows.arranged(Filter(), Order(name="tags")).find("1") == 1


@pytest.mark.parametrize(
    ("value", "text"), [(math.inf, "inf"), (-0.05, "-0.05"), (100.0, "100"), (-1e6, "-1,000,000"), (7, "7")]
)
def test_numbers_have_the_digits_that_tell_something(value: float, text: str) -> None:
    assert number(value) == text


def test_times_that_no_calendar_has_are_empty() -> None:
    times = pl.Series("t", [10**18, 0, None]).cast(pl.Datetime("ms"))
    days = pl.Series("d", [10**9, 0, None], dtype=pl.Int32).cast(pl.Date)
    rows = rows_of(pl.DataFrame([times, days]))
    cells = [[cell.plain for cell in row.cells] for row in rows]
    assert cells == [["", ""], ["1970-01-01 00:00", "1970-01-01"], ["", ""]]
    assert len(rows.filtered(parse("t=1970 d=1970-01", ["t", "d"]))) == 1


def test_columns_of_any_name_are_told_apart() -> None:
    frame = pl.DataFrame({"": [1], "^a.*$": [2], "abc": [3], "*": [4], "a  b": [5], "a b": [6], "met": [7]})
    rows = rows_of(frame)
    names = named(rows.columns)
    assert len(set(names)) == len(names)
    assert list(rows.kinds) == names
    for at, name in enumerate(names, 1):
        typed = str(parse(f'"{name}"={at}', names))
        assert len(rows.filtered(parse(typed, names))) == 1
        assert len(rows.filtered(parse(f'"{name}"=9', names))) == 0
        assert len(rows.sorted(name, descending=True)) == 1


def test_widths_come_from_a_sample_that_holds_the_widest() -> None:
    height = 5_000
    frame = pl.DataFrame({"name": ["x"] * height, "price": [1.0] * height, "none": [None] * height})
    frame[4_000, "name"], frame[4_500, "name"] = "漢" * 12, "y" * 20
    frame[3_000, "price"], frame[3_500, "price"], frame[2_000, "price"] = 1e9, 0.1234, -5e11
    rows = rows_of(frame)
    assert rows.widths() == (24, len("-500,000,000,000"), 0)
    assert rows.sorted("name", descending=True).widths() == rows.widths()


class Counted(LazyRows):
    """Rows without end, which count how often one is made."""

    def __init__(self, length: int) -> None:
        self.length, self.made = length, 0

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: Any) -> Any:
        self.made += 1
        return Row(key=str(range(self.length)[index]), cells=(Text(f"row {index}"), Text("1"), Text("")))

    @property
    def kinds(self) -> dict[str, Any]:
        return {"offer": "text", "list_price": "number", "term": None}

    def widths(self) -> tuple[int, ...]:
        return (13, 1, 0)

    def find(self, key: str) -> int | None:
        return int(key) if key.isdecimal() else None

    def arranged(self, wanted: Filter, order: Order | None) -> "Counted":  # noqa: ARG002
        return Counted(self.length // 2) if wanted.alternatives else self


async def test_painting_a_page_makes_no_more_rows_than_it_shows() -> None:
    app, height = Sheet(), 20
    rows = Counted(10**9)
    async with app.run_test(size=(60, height)) as pilot:
        table = app.query_one(FittedTable)
        table.fill(rows)
        await pilot.pause()
        assert rows.made < 6 * height
        for pressed in ("pagedown", "end", "home", "m", "full_stop", "minus"):
            rows.made = 0
            await pilot.press(pressed)
            await settled(pilot, lambda: not table.busy)
            assert 0 < rows.made < 6 * height, pressed
        await pilot.press("end")
        await pilot.pause()
        assert "row 999999999" in "".join(shown(app))
        table.filter("x")
        await settled(pilot, lambda: not table.busy)
        assert table.info == "500,000,000 of 1,000,000,000"


class Waiting(Counted):
    """Rows that are arranged when a test says so."""

    def __init__(self) -> None:
        super().__init__(100)
        self.release, self.asked, self.fails = Event(), [], False

    def arranged(self, wanted: Filter, order: Order | None) -> Counted:  # noqa: ARG002
        self.asked.append(str(order and order.name))
        assert self.release.wait(timeout=30)
        if self.fails:
            raise OSError(HOSTILE)
        return Counted({"offer": 10, "list_price": 20, "term": 30}[order.name] if order else 40)


async def test_the_newest_order_wins_and_the_screen_does_not_wait() -> None:
    app, rows = Sheet(), Waiting()
    async with app.run_test(size=(60, 20)) as pilot:
        table = app.query_one(FittedTable)
        table.fill(rows)
        for name in ("offer", "list_price", "term"):
            table.sort(name)
            await pilot.pause()
        await settled(pilot, lambda: bool(rows.asked))
        await pilot.press("down")
        assert (table.busy, table.key, len(table._rows)) == (True, "1", 100)
        rows.release.set()
        await settled(pilot, lambda: not table.busy)
        assert len(table._rows) == 30
        assert rows.asked == ["offer", "term"]
        rows.release.clear()
        table.sort("offer")
        table.sort(None)
        assert (table.busy, len(table._rows)) == (False, 100)
        rows.release.set()
        await pilot.pause(0.05)
        assert len(table._rows) == 100


async def test_rows_that_cannot_be_arranged_stay_as_they_are() -> None:
    app, rows = Sheet(), Waiting()
    rows.fails = True
    rows.release.set()
    async with app.run_test(size=(60, 20)) as pilot:
        table = app.query_one(FittedTable)
        table.fill(rows)
        table.sort("offer")
        await settled(pilot, lambda: not table.busy)
        assert len(table._rows) == 100
        said = [note.message for note in app._notifications]
        assert len(said) == 1
        assert said[0].isprintable()


def usage(height: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "provider": ["aws" if at % 4 else HOSTILE for at in range(height)],
            "gpu_hours": [float(at % 97) for at in range(height)],
            "team": [None if at % 3 else f"team {at}" for at in range(height)],
        }
    )


class Behind(App[None]):
    """Something to go back to."""

    CSS = ".line { display: none; height: 3; }"


async def test_the_rows_behind_a_figure_are_looked_through() -> None:
    app, frame = Behind(), usage(1_000)
    screen = RowsScreen(f"Usage of {HOSTILE}", frame)
    async with app.run_test(size=(100, 24)) as pilot:
        await app.push_screen(screen)
        table = screen.query_one(FittedTable)
        await settled(pilot, lambda: len(table._rows) == 1_000)
        assert screen.caption.endswith("1,000 rows")
        assert "1,000 rows" in shown(app)[0]
        assert all(name in shown(app)[1] for name in frame.columns)
        assert "\x1b" not in "".join(shown(app))
        await type_filter(pilot, "gpu_hours>=90 provider=aws")
        await settled(pilot, lambda: not table.busy)
        few = frame.with_row_index().filter(pl.col("gpu_hours") >= 90, pl.col("provider") == "aws")
        assert f"{few.height} of 1,000 rows  gpu_hours>=90 provider=aws" in screen.caption
        assert app.focused is table
        await pilot.press("full_stop", "full_stop", "minus", "m")
        await settled(pilot, lambda: not table.busy)
        order = sorted(few.rows(named=True), key=lambda row: -row["gpu_hours"])
        assert [row.key for row in table._rows] == [str(row["index"]) for row in order]
        assert screen.caption.endswith("1 marked")
        await pilot.press("slash", "escape")
        assert app.screen is screen
        await pilot.press("question_mark")
        await pilot.pause()
        assert "Sort by the next column" in "".join(shown(app))
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert app.screen is not screen


@pytest.mark.parametrize("frame", [pl.DataFrame(), usage(0), pl.DataFrame({"a": [None, None]})])
async def test_frames_with_nothing_in_them_are_shown(frame: pl.DataFrame) -> None:
    app, screen = Behind(), RowsScreen("Nothing", frame)
    async with app.run_test(size=(60, 12)) as pilot:
        await app.push_screen(screen)
        await settled(pilot, lambda: f"{frame.height:,} rows" in shown(app)[0] and "reading" not in shown(app)[0])
        await pilot.press("full_stop", "minus", "m", "enter", "end", "M", "slash")
        screen.query_one(FilterInput).query_one(Input).value = "x"
        await pilot.press("enter")
        await settled(pilot, lambda: not screen.query_one(FittedTable).busy)
        assert len(screen.query_one(FittedTable)._rows) == 0


def test_a_filter_of_a_table_names_its_columns() -> None:
    table = FittedTable(COLUMNS, id="sheet")
    with pytest.raises(FilterError, match="did you mean list_price"):
        table.filter("list_prise<3")
