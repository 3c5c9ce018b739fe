"""The offers to plan with: files, quotes, the workspace, or the price book that ships with the program."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from app.quote_checks import about_quotes, unexpired
from providers import book, bundle, currencies, quote_files
from providers.files import Source, read
from providers.offers import usual_prices
from providers.quotes import offers_from
from providers.tables import OFFERS, Diagnostic, refuse_mixed_currencies

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from app.session import Request
    from providers.store import Workspace

BUNDLED, FETCHED = "bundled", "workspace"
"""The names by which the two price books are asked for among the offers."""
STALE_DAYS = 30


def books_of(
    request: Request,
    workspace: Workspace,
    *,
    currency: str | None,
    rates: Mapping[str, float],
    used: Iterable[str | None] = (),
) -> tuple[list[Source], list[Diagnostic]]:
    """Return the offers to plan with in one currency: those given and nothing else, a price book only where none is.

    The demo is a place to try things, so a quote that is typed there comes on top of it.

    Args:
        request: what was asked for; it is the demo where it names no usage.
        workspace: where fetched prices are.
        currency: of the plan; None where the offers decide it.
        rates: USD for one unit of other currencies.
        used: the regions in which something runs.
    """
    demo = not request.usage
    names = request.offers or (() if request.offer and not demo else (BUNDLED if demo else FETCHED,))
    books, found = _named(names, workspace, currency=currency, rates=rates)
    books = [replace(one, frame=book.plannable(one.frame, used=used)) if one.path == FETCHED else one for one in books]
    if demo and not request.offers:
        books.append(bundle.demo_quotes())
    books += _typed(request.offer, currency=currency or _first(books))
    kept, told = _checked(books, request.now)
    return kept, [*found, *told]


def offers_of(
    names: Sequence[str], workspace: Workspace, *, now: datetime, rates: Mapping[str, float]
) -> tuple[list[Source], list[Diagnostic]]:
    """Return the offers of the files given, or the price book, and how old it is."""
    books, found = _named(names or (FETCHED,), workspace, currency=None, rates=rates)
    kept, told = _checked(books, now)
    return kept, [*about(kept, now), *found, *told]


def about(books: Sequence[Source], now: datetime) -> list[Diagnostic]:
    """Say which price book is among the offers, and how old its prices are."""
    return [_age(source, now) for source in books if name_of(source)]


def name_of(source: Source) -> str | None:
    """Name a price book and the days its prices were true; None for other offers, and where none is left."""
    kinds = {"bundled/offers.csv": "the bundled price book", FETCHED: "the price book in the workspace"}
    if source.path not in kinds:
        return None
    days = source.frame["as_of"].drop_nulls().str.head(10).sort()
    if days.is_empty():
        return None
    return f"{kinds[source.path]} of {days[0]} to {days[-1]}"


def _checked(books: Sequence[Source], now: datetime) -> tuple[list[Source], list[Diagnostic]]:
    """Leave out what has expired, and say what a person should know of the quotes."""
    usual = usual_prices(bundle.price_book().frame)
    kept, found = [], []
    for source in books:
        frame, told = unexpired(source.frame, now)
        kept.append(replace(source, frame=frame))
        found += [*told, *about_quotes(frame, usual)]
    return kept, found


def _named(
    names: Sequence[str], workspace: Workspace, *, currency: str | None, rates: Mapping[str, float]
) -> tuple[list[Source], list[Diagnostic]]:
    files = [_read(name) for name in names if name not in (BUNDLED, FETCHED)]
    wanted = currency or _first(files)
    books, found = [], []
    for source in files:
        frame, told = currencies.converted(source.frame, to=wanted, rates=rates)
        refuse_mixed_currencies(frame, where=source.path)
        books.append(replace(source, frame=frame))
        found += told
    if FETCHED in names:
        source, told = _fetched(workspace, currency=wanted, rates=rates)
        books.append(source)
        found += told
    if BUNDLED in names:
        books.append(bundle.price_book())
    return books, found


def _read(name: str) -> Source:
    return quote_files.read(name) if name.endswith(quote_files.ENDING) else read(name, OFFERS, one_currency=False)


def _first(books: Sequence[Source]) -> str:
    """Return the currency that the first offers are in."""
    return str(books[0].frame["currency"][0]) if books else "USD"


def _fetched(workspace: Workspace, *, currency: str, rates: Mapping[str, float]) -> tuple[Source, list[Diagnostic]]:
    """Return what was fetched, in one currency; where nothing was, the bundled price book."""
    current = book.current(workspace)
    if not current.days:
        return bundle.price_book(), list(current.found)
    frame, told = currencies.converted(current.offers, to=currency, rates=rates)
    kept, left = currencies.only(frame, currency)
    sha256 = hashlib.sha256(current.offers.write_csv().encode()).hexdigest()
    return Source(path=FETCHED, sha256=sha256, frame=kept), [*current.found, *told, *left]


def _typed(quotes: tuple[str, ...], *, currency: str) -> list[Source]:
    """Return quotes as typed, which are in the currency of everything else."""
    if not quotes:
        return []
    sha256 = hashlib.sha256("\n".join(quotes).encode("utf-8", "surrogateescape")).hexdigest()
    frame = offers_from(quotes).with_columns(currency=pl.lit(currency))
    return [Source(path="--offer", sha256=sha256, frame=frame)]


def _age(source: Source, now: datetime) -> Diagnostic:
    name = str(name_of(source))
    age = max((now.date() - date.fromisoformat(name.rsplit(maxsplit=1)[-1])).days, 0)
    message = f"prices are from {name}; the newest is {age} days old"
    if source.path == FETCHED:
        level = "warning" if age > STALE_DAYS else "note"
        return Diagnostic(level=level, code="fetched-prices", message=message, hint="tranche fetch refreshes them")  # type: ignore[arg-type]
    hint = "tranche fetch gets today's, or give your own with --offers"
    return Diagnostic(level="note", code="bundled-prices", message=message, hint=hint)
