"""Sources that are asked and not read: live clusters, billing APIs and BigQuery; what they answer becomes files."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from providers.tables import Diagnostic, InputError


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


class Fetched(NamedTuple):
    """Where the answers of a source lie, and what a person should know about them."""

    path: str
    found: Sequence[Diagnostic] = ()


Fetch = Callable[[str, Window, Path], Fetched]


def fetched(source: str, *, window: Window, scratch: Path) -> Fetched:
    """Return the source itself, or where one that has to be asked has left its answers.

    Raises:
        InputError: it cannot be reached, or does not answer as it should.
    """
    scheme, colon, rest = source.partition(":")
    fetch = FETCHERS.get(scheme) if colon else None
    if fetch is None:
        return Fetched(source)
    folder = scratch / f"{scheme}-{len(list(scratch.iterdir()))}"
    folder.mkdir()
    return fetch(rest, window, folder)


def _live(kind: str, scheme: str) -> Fetch:
    """Return how a server in a cluster is asked."""

    def fetch(rest: str, window: Window, folder: Path) -> Fetched:
        return Fetched(_module(kind).fetch(f"{scheme}:{rest}", start=window.since, end=window.until, folder=folder))

    return fetch


def _bigquery(rest: str, window: Window, folder: Path) -> Fetched:
    table = rest.removeprefix("//")
    return Fetched(_module("gcp.bigquery").download(table, since=window.since, until=window.until, folder=folder))


def _azure(rest: str, window: Window, folder: Path) -> Fetched:
    found = _module("azure.api").cost_details(rest, start=window.since, end=window.until, folder=folder)
    return Fetched(str(folder), found)


def _azure_hours(rest: str, _window: Window, folder: Path) -> Fetched:
    """Azure gives the last 60 days or nothing; hours without a bill do no harm."""
    return Fetched(_module("azure.hourly").fetch(rest, folder=folder))


def _cost_explorer(rest: str, window: Window, folder: Path) -> Fetched:
    if rest:
        raise InputError(f"aws-cost-explorer:{rest}", "has something after the colon", "write aws-cost-explorer:")
    return Fetched(_module("aws.cost_explorer").download(start=window.since, end=window.until, folder=folder))


def _module(name: str) -> Any:  # noqa: ANN401 - no source knows another, and nobody imports what is not asked
    return import_module(f"providers.{name}")


FETCHERS: dict[str, Fetch] = {
    **{f"{kind}+{scheme}": _live(kind, scheme) for kind in ("opencost", "prometheus") for scheme in ("http", "https")},
    "bq": _bigquery,
    "azure-cost": _azure,
    "azure-hourly": _azure_hours,
    "aws-cost-explorer": _cost_explorer,
}
"""What is asked for each beginning of an address."""
