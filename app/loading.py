"""Files, quotes and settings as they were asked for -> a session."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from app import settings
from app.reports.planfile import decimal
from app.reports.text import count, money
from app.session import Origin, Session
from optimizer.demand import work_of
from optimizer.limits import parse
from optimizer.plan import Inputs
from providers import bundle
from providers.files import Source, read
from providers.focus.commitments import commitments as contracts
from providers.names import canonical_models
from providers.quotes import offers_from
from providers.recognise import kind_of
from providers.scan import scans
from providers.tables import COMMITMENTS, OFFERS, USAGE, Diagnostic, InputError, Table, checked, currency_of, key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from app.session import Request

BUNDLED = "bundled"  # the name by which the price book is asked for among the offers
COSTS = ("list_cost", "effective_cost", "billed_cost")


def session_of(request: Request) -> Session:
    """Read everything, make it one table of each kind, and check that it goes together."""
    demo = not request.usage
    said = _settings(request, demo=demo)
    usage = [bundle.demo_usage()] if demo else _with_work([_usage(path) for path in request.usage])
    owned, found_contracts = _owned(request, demo=demo)
    books = _books(request, demo=demo)
    books += _typed(request.offer, currency=_currency([*books, *owned, *usage]))
    offered, found_offers = _whole(books, OFFERS)
    used, found_usage = _whole(usage, USAGE)
    commitments, found_owned = _whole(owned, COMMITMENTS) if owned else (None, [])
    horizon = request.horizon or said.horizon
    currency = _currency([*books, *owned, *usage])
    found = [*found_usage, *found_offers, *found_contracts, *found_owned, *_left_out(used, currency)]
    return Session(
        inputs=Inputs(
            usage=used,
            offers=offered,
            commitments=commitments,
            rules=said.rules,
            limits=parse((*said.limits, *request.limit)),
            months=settings.horizon(horizon),
            now=request.now,
        ),
        usage=tuple(_origin(source, "hour") for source in usage),
        offers=tuple(_origin(source, "as_of") for source in books),
        commitments=tuple(_origin(source) for source in owned),
        config=Origin(path=said.path, sha256=said.sha256 or "", rows=0) if said.path else None,
        horizon=horizon,
        demo=demo,
        currency=currency,
        diagnostics=(*_about(request, books), *said.diagnostics, *found),
    )


def offers_of(paths: Sequence[str], *, now: datetime) -> tuple[pl.DataFrame, str, list[Diagnostic]]:
    """Return a table of offers, their currency and what was found: of the files given, or the price book."""
    books = _read([path for path in paths if path != BUNDLED], OFFERS)
    if BUNDLED in paths or not paths:
        books.append(bundle.price_book())
    offers, found = _whole(books, OFFERS)
    return offers, _currency(books), [*_about_prices(books, now), *found]


def _settings(request: Request, *, demo: bool) -> settings.Settings:
    found = settings.find(request.config)
    if found is None and demo:
        return settings.read(bundle.demo_settings_text(), where="bundled/demo.toml")
    return found or settings.Settings()


def _owned(request: Request, *, demo: bool) -> tuple[list[Source], list[Diagnostic]]:
    """Return what is owned: tables of ours, or lists of contract commitments as FOCUS writes them."""
    if demo and not request.commitments:
        return [bundle.demo_commitments()], []
    owned: list[Source] = []
    found: list[Diagnostic] = []
    for path in request.commitments:
        if _kind(path) != "focus_commitments":
            owned.append(read(path, COMMITMENTS))
            continue
        rows = pl.concat([frame.collect() for frame in scans([path])], how="diagonal_relaxed")
        table, told = contracts(rows, path)
        owned.append(Source(path=path, sha256=hashlib.sha256(Path(path).read_bytes()).hexdigest(), frame=table))
        found += told
    return owned, found


def _books(request: Request, *, demo: bool) -> list[Source]:
    """Return the offers to plan with: those given and nothing else, the bundle only where none, or its name, is given.

    The demo is a place to try things, so a quote that is typed there comes on top of it.
    """
    books = _read([path for path in request.offers if path != BUNDLED], OFFERS)
    if BUNDLED in request.offers or not (request.offers or (request.offer and not demo)):
        books.append(bundle.price_book())
    if demo and not request.offers:
        books.append(bundle.demo_quotes())
    return books


def _typed(quotes: tuple[str, ...], *, currency: str) -> list[Source]:
    """Return quotes as typed, which are in the currency of everything else."""
    if not quotes:
        return []
    sha256 = hashlib.sha256("\n".join(quotes).encode("utf-8", "surrogateescape")).hexdigest()
    frame = offers_from(quotes).with_columns(currency=pl.lit(currency))
    return [Source(path="--offer", sha256=sha256, frame=frame)]


def _read(paths: Iterable[str], table: Table) -> list[Source]:
    return [read(path, table) for path in paths]


def _usage(path: str) -> Source:
    """Read a table of usage; of a bill that is given in its place, say what makes a table of it."""
    try:
        return read(path, USAGE)
    except InputError:
        kind = _kind(path)
        if kind is None or kind == "usage":
            raise
        remedy = f"run tranche usage {path} --out usage.parquet, and plan from usage.parquet"
        raise InputError(path, f"is an export ({kind}) and no usage table yet", remedy) from None


def _kind(path: str) -> str | None:
    """Return what kind of export a file is, or None."""
    try:
        return kind_of(path, path)
    except InputError:
        return None


def _with_work(sources: Sequence[Source]) -> Sequence[Source]:
    """Return the tables of usage, each of which must hold the work of somebody."""
    for source in sources:
        if work_of(source.frame).is_empty():
            remedy = "give the table of a bill in which some workload used a GPU"
            raise InputError(source.path, "has no row of a workload, only idle and other residuals", remedy)
    return sources


def _left_out(usage: pl.DataFrame, currency: str) -> list[Diagnostic]:
    """Say what GPUs that nobody asked for cost in the history: they are no demand."""
    idle = usage.filter(pl.col("residual") == "idle")
    gpu_hours, cost = float(idle["gpu_hours"].sum()), float(idle["effective_cost"].sum())
    if not gpu_hours:
        return []
    message = f"{count(gpu_hours)} idle GPU-hours, {money(decimal(cost), currency)} in the history, are not planned for"
    return [Diagnostic(level="note", code="idle-left-out", message=message)]


def _whole(sources: Sequence[Source], table: Table) -> tuple[pl.DataFrame, list[Diagnostic]]:
    """Return several files of one table as one, with the GPU models by their canonical names."""
    where = ", ".join(source.path for source in sources)
    for index, source in enumerate(sources):
        for earlier in sources[:index]:
            _refuse_same_key(earlier, source, table)
    if len(sources) == 1:
        return canonical_models(sources[0].frame, where=where)
    try:
        whole = pl.concat([source.frame for source in sources], how="diagonal_relaxed")
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise InputError(where, f"do not go together ({reason})", "give extra columns one type in all files") from None
    return canonical_models(checked(whole, table, where=where), where=where)


def _refuse_same_key(earlier: Source, later: Source, table: Table) -> None:
    key = [name for name in key_of(later.frame, table) if name in earlier.frame.columns]
    twice = later.frame.join(earlier.frame, on=key, how="semi", nulls_equal=True, maintain_order="left")
    if twice.is_empty():
        return
    cells = {name: value for name, value in twice.select(key).row(0, named=True).items() if value is not None}
    shown = ", ".join(str(value) for value in cells.values())
    raise InputError(
        later.path,
        f"column {key[0]}: {shown} stands in {earlier.path} too",
        f"each {' + '.join(cells)} may stand once: take the rows out of one of the two",
    )


def _currency(sources: Sequence[Source]) -> str:
    """Return the one currency of all amounts; a table of usage without any cost has none of its own."""
    priced = [source for source in sources if _has_amounts(source.frame)]
    for source in priced:
        if currency_of([source.frame]) != currency_of([priced[0].frame]):
            other, first = currency_of([source.frame]), currency_of([priced[0].frame])
            problem = f"column currency: is in {other}, while {priced[0].path} is in {first}"
            raise InputError(source.path, problem, "convert them to one currency first")
    return currency_of([source.frame for source in priced])


def _has_amounts(frame: pl.DataFrame) -> bool:
    return "holding_usd_per_gpu_hour" in frame.columns or any(frame[name].null_count() < frame.height for name in COSTS)


def _origin(source: Source, column: str | None = None) -> Origin:
    first, last = _range(source, column) if column else (None, None)
    return Origin(path=source.path, sha256=source.sha256, rows=source.frame.height, first=first, last=last)


def _range(source: Source, column: str) -> tuple[str | None, str | None]:
    values = source.frame[column].drop_nulls().sort()
    if values.is_empty():
        return None, None
    first, last = values[0], values[-1]
    return (first, last) if isinstance(first, str) else (f"{first:%Y-%m-%dT%H:%M:%SZ}", f"{last:%Y-%m-%dT%H:%M:%SZ}")


def _about(request: Request, books: Sequence[Source]) -> list[Diagnostic]:
    """Say whether this is the demo, and how old bundled prices are."""
    if request.usage:
        return _about_prices(books, request.now)
    kinds = "fictional usage" if request.offers else "fictional usage and quotes"
    prices = _price_book(books) or "the offers given"
    hint = "name a usage file to plan your own"
    return [Diagnostic(level="note", code="demo", message=f"demo data: {kinds} on {prices}", hint=hint)]


def _about_prices(books: Sequence[Source], now: datetime) -> list[Diagnostic]:
    book = _price_book(books)
    if book is None:
        return []
    newest = date.fromisoformat(book.split()[-1])
    message = f"prices are from {book}; the newest is {max((now.date() - newest).days, 0)} days old"
    return [Diagnostic(level="note", code="bundled-prices", message=message, hint="give your own with --offers")]


def _price_book(books: Sequence[Source]) -> str | None:
    """Name the bundled price book and the days its prices were true, if it is one of these."""
    for source in books:
        if source.path == "bundled/offers.csv":
            first, last = _range(source, "as_of")
            return f"the bundled price book of {first} to {last}"
    return None
