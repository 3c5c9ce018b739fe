"""Share the cost of machines among those who claim parts of them, and keep every amount of the bill.

Each charge goes where `providers.charges` says. What a machine's claims leave over is idle; tax, credits, unused
commitments and the like stay rows of their own, so that the Usage table sums to the bill.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from optimizer import day_shapes, days, holdings
from optimizer.booking import TEXT, as_they_are, unmatched, usage_of, work
from optimizer.findings import findings
from optimizer.machines import AMOUNTS, capacities, coded, exact_sum, known_sum, places, slot, spelled, without_live
from optimizer.policies import DEFAULT, POLICIES
from optimizer.pricing import priced, terms_of
from providers.tables import Diagnostic


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """A bill as a Usage table.

    usage: sorted by its key, residual rows included, one text column for each dimension; `estimated` marks work on
    GPUs whose pods no meter tells apart. timing: source, currency, timing_cost: what of the bill pays for other hours.
    found: what a person should know. machines: machine-hours whose cost was shared.
    """

    usage: pl.DataFrame
    timing: pl.DataFrame
    found: tuple[Diagnostic, ...]
    machines: int


def allocate(
    charges: pl.LazyFrame,
    claims: pl.LazyFrame,
    *,
    shapes: pl.LazyFrame | None = None,
    policy: str | None = None,
    dimensions: Sequence[str] = (),
) -> Allocation:
    """Share the charges among the claims.

    Args:
        charges: rows of Charges, and a column for each dimension.
        claims: rows of Claims, and the same; a request and its use stand in one row. They are read twice, in a stream.
        shapes: rows of Shapes, which say when machines ran whose day is billed and which no claim saw.
        policy: a name of `POLICIES`; None takes the bill's own split where it has one, and shares by GPUs elsewhere.
        dimensions: columns of tags, such as team.
    """
    rule = POLICIES[policy or DEFAULT]
    bill = _summed(charges, dimensions)
    direct, rows = bill.filter(pl.col("node").is_null()), without_live(bill.filter(pl.col("node").is_not_null()))
    nodes = pl.Enum(rows["node"].cast(pl.String).unique().sort())
    held = holdings.by_machine(claims, nodes, rule)
    seen = held.select("slot").unique()
    direct, rows, told = day_shapes.by_charges(direct, days.by_hour(rows, places(seen, nodes)), shapes)
    rows = rows.with_columns(slot(nodes))
    taken = (pl.col("granularity") == "hour") & pl.col("slot").is_in(seen["slot"].implode())
    shared, alone = rows.filter(taken), rows.filter(~taken)
    terms = terms_of(capacities(shared), held, rule, own_split=policy is None)
    machines = priced(shared, terms, dimensions)
    paid = holdings.by_workload(claims, nodes, rule, machines.terms, dimensions)
    parts = [
        as_they_are(pl.concat([direct, alone.drop("slot")])),
        machines.idle,
        work(paid, machines, dimensions),
        unmatched(paid, bill, dimensions),
    ]
    whole = pl.concat([coded(part) for part in parts], how="diagonal")
    return Allocation(
        usage=usage_of(whole, dimensions),
        timing=spelled(bill.group_by("source", "currency").agg(known_sum("timing_cost"))).sort("source", "currency"),
        found=(*told, *findings(rule, terms, held, paid, whole)),
        machines=terms.height,
    )


def _summed(charges: pl.LazyFrame, dimensions: Sequence[str]) -> pl.DataFrame:
    """Sum the charges that differ in nothing but amounts, `coded`; what concerns no GPU by the day."""
    no_gpu = pl.col("residual").is_not_null() & pl.col("node").is_null() & pl.col("gpu_model").is_null()
    no_gpu &= pl.col("gpu_hours").fill_null(0.0) == 0
    daily = charges.with_columns(
        pl.when(no_gpu).then(pl.col("hour").dt.truncate("1d")).otherwise("hour").alias("hour"),
        pl.when(no_gpu).then(pl.lit("day")).otherwise(pl.coalesce("granularity", pl.lit("hour"))).alias("granularity"),
        pl.when(pl.col("residual").is_null() | pl.col("node").is_not_null()).then("workload").alias("workload"),
    )
    sums = [exact_sum(pl.col("gpu_hours")), *(known_sum(name) for name in (*AMOUNTS, "timing_cost"))]
    names = (*TEXT, *dimensions)
    return coded(daily.group_by("hour", *names).agg(sums)).collect(engine="streaming")
