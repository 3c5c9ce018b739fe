"""The demo: half a year of GPU use of a made-up company; `python -m data.demo` writes it again.

Every name, job and bill is fictional. What is real is the shape: level, spread, trend and weekly rhythm of
each pool follow statistics that were measured on published traces (`SOURCES.md`). The random stream is
numpy's PCG64 and results are rounded, so that every machine writes the same rows.
"""

from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

START = datetime(2026, 4, 1, tzinfo=UTC)
END = datetime(2026, 9, 29, tzinfo=UTC)
HOURS, SEED = (END - START).days * 24, 20260401
SHARED = 0.3  # part of a training workload's variance that all teams have in common

Floats = NDArray[np.float64]


class Pool(NamedTuple):
    """Where workloads run; `weekend` and `day` multiply their demand, an outage stops all but serving."""

    provider: str
    region: str
    gpu_model: str
    instance_type: str | None
    account: str
    weekend: float
    day: float
    outages: int


class Workload(NamedTuple):
    """One stream of demand: `base` GPUs, give or take `spread`, never above `most`, scaled along `trend`.

    `memory` is the time in hours over which the spread forgets itself, `activity` the part of the allocated
    GPUs that works. `trend` names factors at evenly spaced dates from the first day to the last.
    """

    pool: str
    name: str
    kind: Literal["train", "small", "serve", "chat"]
    base: float
    spread: float
    most: float
    memory: float
    activity: float
    option: str = "on_demand"
    trend: tuple[float, ...] = (1.0,)


