"""The charts: what is drawn is what there is, at any size, with any numbers."""

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult

from app.tui import themes
from app.tui.glyphs import ASCII, UNICODE, Glyphs, use
from app.tui.widgets.bars import ROOM, Meter, bar, meter, reach, used
from app.tui.widgets.canvas import Chart, Line, Scale, Unit, along, placed, rows_scale, spaced, ticks
from app.tui.widgets.lines import Level, Mark, Path, PathChart, StepChart, paths, steps
from app.tui.widgets.mix import KINDS
from app.tui.widgets.stack import StackChart, reduced, stack

GPUS, USD = Unit(name="GPUs"), Unit(name="per GPU-hour", currency="USD")
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
NAMES = [kind for kind, _ in KINDS]
DRAW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ANY = st.floats() | st.sampled_from([0.0, -1.0, 1e308, 5e-324, -math.inf, math.inf, math.nan])
SOME = st.floats(0, 1e6)
SIZES = st.tuples(st.integers(20, 90), st.integers(4, 30))
ANY_SIZE = st.tuples(st.integers(-1, 60), st.integers(-1, 20))


@pytest.fixture(autouse=True)
def unicode() -> Iterator[Glyphs]:
    use(UNICODE)
    yield UNICODE
    use(UNICODE)


@pytest.fixture(params=[UNICODE, ASCII], ids=["unicode", "ascii"])
def glyphs(unicode: Glyphs, request: pytest.FixtureRequest) -> Glyphs:
    use(request.param)
    return request.param


def text(lines: list[Line]) -> list[str]:
    return ["".join(part for part, _ in line) for line in lines]


def fits(lines: list[Line], width: int, height: int) -> None:
    assert len(lines) <= max(height, 0)
    assert all(cell_len(line) <= width for line in text(lines))
    assert all(line.isprintable() for line in text(lines))


def cells(lines: list[Line], glyphs: Glyphs, below: int = 2, above: int = 0) -> list[list[tuple[str, str]]]:
    """Return the sign and style of each cell of a plot, without the labels to its left."""
    found = [[(sign, style) for part, style in line for sign in part] for line in lines[above : len(lines) - below]]
    left = min(index for index, (sign, _) in enumerate(found[0]) if sign in glyphs.axis + glyphs.tick) + 1
    return [row[left:] for row in found]


# The scale


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(2, 60))
def test_the_rows_hold_every_value_and_their_ticks_are_round_and_on_rows(low: float, length: float, rows: int) -> None:
    assume(length > 1e-6 * abs(low))
    high = low + length
    scale = rows_scale(low, high, rows)
    slack = 1e-6 * length
    assert scale.low <= low + slack
    assert scale.high >= high - slack
    assert scale.ticks
    for one, other in pairwise(scale.ticks):
        mantissa = (other - one) / 10 ** math.floor(math.log10(other - one) + 1e-6)
        assert min(abs(mantissa - nice) for nice in (1, 2, 5)) < 1e-3
        assert (one - scale.low) / (other - one) == pytest.approx(round((one - scale.low) / (other - one)), abs=1e-3)
        assert scale.at(one, rows) == pytest.approx(round(scale.at(one, rows)), abs=1e-3)
    if rows >= 6:
        assert len(scale.ticks) >= 3


@given(st.floats(0.01, 1e12), st.integers(12, 40))
def test_an_axis_from_0_wastes_less_than_half_of_its_rows(high: float, rows: int) -> None:
    scale = rows_scale(0.0, high, rows)
    assert scale.low == 0
    assert scale.high <= 2 * high


