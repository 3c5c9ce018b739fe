"""The filter language: a row at a time and as an expression it lets the same rows through, and no text breaks it."""

import math
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.filter_values import kind_of_type, read_number, read_span
from app.filters import MOST_TERMS, Filter, FilterError, Term, parse


def moment(*parts: int) -> datetime:
    """Return a time without a zone, which stands for UTC as in a frame."""
    return datetime(*parts)  # noqa: DTZ001


NAMES = ("name", "price", "count", "flag", "hour", "day", "zoned", "^n.*$", 'odd "name"', "*")
ROWS = (
    {"provider": "aws", "gpu": "H100-SXM-80GB", "price": 2.5, "term": 12.0, "team": "ads eu", "used": 0.25},
    {"provider": "AWS", "gpu": "A100-80GB", "price": 12_000.0, "term": None, "team": "", "used": 0.5},
    {"provider": "spot market", "gpu": "h100", "price": math.nan, "term": 24.0, "team": None, "used": 0.3},
)
KINDS = {"price": "number", "flag": "flag", "hour": "time"}
# What Python calls unassigned may have a lower case in the newer Unicode of polars.
ASSIGNED = st.characters(exclude_categories=["Cs", "Cn"])
TEXTS = st.one_of(
    st.text(ASSIGNED, max_size=6), st.sampled_from(["", "Σ", "ΑΣ", "İ", "ß", "a b", '"', "|", "!x", "3", "<=2"])
)
NUMBERS = st.one_of(
    st.floats(), st.sampled_from([0.0, -0.0, 0.1, 0.3, 1e3, math.inf, math.nan]), st.integers(-3, 3).map(float)
)
INTEGERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)
TIMES = st.datetimes(moment(1700, 1, 1), moment(2200, 1, 1)) | st.datetimes(moment(2026, 1, 1), moment(2026, 3, 1))


def which(text: str, rows: Any = ROWS) -> list[int]:
    wanted = parse(text, rows[0])
    return [index for index, row in enumerate(rows) if wanted.holds(row)]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", [0, 1, 2]),
        ("   ", [0, 1, 2]),
        ("provider=aws", [0]),
        ("provider!=aws", [1, 2]),
        ("!provider=aws", [1, 2]),
        ("!!provider=aws", [0]),
        ("provider~AWS", [0, 1]),
        ("gpu~h100", [0, 2]),
        ("h100", [0, 2]),
        ("!h100", [1]),
        ('"ads eu"', [0]),
        ("ads eu", [0]),
        ('team="ads eu"', [0]),
        ("team=", [1, 2]),
        ("team!=", [0]),
        ("price=", [2]),
        ("price<3", [0]),
        ("price>3", [1]),
        ("price>=2.5", [0, 1]),
        ("price<=$2.50", [0]),
        ("price>10k", [1]),
        ("price=12,000", [1]),
        ("price!=2.5", [1, 2]),
        ("used<30%", [0]),
        ("used=30%", [2]),
        ("term>=12 provider=aws", [0]),
        ("term>12 | team~ADS", [0, 2]),
        ("term>12|team~ADS", [0, 2]),
        ("PRICE<3", [0]),
        ("gpu<H", [1]),
        ("nowhere", []),
        ("price=abc", []),
        ("price!=abc", [0, 1, 2]),
    ],
)
def test_a_filter_lets_the_rows_through_that_it_says(text: str, rows: list[int]) -> None:
    assert which(text) == rows


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("hour=2026", [1, 2, 3]),
        ("hour=2026-04", [2, 3]),
        ("hour=2026-04-01", [2]),
        ("hour<2026-04-01", [0, 1]),
        ("hour<=2026-04-01", [0, 1, 2]),
        ("hour>2026-04-01", [3]),
        ("hour>=2026-04-01", [2, 3]),
        ("hour=2026-04-01T05:00Z", [2]),
        ('hour="2026-04-01 05:01"', []),
        ("hour=2026-12", []),
    ],
)
def test_a_day_is_all_its_hours(text: str, hours: list[int]) -> None:
    times = [moment(2025, 12, 31, 23), moment(2026, 3, 31, 23, 59), moment(2026, 4, 1, 5), moment(2026, 4, 2)]
    assert which(text, [{"hour": time} for time in times]) == hours
    elsewhere = timezone(timedelta(hours=9))
    assert which(text, [{"hour": time.replace(tzinfo=UTC).astimezone(elsewhere)} for time in times]) == hours


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("provder=aws", "no column is called provder; did you mean provider?"),
        ("xyz=aws", "no column is called xyz; known are provider, gpu, price, term, team, used"),
        ("price<", "no value stands after <"),
        ("price < 3", "no column stands before <; write name<value without spaces"),
        ("<3", "no column stands before <"),
        ("!=3", "no column stands before !="),
        ("!", "nothing stands after !"),
        ('""', "nothing stands after ! or between the quotes"),
        ("a |", "nothing stands beside |"),
        ("| a", "nothing stands beside |"),
        ("a || b", "nothing stands beside |"),
        ('team="ads', "a quote is not closed"),
        ("a " * (MOST_TERMS + 1), "more than 200 terms"),
        ("a\ud800", "half a character"),
    ],
)
def test_a_filter_that_cannot_be_read_says_why(text: str, said: str) -> None:
    with pytest.raises(FilterError) as raised:
        parse(text, ROWS[0])
    assert said in str(raised.value)


