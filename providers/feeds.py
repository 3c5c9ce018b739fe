"""Every feed of prices and commitments: one API or list of one seller, read whole or not at all."""

from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

from providers.asking import Ask
from providers.listings import Harvest
from providers.tables import InputError


class Feed(NamedTuple):
    """A feed: its module and the function that reads it, what it brings, and what it needs."""

    module: str
    function: str
    about: str
    needs: str = ""

    @property
    def provider(self) -> str:
        """Return the package or module that stands for the seller."""
        return self.module.removeprefix("providers.").removeprefix("gpu_clouds.").partition(".")[0]

    def read(self, ask: Ask) -> Harvest:
        """Ask for everything.

        Raises:
            NoCredentialsError: it needs some and there are none.
            InputError: it cannot be reached, refuses, or answers what nobody understands.
            StoppedError: somebody wants the work to end.
        """
        harvest: Harvest = getattr(import_module(self.module), self.function)(ask)
        return harvest


FEEDS: dict[str, Feed] = {}


def chosen(names: Sequence[str]) -> dict[str, Feed]:
    """Return the feeds of the names given, of feeds or of providers; of none, all.

    Raises:
        InputError: nothing is called like that.
    """
    if not names:
        return FEEDS
    found = {name: feed for name, feed in FEEDS.items() if name in names or feed.provider in names}
    known = {*FEEDS, *(feed.provider for feed in FEEDS.values())}
    for name in names:
        if name not in known:
            raise InputError(name, "is no feed of prices", f"use one of {', '.join(sorted(known))}")
    return found