@pytest.mark.parametrize(
    ("low", "high", "most", "found"),
    [
        (0.7, 3.2, 4, (1.0, 2.0, 3.0)),
        (0.0, 1.0, 6, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        (0.0, 8760.0, 5, (0.0, 2000.0, 4000.0, 6000.0, 8000.0)),
        (-3.0, 3.0, 3, (-2.0, 0.0, 2.0)),
        (2.0, 2.0, 1, (2.0,)),
    ],
)
def test_ticks_are_round(low: float, high: float, most: int, found: tuple[float, ...]) -> None:
    assert ticks(low, high, most) == found


@pytest.mark.parametrize(
    ("unit", "values", "labels"),
    [
        (GPUS, [0, 200, 1200], ["0", "200", "1,200"]),
        (GPUS, [0, 0.5, 1], ["0", "0.5", "1"]),
        (GPUS, [0, 0.02, 0.04], ["0.00", "0.02", "0.04"]),
        (GPUS, [0, 5e11], ["0", "5e+11"]),
        (USD, [0, 2, 4], ["$0", "$2", "$4"]),
        (USD, [2, 2.5], ["$2.00", "$2.50"]),
        (USD, [0, 5e5, 1e6], ["$0", "$500k", "$1M"]),
        (USD, [0, 50_000, 100_000, 150_000], ["$0", "$50k", "$100k", "$150k"]),
        (USD, [1.5e6, 2e6, 1e7, 1e8], ["$1.5M", "$2M", "$10M", "$100M"]),
        (USD, [2.15, 2.155], ["$2.150", "$2.155"]),
        (USD, [-5, 0, 5], ["-$5", "$0", "$5"]),
        (Unit(currency="CHF"), [0, 382_100], ["0", "382.1k"]),
    ],
)
def test_labels_are_short_and_tell_values_apart(unit: Unit, values: list[float], labels: list[str]) -> None:
    assert unit.labels(values) == labels


def test_a_currency_without_a_sign_is_named_once() -> None:
    assert Unit(name="per hour", currency="CHF").title == "CHF per hour"
    assert USD.title == "per GPU-hour"


@pytest.mark.parametrize(("value", "said"), [(2.15, "$2.15"), (2.4134, "$2.4134"), (38_000, "$38k"), (0, "$0")])
def test_a_price_has_the_digits_that_it_has(value: float, said: str) -> None:
    assert USD.exact(value) == said


@given(st.lists(st.tuples(st.floats(-5, 60), st.text("abc", min_size=1, max_size=12))), st.integers(0, 50))
def test_labels_never_touch(texts: list[tuple[float, str]], width: int) -> None:
    found = placed(texts, width)
    assert all(at >= 0 and at + len(label) <= width for at, label in found)
    assert all(at + len(label) < after for (at, label), (after, _) in pairwise(found))
    assert [label for label in spaced(found).split(" ") if label] == [label for _, label in found]


def test_labels_that_do_not_all_fit_are_left_out_evenly() -> None:
    assert along(MONTHS, [index * 4 + 2 for index in range(12)], 48).split() == MONTHS
    assert along(MONTHS, [index * 3 + 1.5 for index in range(12)], 36).split() == MONTHS[::2]
    assert along(["\x1b[31mevil\u202e"], [5], 20).isprintable()


# Stacked columns


@given(st.lists(SOME, min_size=1, max_size=300), st.integers(1, 120))
def test_reducing_keeps_the_mean(values: list[float], width: int) -> None:
    found = reduced(values, width)
    assert 0 < len(found) <= width
    assert np.mean(found) == pytest.approx(np.mean(values), rel=1e-9, abs=1e-6)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=12), st.integers(1, 20))
def test_reducing_whole_stretches_is_their_means(values: list[int], each: int) -> None:
    long = [value for value in values for _ in range(each)]
    assert reduced(long, len(values)) == pytest.approx(values, abs=1e-9)
    assert reduced(values, len(values) * each) == long


@given(st.lists(SOME, min_size=2, max_size=300), st.integers(1, 120))
def test_a_cell_is_the_mean_of_its_stretch_to_the_fraction_of_a_value(values: list[float], width: int) -> None:
    assume(len(values) > width)
    edges = np.interp(np.linspace(0, len(values), width + 1), np.arange(len(values) + 1), [0, *np.cumsum(values)])
    assert reduced(values, width) == pytest.approx(np.diff(edges) * width / len(values), rel=1e-6, abs=1e-3)


columns_of = st.integers(1, 200).flatmap(
    lambda count: st.fixed_dictionaries({name: st.lists(SOME, min_size=count, max_size=count) for name in NAMES})
)


def parts(sign: str, style: str, glyphs: Glyphs, *, textured: bool) -> float:
    """Return how much of a cell is filled."""
    if not style:
        return 0.0
    if textured or glyphs is ASCII:
        return 1.0
    return 1.0 if " on " in style else (glyphs.rising.index(sign) + 1) / 8


