"""Prometheus with kube-state-metrics and the DCGM exporter, asked live or saved -> Charges without costs, and Claims.

It knows which machines were up, what running pods asked for, and how busy GPUs were, but no money: its charges say how
many physical GPUs a machine had, so that work on machines that no bill knows is counted, and idle GPUs too.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import polars as pl

from providers.charges import CHARGES, CLAIMS, Reading, Tags, shaped
from providers.live import Answer, Server, server
from providers.prometheus_activity import activity
from providers.prometheus_nodes import machines
from providers.prometheus_pods import claims
from providers.prometheus_series import ANSWER, Answered, series_of
from providers.promql import QUERIES, STEP_S
from providers.recognise import File
from providers.tables import Diagnostic

TOKEN = "PROMETHEUS_TOKEN"  # noqa: S105 - the name of a variable
_SLICE = timedelta(days=1)
_HOUR = timedelta(seconds=STEP_S)
_TOO_MUCH = (422, 500, 502, 503, 504)  # too many samples, or too long: less may do


def fetch(url: str, *, start: datetime, end: datetime, folder: Path) -> str:
    """Ask a server about the hours from start to end, and return the file of its answers.

    A day is asked at a time, and less where the server finds that too much. A token in PROMETHEUS_TOKEN, or
    user:password@ in the address, is sent along and kept nowhere.

    Raises:
        InputError: the server cannot be reached, denies access, finds one hour too much, or answers something else.
    """
    source = server(url, token=TOKEN)
    path = folder / "prometheus.json"
    head = {"tranche_source": "prometheus", "server": source.name, "start": start.isoformat(), "end": end.isoformat()}
    with path.open("wb") as file:
        file.write(json.dumps(head).encode() + b"\n")
        for name, query in QUERIES.items():
            since = start
            while since < end:
                until = min(since + _SLICE, end)
                for body in _asked(source, query, since, until):
                    file.write(b'{"query":"%s","answer":%s}\n' % (name.encode(), msgspec.json.format(body, indent=-1)))
                since = until
    return str(path)


def read(files: Sequence[File], tags: Tags) -> Reading:
    """Read saved answers; they are small next to bills and are held as a whole.

    Raises:
        InputError: a file is no file of answers.
    """
    series = series_of(files)
    busy = activity(series)
    nodes = machines(series, busy)
    return Reading(
        charges=shaped(_charges(nodes), CHARGES, tags),
        claims=shaped(claims(series, nodes, busy, tags).lazy(), CLAIMS, tags),
        found=lambda: _findings(nodes, busy),
    )


def _asked(source: Server, query: str, since: datetime, until: datetime) -> Iterator[bytes]:
    """Return the answers about the hours from since to until, in as few pieces as the server can bear."""
    first, last = since + _HOUR, until
    times = {"start": f"{first.timestamp():.0f}", "end": f"{last.timestamp():.0f}", "step": str(STEP_S)}
    answer = source.ask("/api/v1/query_range", {"query": query, **times})
    said = _said(answer)
    if answer.status == 200 and said is not None and said.data is not None and said.data.result_type == "matrix":
        yield answer.body
        return
    hours = round((until - since) / _HOUR)
    if answer.status in _TOO_MUCH and hours > 1:
        middle = since + hours // 2 * _HOUR
        yield from _asked(source, query, since, middle)
        yield from _asked(source, query, middle, until)
        return
    remedy = "raise its query limits" if answer.status in _TOO_MUCH else "check that it is the address of Prometheus"
    raise source.refused(answer, (said.error if said else None) or "no matrix of values", remedy)


def _said(answer: Answer) -> Answered | None:
    try:
        return ANSWER.decode(answer.body)
    except msgspec.DecodeError:
        return None


def _charges(nodes: pl.DataFrame) -> pl.LazyFrame:
    """Return one charge a machine and hour, with its physical GPUs times the part of the hour that it was up."""
    machine = nodes.lazy().group_by(
        "hour", "cluster", "node", "provider", "region", "instance_type", "gpu_model", "purchase_option"
    )
    sums = machine.agg((pl.col("gpus") * pl.col("up")).sum().alias("gpu_hours"))
    return sums.sort("hour", "cluster", "node").with_columns(
        granularity=pl.lit("hour"), currency=pl.lit("USD"), source=pl.lit("prometheus")
    )


def _findings(nodes: pl.DataFrame, busy: pl.DataFrame) -> list[Diagnostic]:
    shared = nodes.filter(pl.col("is_shared") & (pl.col("replicas") == 1))
    told = (
        (
            nodes.is_empty(),
            "no-gpu-machines",
            "Prometheus knows no machine with GPUs in these hours",
            "scrape kube-state-metrics, and ask for hours that it was up",
        ),
        (
            not nodes.is_empty() and busy.is_empty(),
            "no-gpu-activity",
            "Prometheus does not measure how busy GPUs are",
            "scrape the DCGM exporter, with DCGM_FI_PROF_GR_ENGINE_ACTIVE",
        ),
        (
            not shared.is_empty(),
            "shared-gpus",
            f"on {shared['node'].n_unique():,} machines GPUs are shared, and nothing says by how many",
            "let kube-state-metrics show the node label nvidia.com/gpu.replicas",
        ),
        (
            nodes["gpu_model"].has_nulls(),
            "unknown-gpu-model",
            "some machines do not say which GPUs they have",
            "let kube-state-metrics show the node labels nvidia.com/gpu.product and node.kubernetes.io/instance-type",
        ),
    )
    return [
        Diagnostic(level="warning", code=code, message=text, hint=hint) for is_so, code, text, hint in told if is_so
    ]
