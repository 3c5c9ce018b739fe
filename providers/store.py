"""The local workspace: what was fetched, by feed and day, in Parquet files that are replaced one at a time.

    offers/feed=aws-spot/day=2026-11-27/offers.parquet

A feed's day is one file, so that renaming it is the whole transaction: whoever reads sees the old day or the new one.
An interrupted fetch leaves nothing but a hidden file, which readers pass over and the next fetch removes. The names of
the folders are those that Spark and polars read as columns. Prices may be negotiated: only their owner may read them.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import NamedTuple

import platformdirs
import polars as pl

from providers.tables import InputError

OFFERS, COMMITMENTS = "offers", "commitments"
PRIVATE = 0o700


class Day(NamedTuple):
    """One feed's file of one day."""

    feed: str
    day: date
    path: Path


class Workspace:
    """A folder of tables: the one given, else that of TRANCHE_WORKSPACE, else one in the user's data folder."""

    def __init__(self, folder: str | Path | None = None) -> None:
        named = folder or os.environ.get("TRANCHE_WORKSPACE")
        self.folder = Path(named) if named else platformdirs.user_data_path("tranche")

    def days(self, table: str, feed: str = "*") -> list[Day]:
        """Return the days of a table, of one feed or of all, the oldest first."""
        found = (self._day(path) for path in self.folder.glob(f"{table}/feed={feed}/day=*/{table}.parquet"))
        return sorted((day for day in found if day), key=lambda one: (one.feed, one.day))

    def newest(self, table: str) -> dict[str, Day]:
        """Return the newest day of each feed."""
        return {day.feed: day for day in self.days(table)}

    def write(self, table: str, feed: str, day: date, frame: pl.DataFrame) -> None:
        """Replace a feed's day at once, or not at all.

        Raises:
            InputError: the folder cannot be written.
        """
        place = self.folder / table / f"feed={feed}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
            place.mkdir(parents=True, exist_ok=True)
            _sweep(place)
            _replace(place, place / f"day={day:%Y-%m-%d}" / f"{table}.parquet", frame)
        except OSError as error:
            raise InputError(str(self.folder), f"cannot be written ({error.strerror})", "check the folder") from None

    def _day(self, path: Path) -> Day | None:
        try:
            day = date.fromisoformat(path.parent.name.removeprefix("day="))
        except ValueError:
            return None
        return Day(path.parent.parent.name.removeprefix("feed="), day, path)


def read(day: Day) -> pl.DataFrame:
    """Return the table of one day, without its feed and day.

    Raises:
        InputError: the file is damaged.
    """
    try:
        return pl.read_parquet(day.path, hive_partitioning=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        where = f"{day.feed}, {day.day}"
        reason = str(error).splitlines()[0]
        raise InputError(where, f"cannot be read ({reason})", f"delete {day.path}, and run tranche fetch") from None


def _replace(scratch: Path, path: Path, frame: pl.DataFrame) -> None:
    handle, name = tempfile.mkstemp(dir=scratch, prefix=f".{os.getpid()}.")
    try:
        with os.fdopen(handle, "wb") as file:
            frame.write_parquet(file)
            file.flush()
            os.fsync(file.fileno())
        path.parent.mkdir(exist_ok=True)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _sweep(place: Path) -> None:
    """Remove what a fetch that was killed has left; the names begin with the number of its process."""
    for path in _leftovers(place):
        with suppress(OSError):
            path.unlink()


def _leftovers(place: Path) -> Iterator[Path]:
    for path in place.glob(".*.*"):
        process = path.name.split(".")[1]
        if process.isdigit() and not _runs(int(process)):
            yield path


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
