"""Negotiate on 20 workloads x 96 offers x 8,760 hours, without a terminal; print seconds and the longest stall.

At once: from a typed price to its verdict on screen. Plan: to the new plan. Whole: to what all six quotes are worth.
"""

import asyncio
import json
import os
import sys
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
    given.usage.write_parquet(folder / "usage.parquet")
    given.offers.with_columns(status).write_parquet(folder / "offers.parquet")
    paths = ((str(folder / name),) for name in ("usage.parquet", "offers.parquet"))
    return Request(now=NOW, usage=next(paths), offers=next(paths), horizon="12mo")


async def until(pilot: object, holds: object) -> None:
    while not holds():
        await asyncio.sleep(0.002)


async def measured(request: Request) -> dict[str, float]:
    app, stalls = TrancheApp(request), Stalls()
    async with app.run_test(size=(160, 48)) as pilot:
        watching = asyncio.create_task(stalls.watch())
        await until(pilot, lambda: app.desk.savable)
        opening = stalls.taken()
        app.action_show_mode("desk")
        await pilot.pause()
        offer, value = next(iter(app.desk.values().items()))
        app.screen.query_one(Quotes).point_at(offer)
        await pilot.pause()
        await asyncio.sleep(3)  # its curve is drawn
        times = {"at_once": 0.0, "plan": 0.0, "whole": 0.0}
        stalls.taken()
        for step in range(1, EDITS + 1):
            price = f"{value.quoted * (1 + step / 200):.4f}"
            app.screen.action_edit()
            await pilot.pause()
            line = app.screen.query_one(TermsInput)
            begun = perf_counter()
            line.query_one(Input).value = price
            await until(pilot, lambda: "over the term" in str(line.query_one(".line-hint").render()))
            times["at_once"] += perf_counter() - begun
            before, begun = app.desk.plan, perf_counter()
            await line.query_one(Input).action_submit()
            await until(pilot, lambda: app.desk.plan is not before and app.desk.history.now.solved is not None)
            times["plan"] += perf_counter() - begun
            await until(pilot, lambda: app.desk.savable)
            times["whole"] += perf_counter() - begun
        watching.cancel()
        return {name: total / EDITS for name, total in times.items()} | {"stall": stalls.taken(), "opening": opening}


if __name__ == "__main__":
    with stdout_aside(), TemporaryDirectory(prefix="tranche-") as place:
        print(json.dumps(asyncio.run(measured(written(Path(place), int(sys.argv[1]))))), file=sys.__stdout__, flush=True)
    os._exit(0)
