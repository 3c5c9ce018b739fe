"""The price book: what was fetched into the workspace, and what ships with the program where nothing was."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import NamedTuple

import polars as pl

from providers import bundle, store
from providers.names import few
from providers.store import Workspace
from providers.tables import COMMITMENTS, OFFERS, Diagnostic, InputError

SHIPPED = "bundled"
ABOVE_ON_DEMAND = "above on-demand"
APART = ("us-gov-", "usgov", "usdod", "cn-", "china")
_SOLD = ["provider", "purchase_option"]


class Book(NamedTuple):
    """Offers with the column `feed`, in every currency, sorted by offer_id; days by feed; what was found."""

    offers: pl.DataFrame
    days: Mapping[str, date]
    found: Sequence[Diagnostic]


def current(workspace: Workspace) -> Book:
    """Return the newest prices of every feed, and the bundled ones of each provider and option that no feed has.

    A day that is damaged is passed over for the one before it, and said.
    """
    frames, days, found = [], {}, []
    for feed in sorted({day.feed for day in workspace.days(store.OFFERS)}):
        latest, told = _latest(workspace, feed)
        found += told
        if latest is not None:
            days[feed] = latest[0].day
            frames.append(latest[1].with_columns(feed=pl.lit(feed)))
    shipped = bundle.price_book().frame.with_columns(feed=pl.lit(SHIPPED))
    fetched = pl.concat([*frames, shipped.clear()], how="diagonal_relaxed")
    left = shipped.join(fetched.select(_SOLD).unique(), on=_SOLD, how="anti", maintain_order="left")
    whole = pl.concat([fetched, left], how="diagonal_relaxed").unique("offer_id", keep="first", maintain_order=True)
    offers, dear = with_dear_spot(whole.sort("offer_id"))
    return Book(offers, days, [*found, *dear])


def plannable(offers: pl.DataFrame, *, used: Iterable[str | None] = ()) -> pl.DataFrame:
    """Leave out what no workload of a plan can run on.

    SageMaker's machines take its own jobs only. Regions for a government, and those in China, take accounts of their
    own, so that they count only where something runs there already.

    Args:
        offers: rows of Offers.
        used: regions of the usage.
    """
    apart = [prefix for prefix in APART if not any((region or "").casefold().startswith(prefix) for region in used)]
    region = pl.col("region").str.to_lowercase()
    closed = pl.any_horizontal(pl.lit(value=False), *(region.str.starts_with(prefix) for prefix in apart))
    sagemaker = pl.col("instance_type").str.starts_with("ml.")
    return offers.filter(~sagemaker.fill_null(value=False) & ~closed.fill_null(value=False))


def history(workspace: Workspace, gpu_model: str, *, since: date) -> pl.DataFrame:
    """Return the offers of a GPU model day by day, with `feed` and `day`, sorted by offer and day.

    Days that are damaged are missing; `current` tells of the newest.
    """
    frames = []
    for day in (one for one in workspace.days(store.OFFERS) if one.day >= since):
        with suppress(InputError):
            offers = store.read(day).filter(pl.col("gpu_model") == gpu_model)
            frames.append(offers.with_columns(feed=pl.lit(day.feed), day=pl.lit(day.day, pl.Date)))
    empty = pl.DataFrame(schema={**{column.name: column.dtype for column in OFFERS.columns}, "day": pl.Date()})
    return pl.concat([empty, *frames], how="diagonal_relaxed").sort("offer_id", "day")


def owned(workspace: Workspace) -> pl.DataFrame | None:
    """Return the commitments that were fetched last, None where there are none."""
    frames = [store.read(day) for day in workspace.newest(store.COMMITMENTS).values()]
    filled = [frame for frame in frames if frame.height]
    key = list(COMMITMENTS.key)
    return pl.concat(filled, how="diagonal_relaxed").unique(key, keep="first").sort(key) if filled else None


def with_dear_spot(offers: pl.DataFrame) -> tuple[pl.DataFrame, list[Diagnostic]]:
    """Mark spot prices above the on-demand price of the same machine; they are true, and kept."""
    key = ["provider", "region", "instance_type", "gpu_model", "currency"]
    price = pl.col("usage_usd_per_gpu_hour")
    listed = offers.filter(pl.col("purchase_option") == "on_demand").group_by(key).agg(price.min().alias("listed"))
    joined = offers.join(listed, on=key, how="left", nulls_equal=True, maintain_order="left")
    dear = ((pl.col("purchase_option") == "spot") & (price > pl.col("listed"))).fill_null(value=False)
    names = joined.filter(dear)["offer_id"].to_list()
    note = pl.concat_str(["note", pl.lit(ABOVE_ON_DEMAND)], separator="; ", ignore_nulls=True)
    marked = joined.with_columns(pl.when(dear).then(note).otherwise("note").alias("note")).drop("listed")
    return marked, [_dear(names)] if names else []


def _latest(workspace: Workspace, feed: str) -> tuple[tuple[store.Day, pl.DataFrame] | None, list[Diagnostic]]:
    """Return the newest day of a feed that can be read, and what was wrong with newer ones."""
    found: list[Diagnostic] = []
    for day in reversed(workspace.days(store.OFFERS, feed)):
        try:
            return (day, store.read(day)), found
        except InputError as error:
            found.append(Diagnostic(level="warning", code="damaged-day", message=str(error)))
    return None, found


def _dear(names: Sequence[str]) -> Diagnostic:
    message = f"{len(names):,} spot prices are above on-demand, and kept as they are: {few(names)}"
    return Diagnostic(level="note", code="spot-above-on-demand", message=message)