@DRAW
@given(columns=columns_of, size=SIZES, textured=st.booleans())
def test_a_stack_draws_the_area_of_its_values(
    glyphs: Glyphs, columns: dict[str, list[float]], size: tuple[int, int], textured: bool
) -> None:
    total = [sum(values) for values in zip(*columns.values(), strict=True)]
    assume(max(total) > 1e-3)
    plot = cells(stack(columns, *size, textured=textured), glyphs)
    rows = len(plot)
    drawn = [sum(parts(*row[at], glyphs, textured=textured) for row in plot) for at in range(len(plot[0]))]
    wanted = reduced(total, len(plot[0]))
    # The scale is not looked up: the columns have to be proportional to the values, whatever it is.
    tallest = max(range(len(wanted)), key=wanted.__getitem__)
    part = 1.0 if textured or glyphs is ASCII else 1 / 8
    assume(drawn[tallest] >= 4 * part)
    a_cell = {wanted[tallest] / (drawn[tallest] + part / 2), wanted[tallest] / (drawn[tallest] - part / 2)}
    for value, height in zip(wanted, drawn, strict=False):
        assert value / max(a_cell) - part / 2 - 1e-6 <= height <= value / min(a_cell) + part / 2 + 1e-6
    assert not any(style for row in plot for _, style in row[len(wanted) :])
    assert max(drawn) <= rows


@DRAW
@given(columns=columns_of, size=SIZES)
def test_a_stack_on_its_scale_is_within_an_eighth_of_a_cell_a_column(
    unicode: Glyphs, columns: dict[str, list[float]], size: tuple[int, int]
) -> None:
    total = [sum(values) for values in zip(*columns.values(), strict=True)]
    assume(max(total) > 1e-3)
    plot = cells(stack(columns, *size), unicode)
    rows, width = len(plot), len(plot[0])
    widest = (reduced(total, cells) for cells in range(size[0] - 10, size[0]))
    scale = rows_scale(0.0, max(value for values in widest for value in values), rows)
    wanted = [value / scale.high * rows for value in reduced(total, width)]
    drawn = [sum(parts(*row[at], unicode, textured=False) for row in plot) for at in range(len(wanted))]
    assert all(abs(height - value) <= 1 / 8 for height, value in zip(drawn, wanted, strict=True))
    assert abs(sum(drawn) - sum(wanted)) <= len(wanted) / 8


def test_a_stack_has_its_kinds_in_order_and_in_proportion(unicode: Glyphs) -> None:
    lines = stack({"bought": [4.0] * 9, "owned": [2.0] * 9, "spot": [1.0] * 9, "payg": [1.0] * 9}, 30, 10)
    column = [row[0][1] for row in reversed(cells(lines, unicode))]
    assert column == ["bought"] * 4 + ["owned"] * 2 + ["spot", "payg"]


def test_a_cell_with_two_kinds_shows_both(unicode: Glyphs) -> None:
    column = [row[0] for row in reversed(cells(stack({"bought": [2.5] * 9, "payg": [5.5] * 9}, 30, 10), unicode))]
    assert column[1:4] == [("█", "bought"), ("▄", "bought on payg"), ("█", "payg")]


def test_a_whole_year_of_hours_as_arrays(glyphs: Glyphs) -> None:
    hours = np.linspace(900.0, 100.0, 8760)
    lines = stack(
        {"bought": np.minimum(hours, 300.0), "payg": np.maximum(hours - 300.0, 0.0)},
        90,
        20,
        labels=["0 %", "50 %", "100 %"],
        unit=GPUS,
    )
    fits(lines, 90, 20)
    assert text(lines)[-2].split() == ["0", "%", "50", "%", "100", "%"]
    assert text(lines)[-1].startswith("GPUs:")
    assert "to buy" in text(lines)[-1]
    assert "spot" not in text(lines)[-1]
    heights = [sum(1 for row in cells(lines, glyphs) if row[at][1]) for at in range(80)]
    assert heights == sorted(heights, reverse=True)


def test_months_have_their_names_under_their_columns(glyphs: Glyphs) -> None:
    lines = stack({"payg": [float(at == 6) for at in range(12)]}, 62, 8, labels=MONTHS, unit=GPUS)
    left = text(lines)[0].index(glyphs.axis) + 1
    drawn = [left + at for at in range(len(cells(lines, glyphs)[0])) if cells(lines, glyphs)[-1][at][1]]
    july = text(lines)[-2].index("Jul")
    assert drawn[0] <= july
    assert july + 2 <= drawn[-1]


