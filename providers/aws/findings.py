"""What a person should know about an AWS bill that was read."""

from collections.abc import Iterator, Sequence

import polars as pl

from providers.aws.columns import Report
from providers.aws.line_items import BILL, KNOWN, is_discount, is_type, netted
from providers.aws.pods import is_claim
from providers.tables import Diagnostic, InputError

NAMED = 8


def findings(rows: pl.LazyFrame, reports: Sequence[Report], *, where: str) -> list[Diagnostic]:
    """Return what was found among the placed rows of a bill, and in its reports as they came.

    Raises:
        InputError: a row has no time, no type, or a cost that is no number.
    """
    _refuse(rows, where)
    told = [*_of_rows(rows), *_podless(reports), *_partly_net(reports)]
    return [Diagnostic(level="warning", code=code, message=said, hint=hint, where=where) for code, said, hint in told]


def _refuse(rows: pl.LazyFrame, where: str) -> None:
    broken = {
        "without a usage start date": pl.col("hour").is_null(),
        "without a line item type": pl.col("type").is_null(),
        "whose cost is no number": pl.col("is_bad"),
    }
    counts = rows.select(what.sum().alias(name) for name, what in broken.items()).collect(engine="streaming")
    for name, count in counts.row(0, named=True).items():
        if count:
            raise InputError(where, f"has {count:,} rows {name}", "download the report again, with all its columns")


def _of_rows(rows: pl.LazyFrame) -> Iterator[tuple[str, str, str]]:
    """Say what could not be classified, or has no amortised cost, with how much it is."""
    reasons = {
        "unknown-instance-type": (pl.col("residual") == "unsupported") & ~pl.col("is_long"),
        "long-charge-period": (pl.col("residual") == "unsupported") & pl.col("is_long"),
        "unknown-line-item-type": ~is_type(*KNOWN) & ~is_discount(),
        "no-effective-cost": pl.col("effective_cost").is_null(),
        "prepaid-capacity-outside": pl.col("is_prepaid") & (pl.col("timing_cost") == pl.col("billed_cost")),
    }
    reason = pl.coalesce(pl.when(mask).then(pl.lit(code)) for code, mask in reasons.items())
    unknown = pl.when(is_type(*KNOWN) | is_discount()).then(pl.coalesce("instance_type", "commitment_id"))
    told = rows.select(reason.alias("code"), unknown.otherwise("type").fill_null("").alias("name"), "billed_cost")
    sums = told.filter(pl.col("code").is_not_null()).group_by("code", "name").agg(pl.col("billed_cost").sum())
    table = sums.collect(engine="streaming").sort("code", "name")
    for (code,), found in table.group_by("code", maintain_order=True):
        what, hint = _SAID[str(code)]
        yield str(code), f"{what}: {_named(found)}", hint


_SAID = {
    "unknown-instance-type": (
        "accelerated instance types that are not known are unsupported",
        "their cost is a residual of its own; a newer version of tranche may know them",
    ),
    "long-charge-period": (
        "GPU machines in rows of more than a day have no hours and are unsupported",
        "export the report by the hour",
    ),
    "unknown-line-item-type": ("line item types that are not known count as they are billed", ""),
    "no-effective-cost": (
        "usage under a commitment does not say what it costs after amortisation",
        "export the report with its reservation and savings plan columns",
    ),
    "prepaid-capacity-outside": (
        "capacity that was paid in advance serves no hour of this bill",
        "read the bills of the months in which it runs together with this one",
    ),
}


def _named(found: pl.DataFrame) -> str:
    shown = found.head(NAMED).select("name", "billed_cost").iter_rows()
    names = ", ".join(f"{name or 'unnamed'} ({cost:,.2f})" for name, cost in shown)
    return names + (f" and {found.height - NAMED} more" if found.height > NAMED else "")


def _podless(reports: Sequence[Report]) -> Iterator[tuple[str, str, str]]:
    cost = pl.col("split_cost").fill_null(0) + pl.col("unused_cost").fill_null(0)
    split = netted(pl.concat([report.split().lines() for report in reports]), [])
    rows, repeated = split.filter(~is_claim()).select(pl.len(), cost.sum()).collect(engine="streaming").row(0)
    if rows:
        said = f"{rows:,} split rows name no pod or task; they repeat {repeated:,.2f} of other rows and are left out"
        yield "split-rows-without-pod", said, ""


def _partly_net(reports: Sequence[Report]) -> Iterator[tuple[str, str, str]]:
    """Say how many months' bills come in files with net costs and in files without."""
    seen: dict[str, set[bool]] = {}
    for report in reports if len(reports) > 1 else ():
        net = report.bill().lines().group_by(BILL).agg(pl.col("net_cost").is_not_null().any().alias("net"))
        for bill, has_net in net.collect(engine="streaming").iter_rows():
            seen.setdefault(bill, set()).add(has_net)
    mixed = sum(len(kinds) > 1 for kinds in seen.values())
    if mixed:
        said = f"{mixed} monthly bills have net costs in some of their files only; the others count without discounts"
        yield "partly-net", said, "deliver the month again"
