"""What catalogues of many clouds have in common: forms of cards by cloud, regions that say nothing, and CSV rows.

A catalogue is second hand: its listings have its name as their variant, and at most medium confidence.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from providers.asking import Ask
from providers.listings import Harvest, Listing
from providers.price_rows import Row, understood
from providers.tables import Diagnostic, InputError

Fetch = Callable[[], tuple[str, str]]
Reader = Callable[[str, str], Callable[[Row], Iterable[Listing]]]

NAMES = {"lambdalabs": "lambda", "vastai": "vast", "do": "digitalocean", "datacrunch": "verda"}
"""What catalogues call a cloud -> what we call it."""

FORMS = dict.fromkeys(("aws", "gcp", "oci", "nebius", "verda", "digitalocean"), "SXM")
"""The form of the A100 of 80 GB and of the H100 that a cloud sells where its machine's name says none."""

EVERYWHERE = ("lambda", "runpod", "oci")
"""Clouds with one price worldwide, which catalogues repeat for every region, whether it has such a machine or not."""


def written(path: Path) -> str:
    """Return the time at which a file was written, as ISO text: its prices are no younger."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat()


def gathered(source: str, ask: Ask, clouds: Mapping[str, Fetch], reader: Reader) -> Harvest:
    """Return the listings of every cloud of a catalogue; one that cannot be read is left out with a warning.

    Args:
        source: what the catalogue is called in messages.
        ask: what is asked for.
        clouds: gives the CSV text of each cloud, and the time at which its prices were true.
        reader: gives, for a cloud and that time, what reads a row.

    Raises:
        InputError: no cloud can be read.
        StoppedError: somebody wants the work to end.
    """
    listings: list[Listing] = []
    found: list[Diagnostic] = []
    lost: dict[str, InputError] = {}
    ask.expect(len(clouds))
    for cloud, fetch in clouds.items():
        try:
            text, as_of = fetch()
            some, said = understood(f"{source} of {cloud}", _rows(text), reader(cloud, as_of))
        except InputError as error:
            lost[cloud] = error
            some, said = [], [_lost(source, cloud, error)]
        listings += some
        found += said
        ask.advance()
    if len(lost) == len(clouds):
        raise next(iter(lost.values()), InputError(source, "has no file of any cloud", "check the folder"))
    return Harvest(listings=_kept(listings, ask), lost=list(lost), found=found)


def _lost(source: str, cloud: str, error: InputError) -> Diagnostic:
    return Diagnostic(
        level="warning",
        code="catalogue-not-read",
        message=f"{source}: {cloud} is left out: {error}",
        hint="what was known of its prices stays",
        where=source,
    )


def _rows(text: str) -> Iterator[Row]:
    return csv.DictReader(io.StringIO(text))


def _kept(listings: Iterable[Listing], ask: Ask) -> list[Listing]:
    """Return listings without repetitions, and only those of regions that are asked for."""
    by_machine: dict[tuple[str, str | None, float | None, str], list[Listing]] = defaultdict(list)
    for one in listings:
        by_machine[one.provider, one.instance_type, one.gpus, one.purchase_option].append(one)
    merged = (one for group in by_machine.values() for one in _merged(group))
    return [one for one in dict.fromkeys(merged) if ask.wants(one.region)]


def _merged(group: Sequence[Listing]) -> Iterable[Listing]:
    everywhere = group[0].provider in EVERYWHERE and len({one.hourly for one in group}) == 1
    return (replace(one, region=None, zone=None) for one in group) if everywhere else group
