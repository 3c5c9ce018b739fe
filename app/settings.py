"""`tranche.toml`: what an organisation allows its plans to do, read strictly."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec

from app.diagnostics import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optimizer.demand import WorkloadRule
    from providers.tables import Diagnostic

NAME = "tranche.toml"
LONGEST_MONTHS = 600
Ratio = Annotated[float, msgspec.Meta(gt=0, description="demand that one GPU-hour of this model serves")]
Rate = Annotated[float, msgspec.Meta(gt=0, description="USD for one unit of this currency")]
Amount = str | float
T = TypeVar("T")


class PlanTable(msgspec.Struct, forbid_unknown_fields=True):
    """What to plan for: horizon is 12mo, 1y and so on, or history for exactly the hours of the usage."""

    horizon: str = "12mo"


class LimitsTable(msgspec.Struct, forbid_unknown_fields=True):
    """Caps on a plan: shares such as 40%, amounts such as 2M, terms such as 12mo."""

    spot: Amount | None = None
    committed: Amount | None = None
    upfront: Amount | None = None
    term: str | None = None
    provider: dict[str, Amount] = {}


class WorkloadTable(msgspec.Struct, forbid_unknown_fields=True):
    """What holds for the workloads that a glob matches; of two globs that match, the later wins."""

    interruptible: bool | None = None
    movable: bool | None = None
    providers: tuple[str, ...] | None = None
    regions: tuple[str, ...] | None = None
    runs_on: dict[str, Ratio] = {}


class SourcesTable(msgspec.Struct, forbid_unknown_fields=True):
    """Where usage is read from when none is named: the sources of `tranche usage`."""

    usage: tuple[str, ...] = ()


class FetchTable(msgspec.Struct, forbid_unknown_fields=True):
    """What `tranche fetch` refreshes: feeds (all), regions as globs (all), and other addresses to ask, by feed."""

    feeds: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    urls: dict[str, str] = {}
    workspace: str | None = None


class Tables(msgspec.Struct, forbid_unknown_fields=True):
    """The whole file.

    tags says for each dimension which tags and columns fill it, the first that does counts. currencies says what one
    unit of another currency is in USD, such as EUR = 1.08; offers in that currency are then converted.
    """

    plan: PlanTable = msgspec.field(default_factory=PlanTable)
    limits: LimitsTable = msgspec.field(default_factory=LimitsTable)
    workloads: dict[str, WorkloadTable] = {}
    sources: SourcesTable = msgspec.field(default_factory=SourcesTable)
    tags: dict[str, str | tuple[str, ...]] = {}
    fetch: FetchTable = msgspec.field(default_factory=FetchTable)
    currencies: dict[str, Rate] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings that were read; limits are texts such as `spot<=40%`; path and sha256 are None without a file."""

    path: str | None = None
    sha256: str | None = None
    horizon: str = "12mo"
    limits: tuple[str, ...] = ()
    rules: tuple[WorkloadRule, ...] = ()
    sources: tuple[str, ...] = ()
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fetch: FetchTable = field(default_factory=FetchTable)
    currencies: Mapping[str, float] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()


def find(given: str | None, *, start: Path | None = None) -> Settings | None:
    """Read the file given, or else the nearest `tranche.toml` upward from here; None where there is none.

    Raises:
        UsageError: it cannot be read, or says something that has no meaning.
    """
    here = (start or Path.cwd()).resolve()
    nearest = (folder / NAME for folder in (here, *here.parents) if (folder / NAME).is_file())
    path = Path(given) if given is not None else next(nearest, None)
    return None if path is None else read(_text(path), where=path.name)


def read(text: str, *, where: str) -> Settings:
    """Read settings from the text of a file that is named `where`.

    Raises:
        UsageError: as `find` does.
    """
    raw = _toml(text, where)
    _check_names(raw, Tables, where=where, section="")
    plan = _table(raw.get("plan", {}), PlanTable, where=where, section="plan")
    limits = _table(_nested(raw.get("limits", {})), LimitsTable, where=where, section="limits")
    horizon(plan.horizon, where=f"{where}: [plan] horizon")
    rules, found = _rules(raw.get("workloads", {}), where)
    return Settings(
        path=where,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        horizon=plan.horizon,
        limits=_limit_texts(limits, where),
        rules=rules,
        sources=_table(raw.get("sources", {}), SourcesTable, where=where, section="sources").usage,
        tags=_tags(raw.get("tags", {}), where),
        fetch=_table(raw.get("fetch", {}), FetchTable, where=where, section="fetch"),
        currencies=_rates(raw.get("currencies", {}), where),
        diagnostics=found,
    )