def test_the_smallest_stack_names_every_kind(glyphs: Glyphs) -> None:
    lines = stack({name: [10.0, 20.0] for name in NAMES}, 20, 4, unit=GPUS)
    fits(lines, 20, 4)
    assert all(short in text(lines)[-1] for short in ("buy", "own", "spot", "dem"))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({}, "nothing to show"),
        ({"bought": []}, "nothing to show"),
        ({"bought": [0.0, 0.0]}, "every value is 0"),
        ({"bought": [math.nan, -3.0]}, "every value is 0"),
    ],
)
def test_a_stack_of_nothing_says_so(columns: dict[str, list[float]], said: str) -> None:
    assert said in " ".join(text(stack(columns, 60, 10)))


# Steps

CURVE = [
    Level(low=0.5, high=1.2, amount=640),
    Level(low=1.2, high=2.4134, amount=256),
    Level(low=2.4134, high=2.98, amount=64),
    Level(low=2.98, high=3.5, amount=0),
]
MARKS = [Mark(at=2.0, name="quoted"), Mark(at=2.98, name="walk-away", style="walkaway")]


def curve(width: int = 70, height: int = 14, marked: list[Mark] = MARKS) -> list[Line]:
    return steps(CURVE, width, height, prices=USD, amounts=GPUS, marked=marked)


def test_the_axes_of_a_curve_name_its_steps() -> None:
    lines = text(curve())
    assert {"$0.50", "$1.20", "$2.4134", "$2.98", "$3.50"} <= set(lines[-1].split())
    assert [label for line in lines[1:-1] if (label := line[:3].strip())] == ["640", "256", "64", "0"]


def test_a_curve_is_one_line_whose_ends_meet(glyphs: Glyphs) -> None:
    """Walk along the pieces from the left end to the right: each way out of a cell leads into the next."""
    plot = cells(curve(marked=[]), UNICODE if glyphs is UNICODE else ASCII, below=1, above=1)
    if glyphs is ASCII:
        assert {sign for row in plot for sign, style in row if style == "curve"} <= set("|-+")
        return
    ways = {
        (row, column): UNICODE.pieces.index(sign)
        for row, line in enumerate(plot)
        for column, (sign, style) in enumerate(line)
        if style == "curve"
    }
    for (row, column), way in ways.items():
        for bit, back, other in ((1, 2, (row - 1, column)), (2, 1, (row + 1, column))):
            assert not way & bit or ways[other] & back
        for bit, back, other in ((4, 8, (row, column - 1)), (8, 4, (row, column + 1))):
            assert not way & bit or ways[other] & back
    assert sum(way in {1, 2, 4, 8} for way in ways.values()) == 2


def test_a_mark_meets_the_curve_at_what_is_bought_there(glyphs: Glyphs) -> None:
    lines = curve()
    assert "quoted $2.00" in text(lines)[0]
    assert "walk-away $2.98" in text(lines)[0]
    rows = {style: line[0][0][:3].strip() for line in lines[1:-1] for part, style in line if glyphs.mark in part}
    assert rows == {"quoted": "256", "walkaway": "64"}  # at the walk-away price itself, it is still bought


def test_both_names_are_there_where_only_names_fit() -> None:
    head = text(curve(30, 6, [Mark(at=2.2, name="quoted"), MARKS[1]]))[0]
    assert "quoted" in head
    assert "walk-away" in head


def test_a_gap_in_a_curve_is_left_open(glyphs: Glyphs) -> None:
    levels = [
        Level(low=0, high=1, amount=10),
        Level(low=1, high=2, amount=None),
        Level(low=2, high=3, amount=2),
    ]
    plot = cells(steps(levels, 65, 10, prices=USD, amounts=GPUS), glyphs, below=1, above=1)
    columns = [any(row[at][1] == "curve" for row in plot) for at in range(len(plot[0]))]
    third = len(columns) // 3
    assert all(columns[: third - 1])
    assert not any(columns[third + 2 : 2 * third - 2])
    assert all(columns[2 * third + 2 :])


# Lines


