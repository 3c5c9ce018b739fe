"""The times of a plan file, read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from providers.tables import InputError

if TYPE_CHECKING:
    from app.reports.planfile import PlanFile

LATEST = datetime(2400, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def written(time: datetime) -> str:
    """Write a time as the plan file does, in UTC."""
    return f"{time.astimezone(UTC) if time.tzinfo else time:%Y-%m-%dT%H:%M:%SZ}"


def begin_of(plan: PlanFile) -> datetime:
    """Return when a plan begins."""
    return time_of(plan.inputs.options.start)


def length_of(plan: PlanFile) -> float:
    """Return the hours from the start of a plan to its end.

    Raises:
        InputError: it ends before it begins.
    """
    hours = (time_of(plan.inputs.options.end) - begin_of(plan)) / HOUR
    if hours <= 0 or plan.summary.hours <= 0:
        raise InputError("the plan", "has no hours between its start and its end", "plan again")
    return hours


def pace_of(plan: PlanFile) -> float:
    """Return the hours planned per hour of the calendar: less than one where a history has gaps."""
    return plan.summary.hours / length_of(plan)


def time_of(text: str) -> datetime:
    """Read a time of a plan file.

    Raises:
        InputError: there is no such time, or it is not of this age.
    """
    try:
        time = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        time = LATEST
    if not 1970 <= time.year < LATEST.year:
        raise InputError("the plan", f"has a time {text!r} that is none between 1970 and {LATEST.year}", "plan again")
    return time
