"""`[workloads]` and `[egress]` of `tranche.toml`: where workloads may run, and what it costs to move them."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from glob import escape
from typing import TYPE_CHECKING

import msgspec

from app.diagnostics import UsageError
from app.setting_tables import PerGb, WorkloadTable, table_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import polars as pl

    from optimizer.edits import Change
    from optimizer.streams import WorkloadRule
    from providers.tables import Diagnostic


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How much data workloads read from where they are at home; what a GB costs that leaves a provider, USD.

    gb_per_gpu_hour: glob -> GB of one GPU-hour; of two globs that match, the later wins.
    """

    gb_per_gpu_hour: tuple[tuple[str, float], ...] = ()
    usd_per_gb: Mapping[str, float] = field(default_factory=dict)

    def gb_of(self, workload: str) -> float:
        """Return the GB that one GPU-hour of a workload reads, 0 where nobody says."""
        found = [gb for glob, gb in self.gb_per_gpu_hour if fnmatchcase(workload, glob)]
        return found[-1] if found else 0.0


def rules_of(raw: object, where: str) -> tuple[tuple[WorkloadRule, ...], list[tuple[str, float]], list[Diagnostic]]:
    """Read [workloads]: the rules, the GB that a GPU-hour reads by glob, and what was found.

    Raises:
        UsageError: one of the tables cannot be read.
    """
    from providers.names import resolved

    if not isinstance(raw, dict):
        raise UsageError(f'{where}: workloads is not a table; write [workloads."team-a/*"]')
    tables = {
        glob: table_of(value, WorkloadTable, where=where, section=f'workloads."{glob}"') for glob, value in raw.items()
    }
    names, found = resolved(sorted({model for table in tables.values() for model in table.runs_on}), where=where)
    rules = tuple(_rule(glob, table, names) for glob, table in tables.items())
    gb = [(glob, table.egress_gb_per_gpu_hour) for glob, table in tables.items()]
    return rules, [(glob, amount) for glob, amount in gb if amount is not None], found


def prices_per_gb(raw: object, where: str) -> dict[str, float]:
    """Read [egress].

    Raises:
        UsageError: a price is none.
    """
    try:
        return msgspec.convert(raw, dict[str, PerGb])
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: [egress]: {error}; write aws = 0.09, the USD for a GB that leaves it") from None


def with_egress(
    rules: tuple[WorkloadRule, ...], reading: Reading, usage: pl.DataFrame, changes: Iterable[Change] = ()
) -> tuple[tuple[WorkloadRule, ...], list[Diagnostic]]:
    """Add to the rules what the data of each workload costs, per GPU-hour that is served away from home.

    A GB costs on average what all GB of the workload would cost in a month if it ran elsewhere entirely; where only a
    part of it does, tiers that fall with the amount make it a little dearer.

    Raises:
        UsageError: nobody knows what egress costs where the data is.
    """
    if not reading.gb_per_gpu_hour:
        return rules, []
    added, found = [], []
    for workload, gpus in _gpus(usage, changes).items():
        gb = reading.gb_of(workload)
        if not gb:
            continue
        home = _home(workload, rules, usage)
        if home is None:
            found.append(_no_home(workload))
        else:
            added.append((workload, gb * _usd_per_gb(home, gb * gpus, reading, workload)))
    return (*rules, *(_priced(workload, usd) for workload, usd in added)), found


def about_places(rules: Iterable[WorkloadRule], known: Iterable[str]) -> list[Diagnostic]:
    """Warn of providers that rules name as the place of data or by quality, and that nothing else knows."""
    from providers.tables import Diagnostic

    providers = sorted(set(known))
    named = sorted({name for rule in rules for name in (rule.data_at, *rule.quality) if name is not None})
    found = []
    for name in named:
        if name not in providers:
            close = get_close_matches(name, providers, n=1)
            hint = f"did you mean {close[0]}?" if close else "correct the name, if it is meant to be one of them"
            message = f"the settings name the provider {name!r}, which neither usage nor offers have"
            found.append(Diagnostic(level="warning", code="unknown-provider", message=message, hint=hint))
    return found


def _rule(glob: str, table: WorkloadTable, names: Mapping[str, str]) -> WorkloadRule:
    from optimizer.streams import WorkloadRule

    return WorkloadRule(
        pattern=glob,
        interruptible=table.interruptible,
        movable=table.movable,
        providers=table.providers,
        regions=table.regions,
        runs_on={names[model]: ratio for model, ratio in table.runs_on.items()},
        data_at=table.data_at,
        migration_usd=table.migration_usd,
        overlap_hours=table.overlap_hours,
        quality=table.quality,
        gang_gpus=table.gang_gpus,
        window_hours=table.window_hours,
    )


def _gpus(usage: pl.DataFrame, changes: Iterable[Change]) -> dict[str, float]:
    """Return the GPUs that each workload has on average, those to be launched included."""
    import polars as pl

    from optimizer.demand import usage_hours, work_of

    sums = work_of(usage).group_by("workload").agg(pl.col("gpu_hours").sum()).sort("workload")
    hours = len(usage_hours(usage))
    found = {name: gpu_hours / hours for name, gpu_hours in sums.iter_rows()}
    for change in changes:
        if change.gpus is not None:
            found[change.workload] = found.get(change.workload, 0.0) + change.gpus
    return found


def _home(workload: str, rules: tuple[WorkloadRule, ...], usage: pl.DataFrame) -> str | None:
    """Return where the data of a workload is: where the rules say, or at the one provider that it runs at."""
    import polars as pl

    from optimizer.demand import work_of
    from optimizer.streams import said

    nobody: str | None = None
    if (told := said(rules, workload, "data_at", default=nobody)) is not None:
        return told
    runs_at = work_of(usage).filter(pl.col("workload") == workload)["provider"].unique().to_list()
    return runs_at[0] if len(runs_at) == 1 else None


def _usd_per_gb(home: str, gb_per_hour: float, reading: Reading, workload: str) -> float:
    from providers.hidden_costs import OUT, cost
    from providers.tables import HOURS_PER_MONTH

    if home in reading.usd_per_gb:
        return reading.usd_per_gb[home]
    month = gb_per_hour * HOURS_PER_MONTH
    whole = cost(home, OUT, gb=month)
    if whole is None:
        problem = f"nobody knows what egress from {home} costs, where the data of {workload} is"
        raise UsageError(f"[egress]: {problem}; write {home} = 0.09 there, the USD for a GB")
    return whole / month if month else 0.0


def _priced(workload: str, usd: float) -> WorkloadRule:
    from optimizer.streams import WorkloadRule

    return WorkloadRule(pattern=escape(workload), egress_usd_per_gpu_hour=usd)


def _no_home(workload: str) -> Diagnostic:
    from providers.tables import Diagnostic

    message = f"the egress of {workload} is not counted: the usage does not name one provider where its data is"
    return Diagnostic(level="warning", code="no-home", message=message, hint="add data_at to its [workloads] table")