# fmt: off
POOLS = {
    "aws-h100": Pool("aws", "us-east-1", "H100-SXM-80GB", "p5.48xlarge", "research", 0.84, 0.99, 8),
    "aws-a100": Pool("aws", "us-east-1", "A100-40GB", "p4d.24xlarge", "research", 0.94, 1.0, 4),
    "aws-a10g": Pool("aws", "us-east-1", "A10G-24GB", "g5.48xlarge", "growth", 0.82, 1.2, 2),
    "aws-l40s": Pool("aws", "us-east-1", "L40S-48GB", "g6e.48xlarge", "studio", 0.55, 1.26, 2),
    "az-a100": Pool("azure", "eastus", "A100-80GB", "Standard_ND96amsr_A100_v4", "products", 0.76, 1.05, 6),
    "az-h100": Pool("azure", "eastus", "H100-SXM-80GB", "Standard_ND96isr_H100_v5", "products", 0.5, 1.04, 4),
    "cw-h100": Pool("coreweave", "us", "H100-SXM-80GB", None, "assistant", 0.83, 1.0, 12),
    "gcp-a100": Pool("gcp", "us-central1", "A100-80GB", "a2-ultragpu-8g", "science", 0.80, 1.08, 3),
    "gcp-h100": Pool("gcp", "us-central1", "H100-SXM-80GB", "a3-highgpu-8g", "science", 0.92, 1.01, 6),
    "gcp-l4": Pool("gcp", "us-central1", "L4-24GB", "g2-standard-96", "media", 1.02, 1.0, 2),
    "lam-h100": Pool("lambda", "us", "H100-SXM-80GB", "gpu_8x_h100_sxm5", "speech", 0.95, 1.03, 4),
}
WORKLOADS = (
    Workload("aws-h100", "foundation/train-large", "train", 217, 66, 218, 40, 0.86, trend=(1, 0.9, 0.9, 1.2)),
    Workload("aws-h100", "assistant/serve-chat", "chat", 8.0, 1.2, 38, 8, 0.52),
    Workload("aws-h100", "assistant/serve-agent", "chat", 4.5, 7.5, 58, 12, 0.41),
    Workload("aws-h100", "codegen/serve-complete", "chat", 1.2, 1.1, 14, 12, 0.37),
    Workload("aws-h100", "search/serve-answer", "serve", 1.3, 0.5, 4, 12, 0.33),
    Workload("aws-h100", "safety/serve-moderate", "serve", 1.3, 0.5, 4, 12, 0.45),
    Workload("aws-h100", "foundation/sweep", "small", 1.0, 2.4, 8.5, 20, 0.62, "spot"),
    Workload("aws-a100", "language/train-base", "train", 86, 32, 180, 60, 0.81, trend=(0.97, 0.91, 1.13)),
    Workload("aws-a100", "recsys/train-embed", "train", 12.5, 8, 24, 80, 0.74),
    Workload("aws-a100", "recsys/tune", "small", 2.3, 1.8, 10.5, 20, 0.58),
    Workload("aws-a100", "language/ablate", "small", -2.0, 1.6, 4, 10, 0.55),
    Workload("aws-a10g", "ads/train-rank", "train", -0.3, 10, 16.1, 30, 0.66),
    Workload("aws-a10g", "ads/explore", "small", -1.2, 1.0, 3, 10, 0.55),
    Workload("aws-l40s", "render/train-scene", "train", 30, 25, 49.2, 40, 0.7, trend=(1, 1, 1, 0.1, 0, 0, 0)),
    Workload("aws-l40s", "render/bake", "small", 0.5, 1.5, 11.9, 12, 0.61, "spot", (1, 1, 1, 0.1, 0, 0, 0)),
    Workload("az-a100", "language/train-multilingual", "train", 88, 57, 67, 40, 0.8, trend=(1, 1, 1, 0.2)),
    Workload("az-a100", "lab/notebooks", "train", 8.3, 1.5, 8.3, 40, 0.06),
    Workload("az-a100", "language/eval-nightly", "train", -4.0, 2.6, 8.1, 6, 0.72),
    Workload("az-a100", "search/serve-embed", "serve", 5.1, 2.3, 14, 14, 0.48),
    Workload("az-a100", "translate/serve", "chat", 3.9, 2.4, 21, 14, 0.38),
    Workload("az-a100", "search/serve-rerank", "serve", 2.9, 0.8, 14, 10, 0.44),
    Workload("az-a100", "support/serve-bot", "chat", 1.2, 0.3, 2, 10, 0.26),
    Workload("az-a100", "fraud/serve-score", "serve", 1.0, 0.1, 2, 10, 0.22),
    Workload("az-a100", "language/probe", "small", -4.0, 4.5, 17.9, 8, 0.60),
    Workload("az-h100", "vision/sweep", "small", 14, 15, 80, 20, 0.63, "spot", (1.3, 0.95, 0.95, 0.8)),
    Workload("az-h100", "vision/augment", "small", 9, 10, 58, 20, 0.57, trend=(1.3, 0.95, 0.95, 0.8)),
    Workload("az-h100", "vision/train-large", "train", -6, 15, 98, 30, 0.75),
    Workload("cw-h100", "assistant/train-post", "train", 45, 4, 44.5, 40, 0.84),
    Workload("cw-h100", "assistant/eval-suite", "small", 12.2, 1.2, 14, 20, 0.66, "spot"),
    Workload("gcp-a100", "robotics/train-walk", "train", 36, 48, 72, 110, 0.72),
    Workload("gcp-a100", "bio/train-fold", "train", 1.4, 5.3, 14, 60, 0.69),
    Workload("gcp-a100", "bio/screen", "small", 12.5, 7.5, 30, 60, 0.59),
    Workload("gcp-a100", "robotics/simulate", "small", -2.0, 1.4, 4, 10, 0.55, "spot"),
    Workload("gcp-h100", "multimodal/train-main", "train", 23, 19, 64, 60, 0.79, trend=(0.6, 1.1, 1.3, 1)),
    Workload("gcp-h100", "multimodal/ablate", "small", 7.2, 6, 20, 40, 0.64, trend=(0.7, 1.05, 1.2, 1.1)),
    Workload("gcp-l4", "media/serve-caption", "chat", 11.5, 3.5, 70, 5, 0.55, trend=(0.9, 1.7)),
    Workload("gcp-l4", "ads/serve-rank", "serve", 11.5, 4, 41, 5, 0.59, trend=(0.9, 1.5)),
    Workload("gcp-l4", "maps/serve-ocr", "serve", 3.0, 2, 13, 6, 0.35, trend=(0.9, 1.2)),
    Workload("gcp-l4", "media/serve-dedupe", "serve", 1.8, 0.7, 4, 12, 0.31),
    Workload("gcp-l4", "search/serve-spell", "serve", 1.5, 0.7, 3, 12, 0.28),
    Workload("gcp-l4", "media/transcode", "small", 11.5, 7, 32.5, 12, 0.68, "spot"),
    Workload("gcp-l4", "maps/eval-tiles", "train", -3, 5, 16, 8, 0.64),
    Workload("lam-h100", "speech/train-duplex", "train", 35, 17, 66, 55, 0.80, trend=(0.95, 0.8, 0.9, 1.75)),
    Workload("lam-h100", "speech/augment", "small", 2, 7, 28, 20, 0.56),
)
# fmt: on
PRODUCT = ["provider", "gpu_model"]
SERVING = ("serve", "chat")
DAILY_SWING = {"serve": (0.2, 18), "chat": (0.6, 21)}  # part of the mean, and the hour (UTC) of the peak
COLUMNS = (
    "hour", "workload", "gpu_model", "gpu_hours", "gpu_hours_used", "provider", "region", "account",
    "cluster", "team", "environment", "instance_type", "purchase_option", "commitment_id", "interruptible",
    "list_cost", "effective_cost", "source",
)  # fmt: skip


