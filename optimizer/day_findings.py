"""What a person should know about days that follow the hourly charges of an account, and about those that do not."""

from typing import Literal

import polars as pl

from providers.tables import Diagnostic

_HINTS = {
    "hours-by-charges": "a live source of these days, such as prometheus+http://HOST:9090, would know when they ran",
    "hourly-charges-of-others": "name a subscription that holds GPU machines only, of sizes that savings plans cover",
    "hourly-charges-unused": "read the bill of that subscription and of the same days, in the same currency",
}


def about_charges(days: pl.DataFrame) -> tuple[Diagnostic, ...]:
    """Return what was found, series by series.

    Args:
        days: source, currency; of each day with 24 hours total (what the series comes to), cost (what its on-demand
            GPU machines come to, null where there are none), moves (how many rows could follow), follows, and machines
            (how many did, null for none).
    """
    found = []
    for (source, currency), some in days.group_by("source", "currency", maintain_order=True):
        found += _followed(some, str(source))
        found += _of_others(some.filter((pl.col("moves") > 0) & ~pl.col("follows")), str(source), str(currency))
        found += _unused(some, str(source), str(currency))
    return tuple(found)


def _followed(days: pl.DataFrame, source: str) -> list[Diagnostic]:
    machines, dates = days["machines"].sum(), days["machines"].count()
    if not machines:
        return []
    message = f"{machines:,} machine-days on {dates:,} days follow {source}: an estimate of the hours in which they ran"
    return [_told("hours-by-charges", message)]


def _of_others(days: pl.DataFrame, source: str, currency: str) -> list[Diagnostic]:
    if days.is_empty():
        return []
    message = (
        f"on {days.height:,} days {source} comes to {days['total'].sum():,.2f} {currency}, but the on-demand GPU "
        f"machines of that account to {days['cost'].sum():,.2f}: these days stay days"
    )
    return [_told("hourly-charges-of-others", message)]


def _unused(days: pl.DataFrame, source: str, currency: str) -> list[Diagnostic]:
    if days["cost"].count():
        return []
    message = f"{source} has no day on which a bill read here has on-demand GPU machines of that account in {currency}"
    return [_told("hourly-charges-unused", message)]


def _told(code: str, message: str) -> Diagnostic:
    level: Literal["note", "warning"] = "note" if code == "hours-by-charges" else "warning"
    return Diagnostic(level=level, code=code, message=message, hint=_HINTS[code])
