"""What a table is: its columns, what their cells must meet, and the rules that span columns."""

from dataclasses import dataclass

import polars as pl

from providers.rules import FINITE, NOT_NEGATIVE, Rule, one_of

TIME = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table: its type, what its cells must meet, and what an empty cell means."""

    name: str
    dtype: pl.DataType
    required: bool = False
    unless: str | None = None
    default: str | float | bool | None = None
    rules: tuple[Rule, ...] = ()
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table's columns, the columns that name a row, and the rules that span columns (named by their main column).

    A required cell may be empty where the column it names in `unless` is filled. With `text_in_key`, extra columns of
    text (further tags) tell rows apart too.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    text_in_key: bool = False
    row_rules: tuple[tuple[str, Rule], ...] = ()


def text(
    name: str, about: str, *, required: bool = False, unless: str | None = None, default: str | None = None
) -> Column:
    """Return a column of text."""
    return Column(name=name, dtype=pl.String(), required=required, unless=unless, default=default, about=about)


def number(
    name: str, about: str, rule: Rule = NOT_NEGATIVE, *, required: bool = False, default: float | None = None
) -> Column:
    """Return a column of numbers, 0 or more unless another rule is given."""
    return Column(name=name, dtype=pl.Float64(), required=required, default=default, rules=(FINITE, rule), about=about)


def choice(
    name: str, values: tuple[str, ...], about: str, *, required: bool = False, default: str | None = None
) -> Column:
    """Return a column that holds one of several words."""
    rules = (one_of(values),)
    return Column(name=name, dtype=pl.String(), required=required, default=default, rules=rules, about=about)


def time(name: str, about: str, *, required: bool = False, rules: tuple[Rule, ...] = ()) -> Column:
    """Return a column of times."""
    return Column(name=name, dtype=TIME, required=required, rules=rules, about=about)
