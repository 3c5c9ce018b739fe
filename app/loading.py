"""Files, quotes and settings as they were asked for -> a session."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from app import settings
from app.books import about, books_of, name_of
from app.books import offers_of as books_for_prices
from app.future import buying_of, described, moves_of, outlook, settled, weighed
from app.reports.planfile import decimal
from app.reports.text import count, money
from app.scenario_files import scenarios_of
from app.session import Origin, Session
from app.solver import Solver
from app.workload_rules import about_places, with_egress
from optimizer.demand import Horizon, usage_hours, with_idle, work_of
from optimizer.limits import parse
from optimizer.stated import Inputs
from providers import book, bundle
from providers.columns import Table
from providers.files import Source, read
from providers.focus.commitments import commitments as contracts
from providers.names import canonical_models
from providers.recognise import kind_of
from providers.scan import scans
from providers.store import Workspace
from providers.tables import COMMITMENTS, OFFERS, USAGE, Diagnostic, InputError, checked, currency_of, key_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.future import Outlook
    from app.session import Request
    from optimizer.streams import WorkloadRule

TAIL = 0.95  # the worst twentieth of the outcomes
COSTS = ("list_cost", "effective_cost", "billed_cost")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tables:
    """What was read: the files, one table of each kind, and what was found on the way."""

    usage: list[Source]
    books: list[Source]
    owned: list[Source]
    used: pl.DataFrame
    offered: pl.DataFrame
    commitments: pl.DataFrame | None
    currency: str
    found: list[Diagnostic]


def _tables(request: Request, said: settings.Settings, *, demo: bool) -> _Tables:
    usage = [bundle.demo_usage()] if demo else [_usage(path) for path in request.usage]
    _check_work(usage, idle=request.commit_idle)
    workspace = workspace_of(request.workspace, said)
    owned, found_contracts = _owned(request, workspace, demo=demo)
    priced = [source for source in [*owned, *usage] if _has_amounts(source.frame)]
    books, found_books = books_of(
        request,
        workspace,
        currency=_currency(priced) if priced else None,
        rates=said.currencies,
        used={region for source in usage for region in source.frame["region"].unique()},
    )
    currency = _currency([*books, *owned, *usage])
    offered, found_offers = _whole(books, OFFERS)
    used, found_usage = _whole(usage, USAGE)
    commitments, found_owned = _whole(owned, COMMITMENTS) if owned else (None, [])
    found = [*found_books, *found_usage, *found_offers, *found_contracts, *found_owned]
    found += _about_idle(used, currency, planned=request.commit_idle)
    return _Tables(
        usage=usage,
        books=books,
        owned=owned,
        used=with_idle(used) if request.commit_idle else used,
        offered=offered,
        commitments=commitments,
        currency=currency,
        found=found,
    )


def session_of(request: Request) -> Session:
    """Read everything, make it one table of each kind, and check that it goes together."""
    demo = not request.usage
    said = _settings(request, demo=demo)
    horizon = request.horizon or said.horizon
    months = settings.horizon(horizon)
    expected = settled(_asked(request), said.outlook, months=months)
    tables = _tables(request, said, demo=demo)
    used, offered = tables.used, tables.offered
    rules, found_places = _rules(said, used, {*used["provider"].drop_nulls(), *offered["provider"]})
    start = Horizon.of(usage_hours(used), months=months, now=request.now).start
    futures = None if expected.scenarios is None else scenarios_of(expected.scenarios, start=start, offers=offered)
    moves, found_moves = moves_of(said.prices, start=start, sold=offered["gpu_model"])
    return Session(
        inputs=Inputs(
            usage=used,
            offers=offered,
            commitments=tables.commitments,
            rules=rules,
            limits=parse((*said.limits, *request.limit)),
            months=months,
            now=request.now,
            buying=buying_of(expected, moves),
            forecast=expected.forecast,
            growth_per_month=expected.growth_per_month or 0.0,
            changes=said.changes,
            scenarios=futures.scenarios if futures else (),
            risk=expected.risk or 0.0,
            tail=TAIL if expected.tail is None else expected.tail,
        ),
        usage=tuple(_origin(source, "hour") for source in tables.usage),
        offers=tuple(_origin(source, "as_of") for source in tables.books),
        commitments=tuple(_origin(source) for source in tables.owned),
        solver=Solver(gap=request.gap),
        config=Origin(path=said.path, sha256=said.sha256 or "", rows=0) if said.path else None,
        horizon=horizon,
        demo=demo,
        currency=tables.currency,
        outlook=described(expected, commit_idle=request.commit_idle),
        scenarios=Origin(path=futures.path, sha256=futures.sha256, rows=len(futures.scenarios)) if futures else None,
        diagnostics=(
            *_about(request, tables.books),
            *said.diagnostics,
            *tables.found,
            *found_places,
            *found_moves,
            *(futures.diagnostics if futures else ()),
        ),
    )


def offers_of(
    names: Sequence[str], *, now: datetime, config: str | None = None, workspace: str | None = None
) -> tuple[pl.DataFrame, str, list[Diagnostic]]:
    """Return a table of offers, their currency and what was found: of the files given, or the price book."""
    said = settings.find(config) or settings.Settings()
    books, told = books_for_prices(names, workspace_of(workspace, said), now=now, rates=said.currencies)
    currency = _currency(books)
    offers, found = _whole(books, OFFERS)
    return offers, currency, [*told, *found]


def workspace_of(given: str | None, said: settings.Settings) -> Workspace:
    """Return the workspace of an option, of the settings, or of the user."""
    return Workspace(given or said.fetch.workspace)


def _settings(request: Request, *, demo: bool) -> settings.Settings:
    found = settings.find(request.config)
    if found is None and demo:
        return settings.read(bundle.demo_settings_text(), where="bundled/demo.toml")
    return found or settings.Settings()


def _owned(request: Request, workspace: Workspace, *, demo: bool) -> tuple[list[Source], list[Diagnostic]]:
    """Return what is owned: tables of ours, contract commitments as FOCUS writes them, or what was fetched."""
    if not request.commitments:
        return ([bundle.demo_commitments()], []) if demo else _fetched_commitments(workspace)
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


def _fetched_commitments(workspace: Workspace) -> tuple[list[Source], list[Diagnostic]]:
    frame = book.owned(workspace)
    if frame is None:
        return [], []
    message = f"{frame.height:,} commitments in the workspace count as owned"
    hint = "name others with --commitments"
    sha256 = hashlib.sha256(frame.write_csv().encode()).hexdigest()
    found = Diagnostic(level="note", code="fetched-commitments", message=message, hint=hint)
    return [Source(path="workspace", sha256=sha256, frame=frame)], [found]


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


def _check_work(sources: Sequence[Source], *, idle: bool) -> None:
    """Refuse a table of usage without the work of somebody, or idle GPUs where they are planned for."""
    for source in sources:
        if work_of(with_idle(source.frame) if idle else source.frame).is_empty():
            remedy = "give the table of a bill in which some workload used a GPU"
            raise InputError(source.path, "has no row of a workload, only idle and other residuals", remedy)


def _about_idle(usage: pl.DataFrame, currency: str, *, planned: bool) -> list[Diagnostic]:
    """Say what GPUs that nobody asked for cost in the history: they are no demand, unless somebody says so."""
    idle = usage.filter(pl.col("residual") == "idle")
    gpu_hours, cost = float(idle["gpu_hours"].sum()), float(idle["effective_cost"].sum())
    if not gpu_hours:
        return []
    message = f"{count(gpu_hours)} idle GPU-hours, {money(decimal(cost), currency)} in the history, are"
    if planned:
        return [Diagnostic(level="note", code="idle-planned", message=f"{message} planned for as the workload idle")]
    hint = "--commit-idle plans for them too"
    return [Diagnostic(level="note", code="idle-left-out", message=f"{message} not planned for", hint=hint)]


def _asked(request: Request) -> Outlook:
    """Return what the options say of the time to come."""
    found = outlook(forecast=request.forecast, growth=request.growth, ladder=request.ladder, capital=request.capital)
    return weighed(found, scenarios=request.scenarios, risk=request.risk, tail=request.tail)


def _rules(
    said: settings.Settings, usage: pl.DataFrame, providers: set[str]
) -> tuple[tuple[WorkloadRule, ...], list[Diagnostic]]:
    """Return what holds for workloads, the price of data that leaves its provider included."""
    rules, found = with_egress(said.rules, said.reading, usage, said.changes)
    return rules, [*about_places(said.rules, providers), *found]


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
            raise InputError(
                source.path, problem, "convert them to one currency first, or give [currencies] in tranche.toml"
            )
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
    """Say whether this is the demo, and how old the prices of a price book are."""
    if request.usage:
        return about(books, request.now)
    kinds = "fictional usage" if request.offers else "fictional usage and quotes"
    prices = next((name for source in books if (name := name_of(source))), "the offers given")
    hint = "name a usage file to plan your own"
    return [Diagnostic(level="note", code="demo", message=f"demo data: {kinds} on {prices}", hint=hint)]