@DRAW
@given(
    points=st.lists(
        st.tuples(st.floats(0, 100), st.floats(0, 50)), min_size=2, max_size=30, unique_by=lambda at: at[0]
    ),
    size=SIZES,
)
def test_a_line_passes_its_points_and_leaves_no_column_out(
    glyphs: Glyphs, points: list[tuple[float, float]], size: tuple[int, int]
) -> None:
    points = sorted(points)
    assume(points[-1][0] - points[0][0] > 1)
    plot = cells(paths([Path(points=points)], *size, across=Unit(), up=Unit()), glyphs, below=1)
    assert all(any(style for _, style in column) for column in zip(*plot, strict=True))
    scale = rows_scale(min(y for _, y in points), max(y for _, y in points), len(plot))
    for x, y in points:
        at = (x - points[0][0]) / (points[-1][0] - points[0][0]) * len(plot[0])
        up = (y - scale.low) / (scale.high - scale.low) * len(plot)
        near = [
            plot[len(plot) - 1 - row][column][1]
            for row in {int(up - 1e-6), int(up + 1e-6)}
            for column in {int(at - 1e-6), int(at + 1e-6)}
            if row < len(plot) and column < len(plot[0])
        ]
        assert not near or any(near)


def test_a_gap_in_a_line_is_left_open(glyphs: Glyphs) -> None:
    points = [(float(day), None if 40 < day < 60 else 3.0) for day in range(101)]
    plot = cells(paths([Path(points=points)], 60, 8, across=Unit(), up=USD), glyphs)
    drawn = [any(style for _, style in column) for column in zip(*plot, strict=True)]
    shares = [at / len(drawn) for at, any_there in enumerate(drawn) if not any_there]
    assert 0.4 <= min(shares) < 0.43
    assert 0.57 < max(shares) <= 0.6


def test_lines_that_cannot_differ_by_colour_differ_by_sign() -> None:
    lines = [Path(points=[(0, 1), (9, 1)], name="here"), Path(points=[(0, 2), (9, 2)], name="there")]
    drawn = paths(lines, 40, 8, across=Unit(), up=Unit(), textured=True)
    shown = {style: part[0] for line in drawn for part, style in line if style in {"first", "second"}}
    assert len(set(shown.values())) == 2
    key = "".join(text(drawn)[-1].split())
    assert key == f"{shown['first']}here{shown['second']}there"


def test_braille_adds_up_where_lines_cross(unicode: Glyphs) -> None:
    one, other = Path(points=[(0, 0), (9, 9)]), Path(points=[(0, 9), (9, 0)])
    both = cells(paths([one, other], 40, 12, across=Unit(), up=Unit()), unicode, below=1)
    alone = [cells(paths([line], 40, 12, across=Unit(), up=Unit()), unicode, below=1) for line in (one, other)]

    def dots(plot: list[list[tuple[str, str]]]) -> np.ndarray:
        return np.array([[ord(sign) - 0x2800 if style else 0 for sign, style in row] for row in plot])

    assert (dots(both) == dots(alone[0]) | dots(alone[1])).all()
    assert (dots(alone[0]).astype(bool) & dots(alone[1]).astype(bool)).any()


def test_a_marked_point_is_where_it_belongs_and_said(glyphs: Glyphs) -> None:
    points = [(0.0, 9.0), (5.0, 5.0), (10.0, 1.0)]
    drawn = paths([Path(points=points, marked=1, note="this plan")], 50, 12, across=Unit(), up=Unit())
    plot = cells(drawn, glyphs)
    ((row, column),) = [
        (row, column)
        for row, line in enumerate(plot)
        for column, (sign, style) in enumerate(line)
        if (sign, style) == (glyphs.mark, "mark")
    ]
    assert abs(column - len(plot[0]) / 2) <= 1
    scale = rows_scale(1.0, 9.0, len(plot))
    assert row == len(plot) - 1 - int((5.0 - scale.low) / (scale.high - scale.low) * len(plot))
    assert text(drawn)[-1].endswith("this plan")


def test_names_from_files_cannot_steer_the_terminal() -> None:
    evil = "\x1b]0;x\x07[bold]\u202e"
    fits(paths([Path(points=[(0, 1)], name=evil, marked=0, note=evil)], 60, 8, across=Unit(name=evil), up=USD), 60, 8)
    fits(steps(CURVE, 60, 9, prices=USD, amounts=Unit(name=evil), marked=[Mark(at=2, name=evil)]), 60, 9)
    fits(stack({"payg": [1.0]}, 60, 9, labels=[evil], unit=Unit(name=evil, currency=evil)), 60, 9)


# Nothing that is drawn can stop the program


