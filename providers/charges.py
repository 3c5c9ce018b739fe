"""What every export is turned into first: Charges, what was paid for, and Claims, who asked for a part of a machine.

A source turns its rows into these two and nothing else; `SHAPES` are no rows of a bill, but say in which hours it was
run up. Sharing a machine's cost among its claims is the work of `optimizer.allocation`, so that a bill that is split
already and one that is not end in the same table.

**Charges** are the rows of a bill, or sums of them. Every amount of the bill stands in exactly one charge. By `node`,
`workload` and `residual` a charge says where its cost goes:

- `node` is set and somebody claims that node in that hour: the claims share the charge.
- otherwise `residual` is set: the cost belongs to no workload, for that reason (`RESIDUALS`).
- otherwise `workload` is set: the cost and the GPU-hours are that workload's.
- otherwise: a machine that nobody asked for, which is `idle`.

So the machine of a cluster has a node and neither of the others, a machine outside clusters has a node and a workload,
a row that the bill itself splits has a workload and no node, and anything without a GPU has a `residual` and no node.

Costs that are unknown are null, never 0. `effective_cost` is amortised: a purchase that covers other hours has 0.
`timing_cost` is, of `billed_cost`, what pays for other hours, less what other hours paid of `effective_cost`; it is
taken from other columns than the two, so that Σ billed = Σ effective + Σ timing is a check and no definition.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from providers.columns import TIME
from providers.tables import RESIDUALS, Diagnostic

LIVE = ("opencost", "prometheus")
"""Sources that see machines but no bill: they give way to a bill of the same node and day."""

CHARGES = pl.Schema(
    {
        "hour": TIME,  # start of the hour, or of the day where granularity says so
        "granularity": pl.String(),  # hour or day
        "provider": pl.String(),
        "region": pl.String(),
        "account": pl.String(),
        "cluster": pl.String(),
        "namespace": pl.String(),
        "workload": pl.String(),  # namespace/name in a cluster
        "node": pl.String(),  # the machine, as providers.kubernetes.node_of writes it
        "instance_type": pl.String(),
        "gpu_model": pl.String(),  # canonical; null where no GPU is involved
        "gpu_hours": pl.Float64(),  # GPUs times hours; 0 on rows that price another part of the same machine
        "purchase_option": pl.String(),
        "commitment_id": pl.String(),
        "residual": pl.String(),
        "list_cost": pl.Float64(),
        "billed_cost": pl.Float64(),
        "effective_cost": pl.Float64(),
        "timing_cost": pl.Float64(),
        "currency": pl.String(),
        "source": pl.String(),  # aws_cur, gcp_detailed, azure_cost, focus, opencost, prometheus
    }
)

CLAIMS = pl.Schema(
    {
        "hour": TIME,
        "cluster": pl.String(),
        "node": pl.String(),  # as in Charges
        "namespace": pl.String(),
        "workload": pl.String(),  # namespace/name
        "pod": pl.String(),
        "residual": pl.String(),  # null for work; system for what keeps the cluster running; unsupported, …
        "gpu_hours": pl.Float64(),  # requested; a MIG slice or a shared replica is its part of one physical GPU
        "gpu_hours_used": pl.Float64(),  # weighted by measured activity; null where nothing measures it
        "vcpu_hours": pl.Float64(),  # requested
        "vcpu_hours_used": pl.Float64(),
        "gb_hours": pl.Float64(),  # requested memory, GiB times hours
        "gb_hours_used": pl.Float64(),
        "split_cost": pl.Float64(),  # its part of the node's cost where the bill says so; else null
        "unused_cost": pl.Float64(),  # and its part of what nobody asked for
        "estimated": pl.Boolean(),  # time-sliced or MPS: no meter tells the pods of one GPU apart
        "source": pl.String(),
    }
)

SHAPES = pl.Schema(
    {
        "provider": pl.String(),
        "account": pl.String(),  # lower case
        "hour": TIME,
        "charge": pl.Float64(),  # all that the account was charged on demand in that hour, as far as the source sees
        "currency": pl.String(),
        "source": pl.String(),  # what to call it
    }
)
"""What an account was charged in each hour, where its bill is by the day; no row may stand twice for an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """Which tags make up the dimensions that people ask for, such as team: of each chain the first that is filled.

    Names of columns (`COLUMNS`) may stand in a chain; they count after all tags, once costs are shared.
    """

    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    COLUMNS = ("workload", "namespace", "cluster", "account", "region", "provider")

    def columns(self, lookup: Callable[[str], pl.Expr]) -> list[pl.Expr]:
        """Return one text expression for each dimension, from how a source looks up a tag by its key."""
        return [
            pl.coalesce([*(_filled(lookup(key)) for key in self.keys(name)), pl.lit(None, pl.String)]).alias(name)
            for name in self.chains
        ]

    def keys(self, name: str) -> tuple[str, ...]:
        """Return the tag keys of one dimension, without the names of columns."""
        return tuple(key for key in self.chains[name] if key not in self.COLUMNS)

    def schema(self) -> dict[str, pl.DataType]:
        """Return the columns that Charges and Claims have beyond their own."""
        return {name: pl.String() for name in self.chains}


DEFAULT_TAGS = Tags(
    chains={
        "team": ("team", "owner", "cost-center", "costcenter"),
        "project": ("project", "application", "app"),
        "environment": ("environment", "env", "stage"),
    }
)


def nothing_found() -> list[Diagnostic]:
    """Return no diagnostics."""
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a source gives for some files.

    `charges` and `claims` have exactly the columns of their schema and those of the tags, in that order (`shaped`);
    either may be None. `shapes` has the columns of `SHAPES`, where a source knows hours of a bill that is by the day.
    `totals` has one row a currency, read straight from the export, past every join and filter: currency, rows,
    billed_cost (the plain sum of the invoiced column). `found` is called once all has been read.
    """

    charges: pl.LazyFrame | None = None
    claims: pl.LazyFrame | None = None
    shapes: pl.LazyFrame | None = None
    totals: pl.LazyFrame | None = None
    found: Callable[[], list[Diagnostic]] = nothing_found


def shaped(frame: pl.LazyFrame, schema: pl.Schema, tags: Tags) -> pl.LazyFrame:
    """Return the frame with the columns of a schema and of the tags, in order; absent ones are null."""
    wanted = {**schema, **tags.schema()}
    there = frame.collect_schema().names()
    return frame.select(
        (pl.col(name) if name in there else pl.lit(None)).cast(dtype).alias(name) for name, dtype in wanted.items()
    )


def together(frames: Sequence[pl.LazyFrame], schema: pl.Schema, tags: Tags) -> pl.LazyFrame:
    """Return several frames of one schema as one; none make an empty one."""
    return pl.concat(frames) if frames else pl.LazyFrame(schema={**schema, **tags.schema()})


def _filled(tag: pl.Expr) -> pl.Expr:
    """Return the tag, null where it is blank."""
    text = tag.str.strip_chars()
    return pl.when(text.str.len_bytes() > 0).then(text)


__all__ = ["CHARGES", "CLAIMS", "DEFAULT_TAGS", "LIVE", "RESIDUALS", "SHAPES", "Reading", "Tags", "shaped", "together"]
