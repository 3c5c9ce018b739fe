"""How a price API is asked: what for, how far it has come, and how it is stopped."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from threading import Event

from providers.tables import InputError
from providers.watch import Progress


class NoCredentialsError(InputError):
    """A feed that needs credentials found none; it was not asked."""


class StoppedError(Exception):
    """Somebody wants the work to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a feed is asked for.

    now: the time to read prices at. regions: globs; none means every region. urls: where to ask instead of the
    seller's own address, by name of feed, for mirrors and tests. progress: who is told of pages. stop: set where
    somebody wants the work to end.
    """

    now: datetime
    regions: tuple[str, ...] = ()
    urls: Mapping[str, str] = field(default_factory=dict)
    progress: Progress | None = None
    stop: Event = field(default_factory=Event)

    def wants(self, region: str | None) -> bool:
        """Return whether prices of a region are asked for; those that hold everywhere always are."""
        return region is None or not self.regions or any(fnmatchcase(region, glob) for glob in self.regions)

    def expect(self, pages: float) -> None:
        """Tell that so many more pages will come.

        Raises:
            StoppedError: the work is to end.
        """
        self._check()
        if self.progress:
            self.progress.expect(pages, "pages")

    def advance(self, pages: float = 1) -> None:
        """Tell that so many pages have come.

        Raises:
            StoppedError: the work is to end.
        """
        self._check()
        if self.progress:
            self.progress.advance(pages, "pages")

    def _check(self) -> None:
        if self.stop.is_set():
            raise StoppedError
