"""How prices moved, by day, as far as they were fetched; and in words what is known where there is no line to draw."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from app.tui import words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.session import Request
    from app.tui.market import Option

SINCE = timedelta(days=365)
MOST = 4  # lines that a chart tells apart
Days = tuple[tuple[date, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """The prices of one offer as its vendor stated them, in $ per GPU-hour, the oldest day first; price: of now.

    typed: whether the price of now was typed here, so that it is of no day.
    """

    name: str
    days: Days
    price: float
    source: str = ""
    typed: bool = False


def known_prices(request: Request, gpu_model: str, *, now: date, currency: str) -> dict[str, Days]:
    """Return the price of each offer of a GPU model on each day of the last year on which it was fetched.

    Raises:
        InputError, UsageError: the settings or the workspace cannot be read.
    """
    import polars as pl

    from app import settings
    from app.loading import workspace_of
    from providers import book, currencies

    said = settings.find(request.config) or settings.Settings()
    found = book.history(workspace_of(request.workspace, said), gpu_model, since=now - SINCE)
    frame, _ = currencies.converted(found, to=currency, rates=said.currencies)
    stated = pl.col("holding_usd_per_gpu_hour") + pl.col("usage_usd_per_gpu_hour")
    days: dict[str, list[tuple[date, float]]] = {}
    mine = frame.filter(pl.col("currency") == currency, stated.is_finite())
    for offer, day, price in mine.select("offer_id", "day", stated).iter_rows():
        days.setdefault(offer, []).append((day, price))
    return {offer: tuple(dict(each).items()) for offer, each in days.items()}


def tracks_of(options: Sequence[Option], known: Mapping[str, Days]) -> list[Track]:
    """Return what is known of the prices of options, the price of now on its own day included."""
    return [_track(option, known.get(option.tariff.offer_id, ())) for option in options]


def _track(option: Option, known: Days) -> Track:
    day = option.origin.day
    now = {} if day is None or option.origin.typed else {day: option.listed}
    return Track(
        name=words.name(option.tariff.offer_id),
        days=tuple(sorted({**now, **dict(known)}.items())),
        price=option.listed,
        source=words.name(option.origin.source),
        typed=option.origin.typed,
    )


def drawable(tracks: Sequence[Track]) -> bool:
    """Say whether prices of several days are known."""
    return any(len(track.days) > 1 for track in tracks)


def in_words(tracks: Sequence[Track], currency: str) -> str:
    """Say which prices are known where there is no line to draw."""
    if not tracks:
        return "no option under the cursor"
    if len(tracks) == 1:
        return f"{_one(tracks[0], currency)}; tranche fetch keeps prices by day"
    each = "; ".join(f"{track.name}: {_one(track, currency)}" for track in tracks)
    return f"{each}. tranche fetch keeps prices by day"


def _one(track: Track, currency: str) -> str:
    sign, source = words.sign(currency), f" ({track.source})" if track.source else ""
    if not track.days:
        since = "as it was typed here" if track.typed else f"of no known day{source}"
        return f"{sign}{words.exact(track.price)} a GPU-hour, {since}"
    day, price = track.days[0]
    return f"one price known: {sign}{words.exact(price)} a GPU-hour on {day}{source}"