@pytest.mark.parametrize("text", ["price<cheap", "price~3", "flag<yes", "flag=maybe", "hour=noon", "hour~2026"])
def test_a_value_of_the_wrong_kind_is_refused_where_kinds_are_known(text: str) -> None:
    with pytest.raises(FilterError, match=r"cannot be compared with .*; write (price|flag|hour)"):
        parse(text, KINDS, kinds=KINDS)
    assert parse(text, KINDS).holds({"price": 3.0}) is False


def test_a_frame_without_the_column_is_an_error_of_the_filter() -> None:
    with pytest.raises(FilterError, match="did you mean price"):
        parse("prices<3", ["prices"]).expression({"price": pl.Float64()})


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3", 3.0),
        ("-$3.5", -3.5),
        ("$.5", 0.5),
        ("1.1%", 0.011),
        ("38.7 %", 0.387),
        ("10K", 1e4),
        ("2.5M", 2.5e6),
        ("1B", 1e9),
        ("1e3", 1e3),
        ("1e9999", math.inf),
        ("", None),
        ("-", None),
        ("1.2.3", None),
        ("٣", None),
        ("1" * 1_000_000, None),
        ("1" * 1_000_000 + "x", None),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, number: float | None) -> None:
    assert read_number(text) == number


@given(st.dates(date(1, 1, 1), date(9998, 12, 31)))
@example(date(2024, 2, 29))
def test_a_day_ends_where_the_next_begins(day: date) -> None:
    span = read_span(f"{day.year:04}-{day.month:02}-{day.day:02}")
    assert span is not None
    assert [end.date() for end in span] == [day, date.fromordinal(day.toordinal() + 1)]
    month = read_span(f"{day.year:04}-{day.month:02}")
    assert month is not None
    assert month[0] <= span[0] < span[1] <= month[1]
    assert month[1].day == 1


@given(st.text() | st.text("ab3=<>!~|\" \t'", max_size=20))
def test_no_text_raises_anything_but_the_named_error(text: str) -> None:
    try:
        wanted = parse(text, NAMES)
    except FilterError:
        return
    wanted.holds({"name": text, "price": 3.0})
    wanted.expression(dict.fromkeys(NAMES, pl.String()))


@st.composite
def terms(draw: Any, names: tuple[str, ...] = NAMES) -> Term:
    turned, value = (
        draw(st.booleans()),
        draw(TEXTS | NUMBERS.map(str) | st.sampled_from(["yes", "2026-01", "2026-02-03"])),
    )
    if draw(st.booleans()):
        return Term(value=value or "x", turned=turned)
    sign = draw(st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "~"]))
    value = value if value or sign in {"=", "!="} else "0"
    return Term(name=draw(st.sampled_from(names)), sign=sign, value=value, turned=turned)


