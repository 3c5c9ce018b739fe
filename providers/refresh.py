"""Feeds -> the workspace: each is read at the same time as the others, and replaces its own prices or leaves them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Literal

import polars as pl

from providers import store
from providers.asking import Ask, NoCredentialsError, StoppedError
from providers.feeds import Feed
from providers.listings import Harvest
from providers.offers import offers_of
from providers.store import Workspace
from providers.tables import COMMITMENTS, Diagnostic, InputError, checked

PATIENCE_S, PEEK_S = 3.0, 0.1
KEYS = {store.OFFERS: "offer_id", store.COMMITMENTS: "commitment_id"}
PRICES = ("holding_usd_per_gpu_hour", "usage_usd_per_gpu_hour", "upfront_share", "currency")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a feed.

    state: `refreshed`; `failed` and `skipped` (no credentials) left what was there. rows: offers or commitments of the
    feed; new, changed, gone: compared with its newest day before. message: why it failed or was skipped.
    """

    feed: str
    state: Literal["refreshed", "failed", "skipped"]
    rows: int = 0
    new: int = 0
    changed: int = 0
    gone: int = 0
    seconds: float = 0.0
    message: str = ""
    found: tuple[Diagnostic, ...] = ()


def refresh(
    feeds: Mapping[str, Feed],
    ask_of: Callable[[str], Ask],
    workspace: Workspace,
    *,
    usual: Mapping[str, float],
    ended: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Read every feed, each in a thread of its own, and return what became of them by name.

    Args:
        feeds: by name.
        ask_of: what a feed is asked for, by its name.
        workspace: where prices go.
        usual: as `providers.offers.offers_of` needs it.
        ended: who is told as soon as one feed has ended.

    Raises:
        KeyboardInterrupt: somebody wants the work to end. Feeds that were done by then are kept.
        Exception: a fault of the program in one feed; it is raised once the others are done.
    """
    asks = {name: ask_of(name) for name in feeds}
    done: SimpleQueue[Outcome | Exception] = SimpleQueue()

    def work(name: str) -> None:
        try:
            done.put(_refreshed(name, feeds[name], asks[name], workspace, usual))
        except Exception as error:  # noqa: BLE001 - raised again where the threads were started
            done.put(error)

    threads = [Thread(target=work, args=(name,), daemon=True) for name in feeds]
    for thread in threads:
        thread.start()
    try:
        all_ended = [_next(done, ended) for _ in threads]
    except BaseException:
        _stop(asks, threads)
        raise
    for error in all_ended:
        if isinstance(error, Exception):
            raise error
    return sorted((one for one in all_ended if isinstance(one, Outcome)), key=lambda outcome: outcome.feed)


def _next(done: "SimpleQueue[Outcome | Exception]", ended: Callable[[Outcome], None]) -> Outcome | Exception:
    """Wait for a feed, in short steps so that ctrl-c is heard."""
    while True:
        try:
            found = done.get(timeout=PEEK_S)
        except Empty:
            continue
        if isinstance(found, Outcome):
            ended(found)
        return found


def _stop(asks: Mapping[str, Ask], threads: list[Thread]) -> None:
    until = monotonic() + PATIENCE_S
    for ask in asks.values():
        ask.stop.set()
    for thread in threads:
        thread.join(max(until - monotonic(), 0))


def _refreshed(name: str, feed: Feed, ask: Ask, workspace: Workspace, usual: Mapping[str, float]) -> Outcome:
    begun = monotonic()
    try:
        harvest = feed.read(ask)
        frame, found = _offers(name, harvest, usual) if feed.table == store.OFFERS else (_owned(name, harvest), [])
        earlier = _earlier(workspace, feed.table, name)
        whole = _with_kept(frame, earlier, harvest, ask) if feed.table == store.OFFERS else frame
        workspace.write(feed.table, name, ask.now.date(), whole)
    except NoCredentialsError as error:
        return Outcome(feed=name, state="skipped", message=str(error))
    except InputError as error:
        return Outcome(feed=name, state="failed", message=str(error), seconds=monotonic() - begun)
    except StoppedError:
        return Outcome(feed=name, state="failed", message="interrupted")
    new, changed, gone = _differences(whole, earlier, KEYS[feed.table])
    return Outcome(
        feed=name, state="refreshed", rows=whole.height, new=new, changed=changed, gone=gone,
        seconds=monotonic() - begun, found=(*harvest.found, *found),
    )  # fmt: skip


def _owned(name: str, harvest: Harvest) -> pl.DataFrame:
    """Return the commitments that a feed brought, a table without rows where nothing is owned."""
    owned = harvest.commitments
    if owned is None or owned.is_empty():
        return pl.DataFrame(schema={column.name: column.dtype for column in COMMITMENTS.columns})
    return checked(owned, COMMITMENTS, where=name, one_currency=False)


def _offers(name: str, harvest: Harvest, usual: Mapping[str, float]) -> tuple[pl.DataFrame, list[Diagnostic]]:
    """Return the offers that a feed brought.

    Raises:
        InputError: it brought prices, and not one can be used.
    """
    offers = offers_of(harvest.listings, usual=usual)
    if harvest.listings and offers.frame.is_empty():
        reasons = "; ".join(diagnostic.message for diagnostic in offers.found)
        raise InputError(name, f"gives no price that can be used ({reasons})", "its form may have changed: tell us")
    return offers.frame, offers.found


def _earlier(workspace: Workspace, table: str, feed: str) -> pl.DataFrame | None:
    """Return the feed's newest day; a damaged one counts as none, since it is about to be replaced."""
    days = workspace.days(table, feed)
    try:
        return store.read(days[-1]) if days else None
    except InputError:
        return None


def _with_kept(frame: pl.DataFrame, earlier: pl.DataFrame | None, harvest: Harvest, ask: Ask) -> pl.DataFrame:
    """Add what was known of regions that were lost or not asked for; such rows keep their old as_of."""
    if earlier is None or not earlier.height:
        return frame
    regions = earlier["region"].drop_nulls().unique().to_list()
    unasked = [region for region in regions if not ask.wants(region)]
    kept = pl.col("region").is_in([*unasked, *harvest.lost]) | pl.col("provider").is_in(list(harvest.lost))
    rows = earlier.filter(kept.fill_null(value=False)).join(frame, on="offer_id", how="anti")
    return pl.concat([frame, rows], how="diagonal_relaxed").sort("offer_id") if rows.height else frame


def _differences(now: pl.DataFrame, earlier: pl.DataFrame | None, key: str) -> tuple[int, int, int]:
    """Return how many rows are new, have another price, and are gone."""
    if earlier is None or not earlier.height or not now.height:
        return now.height, 0, 0 if earlier is None else earlier.height
    both = now.join(earlier, on=key, suffix="_before")
    prices = [name for name in PRICES if name in both.columns and f"{name}_before" in both.columns]
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_before")) for name in prices)
    return now.height - both.height, both.filter(~same).height, earlier.height - both.height
