"""`tranche.toml`: what an organisation allows its plans to do, read strictly."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from app.diagnostics import UsageError
from app.future import LONGEST_MONTHS, Outlook, PriceStep, outlook_of, price_steps
from app.gate_rules import Rules
from app.gate_tables import GatesTable
from app.gate_tables import rules_of as gates_of
from app.setting_tables import FetchTable, LimitsTable, PlanTable, Rate, SourcesTable, Tables, check_names, table_of
from app.workload_rules import Reading, prices_per_gb, rules_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optimizer.edits import Change
    from optimizer.streams import WorkloadRule
    from providers.tables import Diagnostic

__all__ = ["LONGEST_MONTHS", "NAME", "FetchTable", "Settings", "find", "horizon", "read", "schema"]

NAME = "tranche.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings that were read; limits are texts such as `spot<=40%`; path and sha256 are None without a file.

    outlook, prices, changes: what is expected of the time to come. reading: what data costs that leaves its provider.
    """

    path: str | None = None
    sha256: str | None = None
    horizon: str = "12mo"
    limits: tuple[str, ...] = ()
    rules: tuple[WorkloadRule, ...] = ()
    sources: tuple[str, ...] = ()
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fetch: FetchTable = field(default_factory=FetchTable)
    currencies: Mapping[str, float] = field(default_factory=dict)
    gates: Rules = field(default_factory=Rules)
    outlook: Outlook = field(default_factory=Outlook)
    prices: tuple[PriceStep, ...] = ()
    changes: tuple[Change, ...] = ()
    reading: Reading = field(default_factory=Reading)
    diagnostics: tuple[Diagnostic, ...] = ()


def find(given: str | None, *, start: Path | None = None) -> Settings | None:
    """Read the file given, or else the nearest `tranche.toml` upward from here; None where there is none.

    Raises:
        UsageError: it cannot be read, or says something that has no meaning.
    """
    path = Path(given) if given is not None else nearest(start or Path.cwd())
    return None if path is None else read(_text(path), where=path.name)


def nearest(start: Path) -> Path | None:
    """Return the settings that hold in a folder: its own file, or the first one upward from there."""
    here = start.resolve()
    return next((folder / NAME for folder in (here, *here.parents) if (folder / NAME).is_file()), None)


def read(text: str, *, where: str) -> Settings:
    """Read settings from the text of a file that is named `where`.

    Raises:
        UsageError: as `find` does.
    """
    raw = _toml(text, where)
    check_names(raw, Tables, where=f"{where}: has no table or key")
    plan = table_of(raw.get("plan", {}), PlanTable, where=where, section="plan")
    limits = table_of(_nested(raw.get("limits", {})), LimitsTable, where=where, section="limits")
    gates = table_of(raw.get("gates", {}), GatesTable, where=where, section="gates")
    horizon(plan.horizon, where=f"{where}: [plan] horizon")
    rules, gb, of_rules = rules_of(raw.get("workloads", {}), where)
    prices, of_prices = price_steps(raw.get("prices", []), where)
    changes, of_changes = _changes(raw.get("changes", []), where)
    return Settings(
        path=where,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        horizon=plan.horizon,
        limits=_limit_texts(limits, where),
        rules=rules,
        sources=table_of(raw.get("sources", {}), SourcesTable, where=where, section="sources").usage,
        tags=_tags(raw.get("tags", {}), where),
        fetch=table_of(raw.get("fetch", {}), FetchTable, where=where, section="fetch"),
        currencies=_rates(raw.get("currencies", {}), where),
        gates=gates_of(gates, raw.get("budgets", {}), where),
        outlook=outlook_of(plan, where),
        prices=prices,
        changes=changes,
        reading=Reading(gb_per_gpu_hour=tuple(gb), usd_per_gb=prices_per_gb(raw.get("egress", {}), where)),
        diagnostics=(*of_rules, *of_prices, *of_changes),
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
    """Return the limits with every `"provider.aws" = …` inside the table of providers, and `spot.each` as a name."""
    if not isinstance(limits, dict):
        return limits
    if isinstance(spot := limits.get("spot"), dict):  # written without quotation marks
        limits = {name: cap for name, cap in limits.items() if name != "spot"}
        limits |= {f"spot.{name}": cap for name, cap in spot.items()}
    inner = limits.get("provider", {})
    dotted = {name.removeprefix("provider."): cap for name, cap in limits.items() if name.startswith("provider.")}
    rest = {name: cap for name, cap in limits.items() if not name.startswith("provider.")}
    return rest | {"provider": inner | dotted} if dotted and isinstance(inner, dict) else rest


def _limit_texts(limits: LimitsTable, where: str) -> tuple[str, ...]:
    from optimizer.limits import LimitError, parse

    fields = {name: name.replace(".", "_") for name in ("spot", "spot.each", "committed", "upfront", "term")}
    single = {name: getattr(limits, field) for name, field in fields.items()}
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


def _changes(raw: object, where: str) -> tuple[tuple[Change, ...], list[Diagnostic]]:
    if raw == []:
        return (), []
    from app.changes import changes_of

    return changes_of(raw, where)


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
