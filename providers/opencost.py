"""OpenCost's /allocation, saved or asked live -> Charges at list price, and Claims.

Its costs are list prices and no bill: machines have a `list_cost` and no other. Its GPUs are counted with care:

- A step is cut into hours, in proportion to the minutes that each allocation ran in each of them.
- GPU-hours are requests. The activity that it measures is a mean over a pod's GPUs (0 to 1), so it is multiplied by
  them; where nothing is measured in a whole cluster OpenCost writes 0, which is unknown here.
- Idle GPUs are counted from their cost, at the price of a GPU-hour on the same machine. Releases before October 2025
  merge the idle cost of all machines into one row, which then stays a row of its own.
- It counts replicas of a time-sliced GPU as GPUs; they are divided where the machine's labels say by how many.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import polars as pl

from providers.charges import CHARGES, CLAIMS, Reading, Tags, shaped
from providers.kubernetes import is_system
from providers.live import Answer, Server, server
from providers.opencost_machines import SHARED, hourly, on_machines, once
from providers.opencost_rows import ANSWER, Answered, rows
from providers.recognise import File
from providers.tables import Diagnostic, InputError

TOKEN = "OPENCOST_TOKEN"  # noqa: S105 - the name of a variable
_QUESTION = {
    "step": "1h",
    "aggregate": "cluster,node,namespace,controllerKind,controller,pod",
    "includeIdle": "true",
    "idleByNode": "true",
    "shareIdle": "false",
    "includeAggregatedMetadata": "true",  # labels, which are the tags
    "accumulate": "false",
}
_SLICE = timedelta(days=1)
_KEY = (
    "hour", "provider", "region", "cluster", "namespace", "workload", "node", "instance_type", "gpu_model",
    "purchase_option", "residual",
)  # fmt: skip


def fetch(url: str, *, start: datetime, end: datetime, folder: Path) -> str:
    """Ask a server for the hours from start to end, a day at a time, and return the file of its answers, one a line.

    A token in OPENCOST_TOKEN is sent along.

    Raises:
        InputError: the server cannot be reached, denies access, or answers something else.
    """
    source = server(url, token=TOKEN)
    path = folder / "opencost.json"
    with path.open("wb") as file:
        since = start
        while since < end:
            until = min(since + _SLICE, end)
            file.write(_asked(source, since, until) + b"\n")
            since = until
    return str(path)


def read(files: Sequence[File], tags: Tags) -> Reading:
    """Read saved answers; they are small next to bills and are held as a whole.

    Raises:
        InputError: a file is no answer of /allocation, or an allocation has no time.
    """
    found = rows(files, tags)
    if found["start"].has_nulls():
        raise InputError(files[0].name, "holds an allocation without a window", "fetch it again")
    kept = once(found)
    placed = hourly(on_machines(kept)).with_columns(tags.columns(lambda key: pl.col(f"tag:{key}")))
    return Reading(
        charges=shaped(_charges(placed, tags), CHARGES, tags),
        claims=shaped(_claims(placed), CLAIMS, tags),
        found=lambda: _findings(placed, left_out=found.height - kept.height),
    )


def _asked(source: Server, since: datetime, until: datetime) -> bytes:
    path = "" if source.name.endswith(("/allocation", "/allocation/compute")) else "/allocation"
    window = ",".join(f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in (since, until))
    answer = source.ask(path, {"window": window, **_QUESTION})
    said = _said(answer)
    if answer.status != 200 or said is None or said.code not in (None, 200) or said.data is None:
        remedy = "check that it is the address of OpenCost's API, usually port 9003"
        raise source.refused(answer, (said.message if said else None) or "no allocation", remedy)
    return msgspec.json.format(answer.body, indent=-1)


def _said(answer: Answer) -> Answered | None:
    try:
        return ANSWER.decode(answer.body)
    except msgspec.DecodeError:
        return None


def _charges(placed: pl.DataFrame, tags: Tags) -> pl.LazyFrame:
    """Return one charge a machine with GPUs and hour, and what else there is by namespace."""
    machine = pl.col("node").is_not_null()
    own = pl.when(~machine)
    dimensions = [own.then(pl.col(name)).alias(name) for name in tags.chains]
    gpus = pl.col("gpu_hours") + pl.col("gpu_hours_idle")
    cost = pl.when(pl.col("total_cost").count() > 0).then(pl.col("total_cost").sum())
    whose = placed.lazy().with_columns(
        own.then("namespace").alias("namespace"),
        pl.when(pl.col("gpu_hours") > 0).then(own.then("workload")).alias("workload"),
        pl.when(machine).then(None).when(pl.col("gpu_hours") > 0).then(None).otherwise("rest").alias("residual"),
        *dimensions,
        total_cost=pl.col("total_cost") * pl.col("part"),
        gpus=pl.when(pl.col("has_gpus") | (pl.col("gpu_hours") > 0)).then(gpus * pl.col("part")),
    )
    sums = whose.group_by(*_KEY, *tags.chains).agg(cost.alias("list_cost"), pl.col("gpus").sum().alias("gpu_hours"))
    return sums.sort(*_KEY, *tags.chains).with_columns(
        granularity=pl.lit("hour"), currency=pl.lit("USD"), source=pl.lit("opencost")
    )


def _claims(placed: pl.DataFrame) -> pl.LazyFrame:
    """Return one claim a pod and hour, of every pod on a machine with GPUs."""
    hours = pl.col("minutes") / 60 * pl.col("part")
    per_hour = {"vcpu_hours": "vcpu_request", "vcpu_hours_used": "vcpu_usage"}
    per_hour |= {"gb_hours": "gib_request", "gb_hours_used": "gib_usage"}
    claims = (
        placed.lazy()
        .filter(pl.col("node").is_not_null() & pl.col("is_pod"))
        .with_columns(
            gpu_hours=pl.col("gpu_hours") * pl.col("part"),
            gpu_hours_used=pl.col("gpu_hours_used") * pl.col("part"),
            estimated=SHARED & (pl.col("gpu_hours") > 0),
            source=pl.lit("opencost"),
            residual=pl.when(is_system(pl.col("namespace")) & (pl.col("gpu_hours") == 0)).then(pl.lit("system")),
            **{name: pl.col(column) * hours for name, column in per_hour.items()},
        )
    )
    return claims.sort("hour", "node", "namespace", "pod")


def _findings(placed: pl.DataFrame, *, left_out: int) -> list[Diagnostic]:
    lost = float((placed["uncounted_cost"] * placed["part"]).sum())
    shared = placed.filter(SHARED & (pl.col("replicas_known").fill_null(1.0) == 1) & (pl.col("gpu_hours") > 0))
    unknown = placed.filter(pl.col("node").is_not_null() & pl.col("gpu_model").is_null())["node"].n_unique()
    priceless = placed.filter(pl.col("total_cost").is_null())
    told = (
        (left_out, "duplicate-allocations", f"{left_out:,} allocations stand in several answers, and count once", ""),
        (
            lost >= 0.005,
            "idle-gpus-uncounted",
            f"nothing says how many idle GPUs cost {lost:,.2f}: nobody asked for any on their machine",
            "their cost is kept; the bill or Prometheus knows the machines",
        ),
        (
            shared.height,
            "shared-gpus",
            f"{shared['gpu_hours'].sum():,.1f} GPU-hours are on shared GPUs of which nothing says by how many",
            "let OpenCost keep the node label nvidia.com/gpu.replicas",
        ),
        (
            unknown,
            "unknown-gpu-model",
            f"{unknown:,} machines do not say which GPUs they have",
            "let OpenCost keep the node labels node.kubernetes.io/instance-type and nvidia.com/gpu.product",
        ),
        (priceless.height, "allocations-without-cost", f"{priceless.height:,} allocations have no cost", ""),
    )
    return [
        Diagnostic(level="warning", code=code, message=message, hint=hint)
        for rows_, code, message, hint in told
        if rows_
    ]