def usage() -> pl.DataFrame:
    """Return the demo history as a Usage table: one row an hour, workload and purchase option, sorted."""
    common, running = _wander(_stream("common"), memory=72), {pool: _running(pool) for pool in POOLS}
    demand = pl.concat(_demand(workload, common, running[workload.pool]) for workload in WORKLOADS)
    pools = pl.DataFrame([{"pool": name, **pool._asdict(), **_prices(pool)} for name, pool in POOLS.items()])
    placed = demand.join(pools, on="pool", how="left", maintain_order="left")
    billed = _split_by_commitment(placed).with_columns(
        cluster="pool",
        list_cost=(pl.col("gpu_hours") * pl.col("on_demand")).round(4),
        effective_cost=(pl.col("gpu_hours") * pl.col("price")).round(4),
    )
    return billed.filter(pl.col("gpu_hours") > 0).select(COLUMNS).sort("hour", "workload", "purchase_option")


def _stream(name: str) -> np.random.Generator:
    """Return a random stream of its own for each name: a new workload leaves the others as they are."""
    return np.random.Generator(np.random.PCG64([SEED, *name.encode()]))


def _wander(stream: np.random.Generator, *, memory: float) -> Floats:
    """Return an hourly series of mean 0 and variance 1 that forgets itself over `memory` hours (AR(1))."""
    normal = stream.random((HOURS, 12)).sum(axis=1) - 6  # near enough to normal, from uniforms alone
    keep = 1 - 1 / memory
    news = (1 - keep**2) ** 0.5 * normal
    series: Floats = normal.copy()
    for hour in range(1, HOURS):
        series[hour] = keep * series[hour - 1] + news[hour]
    return series


def _running(pool: str) -> Floats:
    """Return 1 for every hour in which the pool ran, 0 where it was down for 4 to 28 hours."""
    stream, running = _stream(pool), np.ones(HOURS)
    for start, length in stream.random((POOLS[pool].outages, 2)):
        first = int(start * HOURS)
        running[first : first + 4 + int(length * 24)] = 0
    return running


def _demand(workload: Workload, common: Floats, running: Floats) -> pl.DataFrame:
    """Return one workload's hours, with what was allocated and what was active."""
    pool, stream = POOLS[workload.pool], _stream(workload.name)
    own = _wander(stream, memory=workload.memory)
    if workload.kind in SERVING:
        gpus = _served(workload, pool, own)
    else:
        gpus = _trained(workload, pool, SHARED**0.5 * common + (1 - SHARED) ** 0.5 * own) * running
    active = gpus * workload.activity * (0.9 + 0.2 * stream.random(HOURS))
    hours = pl.datetime_range(START, END, "1h", time_unit="us", closed="left", eager=True)
    return pl.DataFrame({"hour": hours, "gpu_hours": gpus, "gpu_hours_used": active.round(2)}).with_columns(
        pl.lit(workload.pool).alias("pool"),
        pl.lit(workload.name).alias("workload"),
        pl.lit(workload.name.split("/")[0]).alias("team"),
        pl.lit("production" if workload.kind in SERVING else "research").alias("environment"),
        pl.lit(workload.option).alias("purchase_option"),
        pl.lit(workload.kind == "small").alias("interruptible"),
        pl.lit("demo (fictional)").alias("source"),
    )