def horizon(text: str, *, where: str = "--horizon") -> float | None:
    """Return the months that a horizon such as `12mo` or `1y` means; None for `history`.

    Raises:
        UsageError: it means neither.
    """
    if text.strip().lower() == "history":
        return None
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(mo|m|y|yr)\s*", text, re.IGNORECASE)
    months = float(found[1]) * (12 if found[2].lower().startswith("y") else 1) if found else 0.0
    if not 0 < months <= LONGEST_MONTHS:
        raise UsageError(f"{where}: {text!r} is not a horizon; write 12mo, 1y (at most 50y) or history")
    return months


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the file."""
    whole = msgspec.json.schema(Tables)
    limits = whole["$defs"]["LimitsTable"]
    limits["patternProperties"] = {r"^provider\.": {"type": ["string", "number"]}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": NAME, **whole}


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{path.name}: is not text; give a TOML file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path.name}: cannot be read ({reason}); check the path given to --config") from None


def _toml(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.fullmatch(r"(.*) \(at (.*)\)", str(error), re.DOTALL)
        problem, place = (found[1], found[2]) if found else (str(error), "somewhere")
        raise UsageError(f"{where}: {place}: {problem}; correct the line, it is not TOML") from None


def _nested(limits: object) -> object:
    """Return the limits with every `"provider.aws" = …` inside the table of providers."""
    if not isinstance(limits, dict):
        return limits
    inner = limits.get("provider", {})
    dotted = {name.removeprefix("provider."): cap for name, cap in limits.items() if name.startswith("provider.")}
    rest = {name: cap for name, cap in limits.items() if not name.startswith("provider.")}
    return rest | {"provider": inner | dotted} if dotted and isinstance(inner, dict) else rest


def _limit_texts(limits: LimitsTable, where: str) -> tuple[str, ...]:
    from optimizer.limits import LimitError, parse

    single = {name: getattr(limits, name) for name in ("spot", "committed", "upfront", "term")}
    caps = single | {f"provider.{name}": cap for name, cap in limits.provider.items()}
    texts = tuple(
        f"{name}<={cap:.10g}" if isinstance(cap, float) else f"{name}<={cap}"
        for name, cap in caps.items()
        if cap is not None
    )
    try:
        parse(texts)
    except LimitError as error:
        raise UsageError(f"{where}: [limits]: {error}") from None
    return texts


def _rules(raw: object, where: str) -> tuple[tuple[WorkloadRule, ...], tuple[Diagnostic, ...]]:
    from optimizer.demand import WorkloadRule
    from providers.names import resolved

    if not isinstance(raw, dict):
        raise UsageError(f'{where}: workloads is not a table; write [workloads."team-a/*"]')
    tables = {
        glob: _table(value, WorkloadTable, where=where, section=f'workloads."{glob}"') for glob, value in raw.items()
    }
    names, found = resolved(sorted({model for table in tables.values() for model in table.runs_on}), where=where)
    rules = tuple(
        WorkloadRule(
            pattern=glob,
            interruptible=table.interruptible,
            movable=table.movable,
            providers=table.providers,
            regions=table.regions,
            runs_on={names[model]: ratio for model, ratio in table.runs_on.items()},
        )
        for glob, table in tables.items()
    )
    return rules, tuple(found)


def _rates(raw: object, where: str) -> dict[str, float]:
    try:
        return msgspec.convert(raw, dict[str, Rate])
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: [currencies]: {error}; write EUR = 1.08, the USD that one euro is") from None


def _tags(raw: object, where: str) -> dict[str, tuple[str, ...]]:
    """Return the chain of tags and columns that fills each dimension."""
    try:
        chains = msgspec.convert(raw, dict[str, str | tuple[str, ...]])
    except msgspec.ValidationError:
        remedy = 'write team = ["team", "namespace"]'
        raise UsageError(f"{where}: [tags] holds something else than names of tags; {remedy}") from None
    return {name: (chain,) if isinstance(chain, str) else chain for name, chain in chains.items()}


def _table(raw: object, kind: type[T], *, where: str, section: str) -> T:
    if isinstance(raw, dict):
        _check_names(raw, kind, where=where, section=section)
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        problem, _, key = str(error).replace("`object`", "a table").partition(" - at `$")
        place = f" {key.strip('`').lstrip('.')}" if key else ""
        raise UsageError(f"{where}: [{section}]{place}: {problem}; correct the value") from None


def _check_names(raw: dict[str, Any], kind: type, *, where: str, section: str) -> None:
    known = [field.name for field in msgspec.structs.fields(kind)]
    for name in raw:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            remedy = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            place = f"[{section}] has no key {name!r}" if section else f"has no table or key {name!r}"
            raise UsageError(f"{where}: {place}; {remedy}")
