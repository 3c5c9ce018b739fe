"""Sources that are asked and not read: live clusters, billing APIs and BigQuery; what they answer becomes files."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from providers.tables import InputError


class Window(NamedTuple):
    """The hours that a live source is asked for: so many, up to the whole hour before `end`."""

    end: datetime
    hours: int

    @property
    def until(self) -> datetime:
        """Return the end of the last whole hour."""
        return self.end.replace(minute=0, second=0, microsecond=0)

    @property
    def since(self) -> datetime:
        """Return the start of the first hour."""
        return self.until - timedelta(hours=self.hours)


def fetched(source: str, *, window: Window, scratch: Path) -> list[str]:
    """Return the source itself, or where one that has to be asked has left its answers.

    Raises:
        InputError: it cannot be reached, or does not answer as it should.
    """
    scheme, colon, rest = source.partition(":")
    fetch = FETCHERS.get(scheme) if colon else None
    if fetch is None:
        return [source]
    folder = scratch / f"{scheme}-{len(list(scratch.iterdir()))}"
    folder.mkdir()
    return fetch(rest, window, folder)


def _opencost(rest: str, window: Window, folder: Path) -> list[str]:
    from providers import opencost

    return [opencost.fetch(rest, start=window.since, end=window.until, folder=folder)]


def _prometheus(rest: str, window: Window, folder: Path) -> list[str]:
    from providers import prometheus

    return [prometheus.fetch(rest, start=window.since, end=window.until, folder=folder)]


def _bigquery(rest: str, window: Window, folder: Path) -> list[str]:
    from providers.gcp import bigquery

    return [bigquery.download(rest.lstrip("/"), since=window.since, until=window.until, folder=folder)]


def _azure(rest: str, window: Window, folder: Path) -> list[str]:
    from providers.azure import api

    return api.cost_details(rest, start=window.since, end=window.until, folder=folder)


def _cost_explorer(rest: str, window: Window, folder: Path) -> list[str]:
    from providers.aws import cost_explorer

    if rest:
        raise InputError(f"aws-cost-explorer:{rest}", "has something after the colon", "write aws-cost-explorer:")
    return [cost_explorer.download(start=window.since, end=window.until, folder=folder)]


FETCHERS: dict[str, Callable[[str, Window, Path], list[str]]] = {
    "opencost+http": lambda rest, window, folder: _opencost(f"http:{rest}", window, folder),
    "opencost+https": lambda rest, window, folder: _opencost(f"https:{rest}", window, folder),
    "prometheus+http": lambda rest, window, folder: _prometheus(f"http:{rest}", window, folder),
    "prometheus+https": lambda rest, window, folder: _prometheus(f"https:{rest}", window, folder),
    "bq": _bigquery,
    "azure-cost": _azure,
    "aws-cost-explorer": _cost_explorer,
}
"""What is asked for each beginning of an address."""
