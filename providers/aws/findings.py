"""What a person should know about an AWS bill that was read."""

from collections.abc import Iterator, Sequence

import polars as pl

from providers.aws.columns import Report
from providers.aws.line_items import BILL, KNOWN, is_discount, is_type
from providers.aws.pods import Split
from providers.tables import Diagnostic, InputError

NAMED = 8


def findings(rows: pl.LazyFrame, reports: Sequence[Report], splits: Sequence[Split], *, where: str) -> list[Diagnostic]:
    """Return what was found among the placed rows of a bill, and in its reports as they came.

    Raises:
        InputError: a row has no time, no type, or a cost that is no number.
    """
    broken, sums = pl.collect_all([_broken(rows), _sums(rows)], engine="streaming")
    _refuse(broken, where)
    told = [*_of_rows(sums), *_podless(splits), *_partly_net(reports)]
    return [Diagnostic(level="warning", code=code, message=said, hint=hint, where=where) for code, said, hint in told]


def _broken(rows: pl.LazyFrame) -> pl.LazyFrame:
    broken = {
        "without a usage start date": pl.col("hour").is_null(),
        "without a line item type": pl.col("type").is_null(),
        "whose cost is no number": pl.col("is_bad"),
    }
    return rows.select(what.sum().alias(name) for name, what in broken.items())


def _refuse(broken: pl.DataFrame, where: str) -> None:
    for name, count in broken.row(0, named=True).items():
        if count:
            raise InputError(where, f"has {count:,} rows {name}", "download the report again, with all its columns")


def _sums(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Sum what could not be classified, or has no amortised cost, by code and name."""
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
    return told.filter(pl.col("code").is_not_null()).group_by("code", "name").agg(pl.col("billed_cost").sum())


def _of_rows(sums: pl.DataFrame) -> Iterator[tuple[str, str, str]]:
    for (code,), found in sums.sort("code", "name").group_by("code", maintain_order=True):
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


def _podless(splits: Sequence[Split]) -> Iterator[tuple[str, str, str]]:
    rows, repeated = sum(split.others for split in splits), sum(split.repeated for split in splits)
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
