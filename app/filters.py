"""The filter of a table: `price<3 provider=aws !spot | team="ads eu"`.

Terms beside each other all hold, `|` separates alternatives, `!` turns a term round. `name OP value` compares a
column, with = != < <= > >= and ~ (contains, whatever the case); `name=` asks for an empty cell; a word alone is
contained in any column of text. Quotes keep spaces and signs; a quote inside quotes is written twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from operator import eq, ge, gt, le, lt
from typing import TYPE_CHECKING, Any, cast

from app.diagnostics import UsageError
from app.filter_values import (
    EXAMPLES,
    READERS,
    Kind,
    Value,
    kind_of,
    kind_of_type,
    read_flag,
    read_number,
    read_span,
    utc,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import polars as pl

SIGNS = ("!=", "<=", ">=", "<", ">", "=", "~")
SPECIAL = frozenset('|"!=<>~')
COMPARE: dict[str, Callable[[Any, Any], Any]] = {"=": eq, "<": lt, "<=": le, ">": gt, ">=": ge}
# A day is a span: what is after it begins where it ends. These serve values and expressions alike.
SPANNED: dict[str, Callable[[Any, Any, Any], Any]] = {
    "=": lambda time, begin, end: (time >= begin) & (time < end),
    "<": lambda time, begin, _: time < begin,
    "<=": lambda time, _, end: time < end,
    ">": lambda time, _, end: time >= end,
    ">=": lambda time, begin, _: time >= begin,
}
MOST_TERMS = 200
LONGEST_NAME = 80


class FilterError(UsageError):
    """A filter cannot be read: what is wrong with it, and what to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One condition; name: empty for a word that any column of text may contain. sign: how name and value compare."""

    name: str = ""
    sign: str = "~"
    value: str
    turned: bool = False

    def __str__(self) -> str:
        word = f"{_quoted(self.name)}{self.sign}" if self.name else ""
        value = _quoted(self.value) if self.value or not self.name else ""
        return f"{'!' if self.turned else ''}{word}{value}"

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Say whether a row meets the condition."""
        if not self.name:
            return self.turned != any(self._meets(value) for value in values.values() if isinstance(value, str))
        return (self.turned != (self.sign == "!=")) != self._meets(values.get(self.name))

    def _meets(self, value: Value) -> bool:
        kind, sign = kind_of(value), self.sign.replace("!=", "=")
        if kind is None or not self.value:
            return kind is None and not self.value
        if sign == "~":
            return isinstance(value, str) and self.value.lower() in value.lower()
        if isinstance(value, datetime):
            span = read_span(self.value)
            return bool(span and SPANNED[sign](utc(value), *span))
        if isinstance(value, bool):
            return sign == "=" and value is read_flag(self.value)
        typed = self.value if isinstance(value, str) else read_number(self.value)
        return typed is not None and bool(COMPARE[sign](value, typed))

    def expression(self, kinds: Mapping[str, Kind | None]) -> pl.Expr:
        """Return the condition on a frame that has columns of these kinds; it is never null."""
        import polars as pl

        if not self.name:
            texts = [self._met(name, kind) for name, kind in kinds.items() if kind == "text"]
            found = pl.any_horizontal(texts) if texts else pl.lit(value=False)
            return ~found if self.turned else found
        if self.name not in kinds:
            raise _unknown(self.name, kinds)
        found = self._met(self.name, kinds[self.name])
        return ~found if self.turned != (self.sign == "!=") else found

    def _met(self, name: str, kind: Kind | None) -> pl.Expr:
        column = filled(name, kind)
        if not self.value:
            return column.is_null()
        return self._compared(column, kind).fill_null(value=False)

    def _compared(self, column: pl.Expr, kind: Kind | None) -> pl.Expr:
        import polars as pl

        sign, never = self.sign.replace("!=", "="), pl.lit(value=False)
        if kind == "text" and sign == "~":
            return column.str.to_lowercase().str.contains(self.value.lower(), literal=True)
        if sign == "~" or (kind == "flag" and sign != "="):
            return never
        if kind == "time":
            span = read_span(self.value)
            ends = [pl.lit(time.replace(tzinfo=None)) for time in span or ()]
            return cast("pl.Expr", SPANNED[sign](column, *ends)) if ends else never
        typed = READERS[kind](self.value) if kind else None
        return never if typed is None else cast("pl.Expr", COMPARE[sign](column, pl.lit(typed)))


