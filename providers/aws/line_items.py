"""What a line of an AWS bill costs its hour, what of it pays for other hours, and what it is when it is no machine.

The amortised cost of each line item type follows AWS's own dashboards (Cloud Intelligence Dashboards, summary view).
"""

import polars as pl

SPLIT = ("EKSPod-EC2", "ECSTask-EC2")
"""Operations whose rows state again, by pod or task, what other rows have billed."""
RUNNING = ("Usage", "DiscountedUsage", "SavingsPlanCoveredUsage")
KNOWN = (
    *RUNNING, "SavingsPlanNegation", "SavingsPlanUpfrontFee", "SavingsPlanRecurringFee", "RIFee", "Fee", "Refund",
    "Tax", "Credit", "BundledDiscount", "FlatRateSubscription",
)  # fmt: skip


def is_split(operation: str = "line_item_operation") -> pl.Expr:
    """Return whether a row of a report only states a part of another one's cost."""
    return pl.col(operation).is_in(list(SPLIT)).fill_null(value=False)


def netted(lines: pl.LazyFrame, *, net: bool) -> pl.LazyFrame:
    """Replace every cost by its net column where the account has discounts (`net`).

    A discount that stands as a row of its own is in the net costs of the other rows already: without a net cost of its
    own it is 0.
    """
    if not net:
        return lines
    names = [name.removeprefix("net_") for name in lines.collect_schema().names() if name.startswith("net_")]
    own = pl.when(is_discount()).then(0.0).otherwise("cost")
    gross = {name: own if name == "cost" else pl.col(name) for name in names}
    share = (pl.col("net_plan_recurring").fill_null(0) + pl.col("net_plan_upfront").fill_null(0)) / (
        pl.col("plan_recurring").fill_null(0) + pl.col("plan_upfront").fill_null(0)
    )
    scale = pl.when(share.is_finite() & (share > 0)).then(share).otherwise(1.0)
    return lines.with_columns(
        *(pl.coalesce(f"net_{name}", gross[name]).alias(name) for name in names),
        (pl.col("plan_total") * scale).alias("plan_total"),
        (pl.col("plan_used") * scale).alias("plan_used"),
    )


def is_discount() -> pl.Expr:
    """Return whether a row is a discount on others."""
    return pl.col("type").str.ends_with("Discount").fill_null(value=False)


def costed(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Add billed_cost, effective_cost and timing_cost to the rows of a bill.

    timing is cash for commitments less what of earlier cash the hours use up; with it Σ billed = Σ effective + Σ timing
    follows from AWS's own columns, not from the other two.
    """
    cost = pl.col("cost").fill_null(0.0)
    effective = (
        pl.when(_is("DiscountedUsage"))
        .then(pl.coalesce("reserved_cost", cost))
        .when(_is("SavingsPlanCoveredUsage"))
        .then(pl.coalesce("plan_cost", cost))
        .when(_is("SavingsPlanNegation") | is_payment())
        .then(0.0)
        .when(_is("SavingsPlanRecurringFee"))
        .then(_zero("plan_total") - _zero("plan_used"))
        .when(_is("RIFee"))
        .then(_zero("unused_upfront") + _zero("unused_recurring"))
        .otherwise(cost)
    )
    timing = (
        pl.when(is_payment())
        .then(cost)
        .when(_is("SavingsPlanRecurringFee"))
        .then(-_zero("plan_upfront"))
        .when(_is("RIFee"))
        .then(-_zero("reserved_upfront"))
        .otherwise(0.0)
    )
    return lines.with_columns(billed_cost=cost, effective_cost=effective, timing_cost=timing)


def is_payment() -> pl.Expr:
    """Return whether a row is cash for a commitment whose cost stands in the hours that it covers."""
    plan_refund = _is("Refund") & _starts("description", "Refund for one-time fee for Savings Plan ID")
    prepaid = _is("Fee") & pl.col("reservation").is_not_null()
    return _is("SavingsPlanUpfrontFee") | plan_refund | prepaid | is_block_fee()


def is_block_fee() -> pl.Expr:
    """Return whether a row is the price of a capacity block, paid at once."""
    return _is("Fee") & pl.col("reservation").is_null() & pl.col("capacity").is_not_null()


def residual() -> pl.Expr:
    """Return why a row that is no GPU machine belongs to no workload."""
    return (
        pl.when(_is("SavingsPlanRecurringFee", "RIFee") | (pl.col("capacity_status") == "Unused"))
        .then(pl.lit("unused_commitment"))
        .when(is_payment() | _is("SavingsPlanNegation"))
        .then(pl.lit("commitment_payment"))
        .when(_is("Tax"))
        .then(pl.lit("tax"))
        .when(_is("Credit", "Refund") | is_discount())
        .then(pl.lit("credit"))
        .otherwise(pl.lit("other"))
    )


def _is(*types: str) -> pl.Expr:
    return pl.col("type").is_in(list(types)).fill_null(value=False)


def _starts(name: str, text: str) -> pl.Expr:
    return pl.col(name).str.starts_with(text).fill_null(value=False)


def _zero(name: str) -> pl.Expr:
    return pl.col(name).fill_null(0.0)
