"""`[[changes]]` of `tranche.toml`: launches, retirements, growth and work that will need fewer or other GPUs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from app.diagnostics import UsageError
from app.future import is_glob, models_of
from app.setting_tables import ChangeTable, tables_of
from app.values import moment, month_or_day, percent
from optimizer.edits import Change
from optimizer.ladder import after

if TYPE_CHECKING:
    from collections.abc import Mapping

    from providers.tables import Diagnostic

NOTHING = ChangeTable(workload="nothing")
OF_A_LAUNCH = ("like", "interruptible")
OF_THE_REST = ("retire", "factor", "gpu_sharing", "distilled", "scale_to_zero", "to_model", "ratio")


def changes_of(
    raw: object, where: str, *, name: str = "changes", begins: datetime | None = None
) -> tuple[tuple[Change, ...], list[Diagnostic]]:
    """Read the planned changes, in their order; GPU models that are no glob get their canonical names.

    Args:
        raw: the tables.
        where: the file, for errors.
        name: what the tables are called there.
        begins: the start of the plan, from which months count; None where only dates can be meant.

    Raises:
        UsageError: one of them cannot be read, or says two things that exclude each other.
    """
    tables = tables_of(raw, ChangeTable, where=where, name=name)
    for place, table in tables:
        _check(table, place)
    written = [model for _, table in tables for model in (table.gpu_model, table.to_model) if model is not None]
    names, found = models_of(written, where)
    return tuple(_change(table, names, place, begins) for place, table in tables), found


def _change(table: ChangeTable, names: Mapping[str, str], place: str, begins: datetime | None) -> Change:
    start, end = _time(table.start, f"{place} start", begins), _time(table.end, f"{place} end", begins)
    if start is not None and end is not None and end <= start:
        raise UsageError(f"{place}: ends on {end:%Y-%m-%d}, which is not after its start; correct one of the two")
    left = table.factor * table.distilled * table.ratio / table.gpu_sharing
    grows = 0.0 if table.per_month is None else percent(table.per_month, where=f"{place} per_month", least=-0.99)
    return Change(
        workload=table.workload,
        gpu_model=names[table.gpu_model],
        start=start,
        end=end,
        factor=0.0 if table.retire else left,
        per_month=grows,
        idle_below=table.idle_below if table.scale_to_zero else None,
        to_model=None if table.to_model is None else names[table.to_model],
        gpus=table.gpus,
        like=table.like,
        interruptible=table.interruptible,
    )


def _check(table: ChangeTable, place: str) -> None:
    """Refuse what cannot be meant."""
    _check_kind(table, place)
    if table.to_model is None and table.ratio != 1:
        raise UsageError(f"{place}: has a ratio, but moves to no other GPU model; add to_model")
    if table.to_model is not None and is_glob(table.to_model):
        raise UsageError(f"{place} to_model: {table.to_model!r} is no GPU model; name one, such as H100-SXM-80GB")
    if table.idle_below != NOTHING.idle_below and not table.scale_to_zero:
        raise UsageError(f"{place}: has idle_below, but gives nothing back; add scale_to_zero = true")
    effects = [name for name in (*OF_THE_REST, "per_month") if _said(table, name)]
    if table.retire and len(effects) > 1:
        raise UsageError(f"{place}: what is retired has nothing left for {effects[1]}; leave one of the two out")
    if table.gpus is None and not effects:
        raise UsageError(
            f"{place}: says no change; write gpus for a launch, or {', '.join((*OF_THE_REST, 'per_month'))}"
        )


def _check_kind(table: ChangeTable, place: str) -> None:
    """Refuse in a launch what only other changes have, and the other way round."""
    for name in OF_A_LAUNCH if table.gpus is None else OF_THE_REST:
        if _said(table, name) and table.gpus is None:
            raise UsageError(f"{place}: only a launch has {name}; say with how many gpus it launches")
        if _said(table, name):
            raise UsageError(f"{place}: a launch has no {name}; make that a change of its own, after the launch")
    if table.gpus is not None and (is_glob(table.gpu_model) or is_glob(table.workload)):
        raise UsageError(f"{place}: a launch needs one workload and one gpu_model, such as H100-SXM-80GB; name both")


def _said(table: ChangeTable, name: str) -> bool:
    return bool(getattr(table, name) != getattr(NOTHING, name))


def _time(value: object, where: str, begins: datetime | None) -> datetime | None:
    if value is None:
        return None
    if begins is None:
        return moment(value, where=f"{where}: {value}")
    found = month_or_day(value, where=where)
    return found if isinstance(found, datetime) else after(begins, found)