@DRAW
@given(
    columns=st.dictionaries(st.sampled_from(NAMES), st.lists(ANY, max_size=40)),
    size=ANY_SIZE,
    labels=st.lists(st.text(max_size=6)),
)
@example(columns={"bought": [1e308] * 4, "payg": [1e308] * 4}, size=(30, 8), labels=[])
@example(columns={"bought": [5e-324]}, size=(30, 8), labels=["a"])
@example(columns={"bought": [1e308, 5e-324]}, size=(30, 8), labels=["a"])
def test_any_stack_is_drawn(
    glyphs: Glyphs, columns: dict[str, list[float]], size: tuple[int, int], labels: list[str]
) -> None:
    for unit in (GPUS, USD):
        fits(stack(columns, *size, labels=labels, unit=unit), *size)


@DRAW
@given(
    levels=st.lists(st.tuples(ANY, ANY, ANY | st.none()), max_size=12),
    marked=st.lists(ANY | st.none(), max_size=3),
    size=ANY_SIZE,
)
def test_any_steps_are_drawn(
    glyphs: Glyphs, levels: list[tuple[float, float, float | None]], marked: list[float | None], size: tuple[int, int]
) -> None:
    given_levels = [Level(low=low, high=high, amount=amount) for low, high, amount in levels]
    marks = [Mark(at=at, name="here") for at in marked]
    fits(steps(given_levels, *size, prices=USD, amounts=GPUS, marked=marks), *size)