FILTERS = st.lists(st.lists(terms(), min_size=1, max_size=3).map(tuple), max_size=3).map(
    lambda ways: Filter(tuple(ways))
)


@given(FILTERS)
def test_a_printed_filter_reads_back_as_itself(wanted: Filter) -> None:
    assert parse(str(wanted), NAMES) == wanted


@given(st.text('ab3=<>!~|" \t', max_size=20))
def test_what_is_read_prints_to_what_reads_the_same(text: str) -> None:
    try:
        wanted = parse(text, ("a", "b"))
    except FilterError:
        return
    assert parse(str(wanted), ("a", "b")) == wanted


@st.composite
def frames(draw: Any) -> pl.DataFrame:
    height = draw(st.integers(1, 6))

    def column(values: Any, dtype: Any) -> pl.Series:
        drawn = draw(st.lists(st.none() | values, min_size=height, max_size=height))
        return pl.Series(drawn, dtype=dtype, strict=True)

    hours = column(TIMES, pl.Datetime(draw(st.sampled_from(["ms", "us", "ns"]))))
    return pl.DataFrame(
        {
            "name": column(TEXTS, pl.String).cast(draw(st.sampled_from([pl.String(), pl.Categorical()]))),
            "price": column(NUMBERS, pl.Float64),
            "count": column(INTEGERS, pl.Int64),
            "flag": column(st.booleans(), pl.Boolean),
            "hour": hours,
            "day": column(TIMES.map(datetime.date), pl.Date),
            "zoned": hours.dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo"),
            "^n.*$": column(TEXTS, pl.String),
            'odd "name"': column(NUMBERS, pl.Float64),
            "*": column(TEXTS, pl.String),
        }
    )


def plain(value: Any) -> Any:
    """Return a cell as `holds` takes it: a day is its first moment."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return moment(value.year, value.month, value.day)
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@given(frames(), FILTERS)
def test_the_expression_lets_the_same_rows_through(frame: pl.DataFrame, wanted: Filter) -> None:
    rows = [{name: plain(value) for name, value in row.items()} for row in frame.rows(named=True)]
    met = frame.with_columns(met=wanted.expression(frame.schema))["met"]
    assert met.to_list() == [wanted.holds(row) for row in rows]


@given(frames(), st.data())
def test_a_filter_for_what_a_cell_holds_lets_its_row_through(frame: pl.DataFrame, data: Any) -> None:
    row = data.draw(st.integers(0, frame.height - 1))
    name = data.draw(st.sampled_from(["name", "price", "^n.*$", "*"]))
    cell = frame[row, name]
    empty = cell is None or (isinstance(cell, float) and math.isnan(cell))
    value = "" if empty else "1e999" if cell == math.inf else "-1e999" if cell == -math.inf else str(cell)
    typed = str(Filter(((Term(name=name, sign="=", value=value),),)))
    wanted = parse(typed, NAMES, kinds={"price": "number"})
    assert frame.with_columns(met=wanted.expression(frame.schema))["met"][row]


def test_both_know_the_same_lower_case_for_every_assigned_character() -> None:
    every = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) not in {"Cs", "Cn"}]
    lower = pl.Series(every).str.to_lowercase().to_list()
    assert [char for char, low in zip(every, lower, strict=True) if char.lower() != low] == []


def test_every_kind_of_column_is_known() -> None:
    kinds = {pl.Int8(): "number", pl.Decimal(9, 2): "number", pl.Enum(["a"]): "text", pl.Date(): "time"}
    kinds |= {pl.List(pl.String()): None, pl.Duration(): None, pl.Boolean(): "flag"}
    assert {dtype: kind_of_type(dtype) for dtype in kinds} == kinds
