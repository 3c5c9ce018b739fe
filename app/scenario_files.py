"""A file of scenarios: futures with probabilities, each with its changes of demand, price moves and spot droughts."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.changes import changes_of
from app.diagnostics import UsageError
from app.future import models_of, month_of, moves_of, price_steps
from app.setting_tables import DroughtTable, ScenariosTable, ScenarioTable, check_names, tables_of
from app.values import LONGEST_MONTHS, month_or_day, percent
from optimizer.scenarios import Drought, Scenario
from providers.tables import HOURS_PER_MONTH, Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl

    from optimizer.ladder import PriceMove

CLOSE = 1e-6 + 1e-12  # how far from 1 probabilities may add up to; the rest is rounding
MOST = 50  # scenarios: each has all of the horizon's hours


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenarios:
    """A file of scenarios as it was read; diagnostics: which of them say something that changes nothing."""

    path: str
    sha256: str
    scenarios: tuple[Scenario, ...]
    diagnostics: tuple[Diagnostic, ...]


def scenarios_of(path: str, *, start: datetime, offers: pl.DataFrame) -> Scenarios:
    """Read a file of scenarios.

    Args:
        path: of the file.
        start: of the plan, from which months count.
        offers: a checked table, to know which names mean something.

    Raises:
        UsageError: it cannot be read, or says something that has no meaning.
    """
    where = Path(path).name
    content = _content(path, where)
    raw = _toml(content, where)
    check_names(raw, ScenariosTable, where=f"{where}: has no table or key")
    tables = tables_of(raw.get("scenario", []), ScenarioTable, where=where, name="scenario")
    chances = _chances(tables, where)
    reader = _Reader(where, start, offers)
    read = tuple(reader.scenario(table, chance) for (_, table), chance in zip(tables, chances, strict=True))
    sha256 = hashlib.sha256(content).hexdigest()
    return Scenarios(path=path, sha256=sha256, scenarios=read, diagnostics=tuple(dict.fromkeys(reader.found)))


class _Reader:
    """Reads one scenario after another, and keeps what was found on the way."""

    def __init__(self, where: str, start: datetime, offers: pl.DataFrame) -> None:
        self.found: list[Diagnostic] = []
        self._where, self._start = where, start
        self._sold = set(offers["gpu_model"])
        spot = offers.filter(offers["purchase_option"] == "spot")
        self._spot = set(zip(spot["gpu_model"], spot["provider"], strict=True))

    def scenario(self, table: ScenarioTable, chance: float) -> Scenario:
        """Read what a scenario changes."""
        where = f"{self._where}: {table.name}"
        changes, told = changes_of(table.changes, where, name="scenario.changes", begins=self._start)
        self._tell(told, where)
        return Scenario(
            name=table.name,
            probability=chance,
            changes=changes,
            moves=self._moves(table.prices, where),
            droughts=self._droughts(table.droughts, where),
        )

    def _moves(self, raw: object, where: str) -> tuple[PriceMove, ...]:
        """Read price moves; what is bought at the start costs the same whatever comes."""
        steps, told = price_steps(raw, where, name="scenario.prices")
        for step in steps:
            if month_of(step, self._start) <= 0:
                problem = (
                    f"{where}: [[scenario.prices]]: the price of {step.gpu_model} moves no later than the plan begins"
                )
                raise UsageError(f'{problem}, and is known then; write from = "1mo" or a later day')
        moves, without_effect = moves_of(steps, start=self._start, sold=self._sold)
        self._tell((*told, *without_effect), where)
        return moves

    def _droughts(self, raw: object, where: str) -> tuple[Drought, ...]:
        tables = tables_of(raw, DroughtTable, where=where, name="scenario.droughts")
        names, told = models_of([table.gpu_model for _, table in tables], where)
        self._tell(told, where)
        return tuple(self._drought(table, names[table.gpu_model], place) for place, table in tables)

    def _drought(self, table: DroughtTable, model: str, place: str) -> Drought:
        since = self._month(table.begins, f"{place} from")
        until = LONGEST_MONTHS if table.until is None else self._month(table.until, f"{place} until")
        if until <= since:
            raise UsageError(f"{place}: is over before it begins; correct from or until")
        if not any(fnmatchcase(gpu, model) and fnmatchcase(seller, table.provider) for gpu, seller in self._spot):
            message = f"no offer is spot of GPU model {model!r} at provider {table.provider!r}, so that none runs dry"
            hint = "correct the names, or leave the drought out"
            self._tell([Diagnostic(level="warning", code="drought", message=message, hint=hint)], place)
        return Drought(gpu_model=model, provider=table.provider, from_month=since, until_month=until)

    def _month(self, value: object, where: str) -> float:
        found = month_or_day(value, where=where)
        if isinstance(found, datetime):
            return (found - self._start) / timedelta(hours=HOURS_PER_MONTH)
        return found

    def _tell(self, found: Iterable[Diagnostic], where: str) -> None:
        self.found += [replace(one, where=where) for one in found]


def _chances(tables: Sequence[tuple[str, ScenarioTable]], where: str) -> list[float]:
    """Return probabilities that add up to 1.

    Raises:
        UsageError: they do not, or there are none, too many, or two of one name.
    """
    if not 0 < len(tables) <= MOST:
        problem = f"has {len(tables)} scenarios" if tables else "has no scenario"
        raise UsageError(f"{where}: {problem}; write each under a line [[scenario]], at most {MOST}")
    names = [table.name for _, table in tables]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{where}: two scenarios are called {twice!r}; give each a name of its own")
    chances = [_chance(table, place) for place, table in tables]
    total = sum(chances)
    if abs(total - 1.0) > CLOSE:
        raise UsageError(f"{where}: the probabilities of the scenarios add up to {total:.7g}; make that 1")
    return [chance / total for chance in chances]


def _chance(table: ScenarioTable, place: str) -> float:
    chance = percent(table.probability, where=f"{place} probability", whole=True)
    if not chance:
        raise UsageError(f"{place} probability: {table.name} cannot come; leave it out, or say how likely it is")
    return chance


def _content(path: str, where: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{where}: cannot be read ({reason}); check the path given to --scenarios") from None


def _toml(content: bytes, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError:
        raise UsageError(f"{where}: is not text; give a TOML file") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where}: {error}; correct the line, it is not TOML") from None