@DRAW
@given(
    lines=st.lists(st.lists(st.tuples(ANY, ANY | st.none()), max_size=12), max_size=6),
    size=ANY_SIZE,
    textured=st.booleans(),
)
@example(lines=[[(1.0, 1.0), (1.0 + 1e-15, 1.0)]], size=(40, 10), textured=False)
@example(lines=[[(-1e308, -1e308), (1e308, 1e308)]], size=(40, 10), textured=False)
def test_any_lines_are_drawn(
    glyphs: Glyphs, lines: list[list[tuple[float, float | None]]], size: tuple[int, int], textured: bool
) -> None:
    given_paths = [Path(points=points, name="one", marked=len(points) // 2, note="this") for points in lines]
    fits(paths(given_paths, *size, across=GPUS, up=USD, textured=textured), *size)


@DRAW
@given(value=ANY, top=ANY, width=st.integers(-2, 50))
def test_any_bar_is_drawn(glyphs: Glyphs, value: float, top: float, width: int) -> None:
    assert cell_len(bar(value, top, width)) <= max(width, 0)
    for limit in (top, None):
        drawn = meter(value, limit, width, ok="green", warn="yellow", over="red")
        assert drawn.cell_len == max(width, 0)
        assert used(value, limit).isprintable()
        assert len(used(value, limit)) <= 13


# Bars


@given(st.floats(0.001, 1e6), st.floats(0.001, 1e6), st.integers(1, 60))
def test_a_bar_is_as_long_as_its_share(value: float, top: float, width: int) -> None:
    use(UNICODE)
    drawn = bar(value, top, width)
    length = 8 * (len(drawn) - 1) + UNICODE.across.index(drawn[-1]) + 1
    assert length == pytest.approx(max(min(value / top, 1) * width * 8, 1), abs=0.5 + 1e-6)
    assert set(drawn[:-1]) <= {UNICODE.across[-1]}


@pytest.mark.parametrize(
    ("value", "style", "said"),
    [
        (50, "ok", "50.0 %"),
        (79.9, "ok", "79.9 %"),
        (80, "warn", "80.0 %"),
        (100, "warn", "100.0 %"),
        (100.1, "over", "100.1 % over"),
        (105, "over", "105.0 % over"),
        (5000, "over", "over 10 times"),
    ],
)
def test_a_meter_says_how_far_it_is(value: float, style: str, said: str) -> None:
    drawn = meter(value, 100, 40, ok="ok", warn="warn", over="over")
    assert {str(span.style).removesuffix(" reverse") for span in drawn.spans} - {"dim"} == {style}
    assert used(value, 100) == said


@given(st.floats(0.01, 3.0), st.integers(24, 100))
def test_a_meter_has_its_marks_and_its_end_in_the_right_cells(share: float, width: int) -> None:
    for glyphs in (UNICODE, ASCII):
        use(glyphs)
        drawn = meter(share * 250, 250, width).plain
        ends = max(share, ROOM)
        assert reach(share) == ends
        seen = [at for at, sign in enumerate(drawn) if sign == glyphs.limit]
        assert len(seen) == 2
        for at, mark in zip(seen, (0.8, 1.0), strict=True):
            assert at - 1e-6 <= mark / ends * width <= at + 1 + 1e-6
        filled = [at for at, sign in enumerate(drawn) if sign not in {" ", glyphs.limit}]
        assert all(at < share / ends * width + 1 for at in filled)
        beyond = [at for at, sign in enumerate(drawn) if sign == glyphs.over]
        assert all(at > seen[1] for at in beyond)
        assert not beyond or share > 1
        assert beyond or share / ends * width < seen[1] + 1.5


def test_a_limit_of_0_allows_nothing_and_none_is_no_limit(glyphs: Glyphs) -> None:
    assert meter(0, 0, 8).plain == " " * 8
    assert meter(1, 0, 8).plain == glyphs.over * 8
    assert (used(1, 0), used(0, 0)) == ("over 0", "0.0 %")
    for limit in (None, math.inf):
        assert meter(5, limit, 8).plain == " " * 8
        assert used(5, limit) == "no limit"
    assert used(None, 5) == "-"


# The widgets


class Shown(App[None]):
    """Two charts and a bar."""

    def compose(self) -> ComposeResult:
        yield StackChart(id="stack")
        yield StepChart(id="steps")
        yield PathChart(id="paths")
        yield Meter(id="meter")

    def on_mount(self) -> None:
        for theme in themes.themes():
            self.register_theme(theme)
        self.theme = themes.DARK
        self.query_one(StackChart).show({"bought": [2.5] * 9, "payg": [5.5] * 9}, labels=["a", "b"], unit=GPUS)
        self.query_one(StepChart).show(CURVE, prices=USD, amounts=GPUS, marked=MARKS)
        lines = [Path(points=[(0, 1), (9, 5)], name="low"), Path(points=[(0, 2), (9, 7)], name="high")]
        self.query_one(PathChart).show(lines, across=Unit(name="days"), up=USD)
        self.query_one(Meter).show(130, 100)

    def drawn(self) -> str:
        strips = self.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)


async def test_a_screen_shows_every_chart_in_the_signs_in_force(glyphs: Glyphs) -> None:
    app = Shown()
    async with app.run_test(size=(80, 40)) as pilot:
        await pilot.pause()
        drawn = app.drawn()
        assert all(word in drawn for word in ("to buy", "walk-away $2.98", "per GPU-hour by days", "130.0 % over"))
        assert drawn.isascii() == (glyphs is ASCII)


async def test_other_data_another_size_and_no_data_are_drawn_anew() -> None:
    app = Shown()
    async with app.run_test(size=(80, 40)) as pilot:
        app.query_one(StackChart).show({"spot": [1.0]}, unit=GPUS)
        await pilot.pause()
        assert "to buy" not in app.drawn()
        app.query_one(StackChart).show({}, unit=GPUS)
        await pilot.pause()
        assert "nothing to show" in app.drawn()
        await pilot.resize_terminal(30, 10)
        await pilot.pause()
        assert "no room" in app.drawn()


async def test_the_colours_are_those_of_the_theme(unicode: Glyphs) -> None:
    app = Shown()
    async with app.run_test(size=(80, 40)) as pilot:
        for theme in themes.themes():
            app.theme = theme.name
            await pilot.pause()
            chart = app.query_one(StackChart)
            strips = [chart.render_line(y) for y in range(chart.size.height)]
            colours = {
                (segment.style.color.name.lower(), segment.style.bgcolor.name.lower())
                for strip in strips
                for segment in strip
                if segment.text.strip() and segment.text.strip()[0] in UNICODE.rising
            }
            ground, bought, payg = (colour.lower() for colour in (theme.background, theme.primary, theme.error))
            assert (bought, ground) in colours
            assert colours <= {(bought, ground), (payg, ground), (bought, payg)}


async def test_without_colours_kinds_and_lines_have_signs_of_their_own(unicode: Glyphs) -> None:
    app = Shown()
    async with app.run_test(size=(80, 40)) as pilot:
        await pilot.pause()
        assert UNICODE.payg not in app.drawn()
        app.theme = themes.PLAIN
        await pilot.pause()
        assert UNICODE.payg in app.drawn()
        assert UNICODE.lines[1] in app.drawn()


def test_a_chart_is_only_its_lines() -> None:
    with pytest.raises(NotImplementedError):
        Chart().lines(20, 4)
    assert Scale.over(3, 3).low < 3 < Scale.over(3, 3).high