def _trained(workload: Workload, pool: Pool, wander: Floats) -> Floats:
    """Return the GPUs that jobs ask for: a level that wanders, bounded by the team's quota."""
    hour = np.arange(HOURS)
    by_day = np.where((hour % 24 >= 9) & (hour % 24 < 21), pool.day, 1.0)
    wanted = (workload.base + workload.spread * wander) * _trend(workload) * _weekend(pool) * by_day
    return np.clip(wanted, 0, workload.most).round(2)


def _served(workload: Workload, pool: Pool, wander: Floats) -> Floats:
    """Return the whole GPUs that an endpoint needs: a daily cycle, growth, and never fewer than one."""
    swing, peak = DAILY_SWING[workload.kind]
    cycle = 1 + swing * np.cos((np.arange(HOURS) % 24 - peak) * (2 * np.pi / 24))
    wanted = (workload.base + workload.spread * wander) * _trend(workload) * _weekend(pool) * cycle
    gpus: Floats = np.clip(wanted.round(), 1, workload.most)
    return gpus


def _trend(workload: Workload) -> Floats:
    dates = np.linspace(0, HOURS, len(workload.trend))
    factors: Floats = np.interp(np.arange(HOURS), dates, workload.trend)
    return factors


def _weekend(pool: Pool) -> Floats:
    weekday = (np.arange(HOURS) // 24 + START.weekday()) % 7
    return np.where(weekday >= 5, pool.weekend, 1.0)


def _split_by_commitment(demand: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with the part that an owned commitment carries apart; workloads draw in their order."""
    owned = _bundled("demo_commitments.csv")
    rows = demand.join(owned, how="left", on=PRODUCT, suffix="_owned", maintain_order="left")
    claim = pl.when(pl.col("purchase_option") == "on_demand").then("gpu_hours").otherwise(0)
    left = (pl.col("gpus") - (claim.cum_sum() - claim).over("pool", "hour")).clip(lower_bound=0)
    rows = rows.with_columns(held=pl.min_horizontal(claim, left.fill_null(0)).round(2))
    carried = rows.filter(pl.col("held") > 0).with_columns(
        purchase_option="purchase_option_owned", part="held", price="holding_usd_per_gpu_hour"
    )
    beyond = rows.with_columns(
        part=(pl.col("gpu_hours") - pl.col("held")).round(2),
        commitment_id=pl.lit(None, pl.String),
        price=pl.when(pl.col("purchase_option") == "spot").then("spot").otherwise("on_demand"),
    )
    used = (pl.col("gpu_hours_used") * pl.col("part") / pl.col("gpu_hours")).round(2)
    return pl.concat([carried, beyond]).with_columns(gpu_hours="part", gpu_hours_used=used)


def _bundled(name: str) -> pl.DataFrame:
    return pl.read_csv(files("data").joinpath(name).read_bytes(), infer_schema_length=None)


def _prices(pool: Pool) -> dict[str, float | None]:
    """Return the bundled on-demand and spot price of a pool's product."""
    product = (pl.col("provider") == pool.provider) & (pl.col("gpu_model") == pool.gpu_model)
    shape = pl.col("instance_type").is_null() | (pl.col("instance_type") == (pool.instance_type or ""))
    sold = _bundled("offers.csv").filter(product, shape)
    prices = dict(sold.select("purchase_option", "usage_usd_per_gpu_hour").iter_rows())
    return {"on_demand": prices["on_demand"], "spot": prices.get("spot")}


if __name__ == "__main__":
    usage().write_parquet(Path(__file__).with_name("demo_usage.parquet"), compression_level=19)