@dataclass(frozen=True, slots=True)
class Filter:
    """Alternatives, each a number of terms that all hold; none at all let every row through."""

    alternatives: tuple[tuple[Term, ...], ...] = ()

    def __str__(self) -> str:
        return " | ".join(" ".join(map(str, terms)) for terms in self.alternatives)

    @property
    def names(self) -> set[str]:
        """The columns that are compared."""
        return {term.name for terms in self.alternatives for term in terms if term.name}

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Say whether a row is let through."""
        return not self.alternatives or any(all(term.holds(values) for term in terms) for terms in self.alternatives)

    def expression(self, schema: Mapping[str, pl.DataType]) -> pl.Expr:
        """Return the filter for a frame with this schema; it lets the same rows through as `holds`.

        Raises:
            FilterError: a column is not in the schema.
        """
        import polars as pl

        kinds = {name: kind_of_type(dtype) for name, dtype in schema.items()}
        ways = [pl.all_horizontal([term.expression(kinds) for term in terms]) for terms in self.alternatives]
        return pl.any_horizontal(ways) if ways else pl.lit(value=True)


def filled(name: str, kind: Kind | None) -> pl.Expr:
    """Return a column, whatever its name, as what is compared: empty cells null, numbers as floats, times in UTC."""
    import polars as pl
    from polars import selectors

    column = selectors.by_name(name).as_expr()  # `pl.col` takes ^…$ and * for patterns
    if kind == "text":
        text = column.cast(pl.String)
        return pl.when(text != "").then(text)
    if kind == "number":
        return column.cast(pl.Float64).fill_nan(None)
    return column.cast(pl.Datetime("us")) if kind == "time" else column


def parse(text: str, names: Iterable[str], *, kinds: Mapping[str, Kind | None] | None = None) -> Filter:
    """Read a filter over columns with these names; values are checked against the kinds that are known.

    >>> str(parse("price<3 !spot | team=ads", ["price", "team"]))
    'price<3 !spot | team=ads'

    Raises:
        FilterError: the text is no filter, or names a column that is not there.
    """
    known = {name: (kinds or {}).get(name) for name in names}
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise FilterError("the filter holds half a character; type it again")
    alternatives: list[list[Term]] = [[]]
    at = count = 0
    while (at := _past_spaces(text, at)) < len(text):
        if text[at] == "|":
            _refuse_empty(alternatives[-1])
            alternatives.append([])
            at += 1
            continue
        term, at = _term(text, at)
        alternatives[-1].append(_checked(term, known))
        count += 1
        if count > MOST_TERMS:
            raise FilterError(f"there are more than {MOST_TERMS} terms; leave some out")
    if len(alternatives) == 1 and not alternatives[0]:
        return Filter()
    _refuse_empty(alternatives[-1])
    return Filter(tuple(map(tuple, alternatives)))


def _refuse_empty(terms: list[Term]) -> None:
    if not terms:
        raise FilterError("nothing stands beside |; write a term on both sides, or | in quotes")


def _past_spaces(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _term(text: str, at: int) -> tuple[Term, int]:
    turned = False
    while text.startswith("!", at) and not text.startswith("!=", at):
        turned, at = not turned, at + 1
    word, at = _word(text, at, until=SIGNS)
    sign = next((sign for sign in SIGNS if text.startswith(sign, at)), "")
    if not sign:
        if not word:
            raise FilterError("nothing stands after ! or between the quotes; write a word, or name=value")
        return Term(value=word, turned=turned), at
    if not word:
        raise FilterError(f"no column stands before {sign}; write name{sign}value without spaces")
    value, at = _word(text, at + len(sign), until=())
    if not value and sign not in {"=", "!="}:
        raise FilterError(f"no value stands after {sign}; write name{sign}value without spaces")
    return Term(name=word, sign=sign, value=value, turned=turned), at


def _word(text: str, at: int, *, until: tuple[str, ...]) -> tuple[str, int]:
    """Return what stands up to a space, a bar or one of the signs, without its quotes, and where that is."""
    parts: list[str] = []
    while at < len(text) and not (text[at].isspace() or text[at] == "|" or text.startswith(until, at)):
        part, at = _in_quotes(text, at) if text[at] == '"' else (text[at], at + 1)
        parts.append(part)
    return "".join(parts), at


def _in_quotes(text: str, at: int) -> tuple[str, int]:
    parts: list[str] = []
    while True:
        end = text.find('"', at + 1)
        if end < 0:
            raise FilterError('a quote is not closed; write " at its end, and "" for a quote inside')
        parts.append(text[at + 1 : end])
        if not text.startswith('""', end):
            return '"'.join(parts), end + 1
        at = end + 1


def _quoted(word: str) -> str:
    if word and not any(char in SPECIAL or char.isspace() for char in word):
        return word
    return '"' + word.replace('"', '""') + '"'


def _checked(term: Term, kinds: Mapping[str, Kind | None]) -> Term:
    if not term.name:
        return term
    name = term.name if term.name in kinds else _otherwise_written(term.name, kinds)
    kind = kinds[name]
    if term.value and kind and (READERS[kind](term.value) is None or not _comparable(term.sign, kind)):
        raise FilterError(f"{name} cannot be compared with {term.sign}{term.value}; write {_advice(name, kind)}")
    return replace(term, name=name)


def _comparable(sign: str, kind: Kind) -> bool:
    return kind == "text" or (sign != "~" and (kind != "flag" or sign in {"=", "!="}))


def _advice(name: str, kind: Kind) -> str:
    signs = "=" if kind == "flag" else "=, < or >"
    return f"{name}, {signs} and {EXAMPLES[kind]}"


def _otherwise_written(name: str, known: Iterable[str]) -> str:
    same = [other for other in known if other.lower() == name.lower()]
    if len(same) != 1:
        raise _unknown(name, known)
    return same[0]


def _unknown(name: str, known: Iterable[str]) -> FilterError:
    close = get_close_matches(name[:LONGEST_NAME], known, n=1)
    remedy = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
    return FilterError(f"no column is called {name[:LONGEST_NAME]}; {remedy}")
