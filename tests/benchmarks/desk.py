"""Negotiate on 20 workloads x 96 offers x 8,760 hours, without a terminal; print seconds and the longest stall.

at_once: from a typed price to its verdict on screen. plan: to the new plan. whole: to what all six quotes are worth.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import polars as pl
from textual.widgets import Input

from app.quiet import stdout_aside
from app.session import Request
from app.tui.app import TrancheApp
from app.tui.widgets.quotes import Quotes
from app.tui.widgets.terms_input import TermsInput
from tests.benchmarks.cases import NOW, inputs
from tests.benchmarks.stalls import Stalls

QUOTES = 6
EDITS = 10


def written(folder: Path, hours: int) -> Request:
    """Write the instance as files; the contracts of six vendors are quotes."""
    given = inputs(hours)
    contracts = given.offers.filter(pl.col("purchase_option") == "contract")["offer_id"].head(QUOTES).to_list()
    status = pl.when(pl.col("offer_id").is_in(contracts)).then(pl.lit("quote")).otherwise("status").alias("status")
    usage, offers = (folder / name for name in ("usage.parquet", "offers.parquet"))
    given.usage.write_parquet(usage)
    given.offers.with_columns(status).write_parquet(offers)
    return Request(now=NOW, usage=(str(usage),), offers=(str(offers),), horizon="12mo")


async def seconds_until(holds: Callable[[], bool]) -> float:
    begun = perf_counter()
    while not holds():  # noqa: ASYNC110  what is waited for tells nobody else
        await asyncio.sleep(0.002)
    return perf_counter() - begun


async def edited(app: TrancheApp, price: str) -> tuple[float, float, float]:
    """Type a price over that of the quote under the cursor, and enter it."""
    app.screen.action_edit()
    await asyncio.sleep(0.1)
    line, before = app.screen.query_one(TermsInput), app.desk.plan
    line.query_one(Input).value = price
    at_once = await seconds_until(lambda: "over the term" in str(line.query_one(".line-hint").render()))
    await line.query_one(Input).action_submit()
    plan = await seconds_until(lambda: app.desk.plan is not before)
    return at_once, plan, plan + await seconds_until(lambda: app.desk.savable)


async def measured(request: Request) -> dict[str, float]:
    app, stalls = TrancheApp(request), Stalls()
    async with app.run_test(size=(160, 48)) as pilot:
        watching = asyncio.create_task(stalls.watch())
        await seconds_until(lambda: app.desk.savable)
        app.action_show_mode("desk")
        await pilot.pause()
        offer, value = next(iter(app.desk.values().items()))
        app.screen.query_one(Quotes).point_at(offer)
        await seconds_until(lambda: offer in app.screen._curves)
        stalls.taken()
        found = [await edited(app, f"{value.quoted * (1 + step / 200):.4f}") for step in range(1, EDITS + 1)]
        watching.cancel()
    means = (sum(each) / EDITS for each in zip(*found, strict=True))
    return {**dict(zip(("at_once", "plan", "whole"), means, strict=True)), "stall": stalls.taken()}


if __name__ == "__main__":
    with stdout_aside(), TemporaryDirectory(prefix="tranche-") as place:
        said = json.dumps(asyncio.run(measured(written(Path(place), int(sys.argv[1])))))
        print(said, file=sys.__stdout__, flush=True)
    os._exit(0)
