"""What a line of an AWS bill costs its hour, what of it pays for other hours, and what it is when it is no machine.

The amortised cost of each line item type follows AWS's own dashboards (Cloud Intelligence Dashboards, summary view).
"""

import polars as pl

RUNNING = ("Usage", "DiscountedUsage", "SavingsPlanCoveredUsage")
KNOWN = (
    *RUNNING, "SavingsPlanNegation", "SavingsPlanUpfrontFee", "SavingsPlanRecurringFee", "RIFee", "Fee", "Refund",
    "Tax", "Credit", "BundledDiscount", "FlatRateSubscription",
)  # fmt: skip
BILL = pl.concat_str(
    [pl.col("payer").fill_null(""), pl.coalesce("period", pl.col("start").dt.truncate("1mo")).cast(pl.Int64)],
    separator=" ",
    ignore_nulls=True,
).alias("bill")
"""Whose bill of which month a row belongs to."""


def netted(lines: pl.LazyFrame, net_bills: list[str]) -> pl.LazyFrame:
    """Replace every cost by its net cost, which AWS gives where an account has discounts in a month (`net_bills`).

    A cell without a net cost keeps the other one. But a discount that stands as a row of its own is in the net costs
    of the other rows of its bill already, so that there it is nothing unless it has a net cost itself. A savings plan's
    unused part has no net column: it is discounted as the plan's fees are.
    """
    names = [name for name in lines.collect_schema().names() if name.startswith("net_")]
    if not net_bills:
        return lines.with_columns(
            pl.coalesce(name, name.removeprefix("net_")).alias(name.removeprefix("net_")) for name in names
        )
    fees = pl.col("plan_recurring").fill_null(0.0) + pl.col("plan_upfront").fill_null(0.0)
    net = pl.col("net_plan_recurring").fill_null(0.0) + pl.col("net_plan_upfront").fill_null(0.0)
    part = pl.when((fees > 0) & (net > 0)).then(net / fees).otherwise(1.0)
    within = is_discount() & BILL.is_in(net_bills)
    gross = {"cost": pl.when(within).then(0.0).otherwise("cost")}
    return lines.with_columns(
        *(
            pl.coalesce(name, gross.get(name.removeprefix("net_"), name.removeprefix("net_"))).alias(
                name.removeprefix("net_")
            )
            for name in names
        ),
        (pl.col("plan_total") * part).alias("plan_total"),
        (pl.col("plan_used") * part).alias("plan_used"),
    )


def is_discount() -> pl.Expr:
    """Return whether a row is a discount on others."""
    return pl.col("type").str.ends_with("Discount").fill_null(value=False)


def costed(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Add billed_cost, effective_cost and timing_cost to the rows of a bill.

    timing is cash for commitments less what of earlier cash the hours use up; with it Σ billed = Σ effective + Σ timing
    follows from AWS's own columns, not from the other two. Usage under a commitment whose amortised cost is not given
    has none that is known.
    """
    cost = pl.col("cost").fill_null(0.0)
    effective = (
        pl.when(is_type("Usage"))
        .then(cost)
        .when(is_type("DiscountedUsage"))
        .then("reserved_cost")
        .when(is_type("SavingsPlanCoveredUsage"))
        .then("plan_cost")
        .when(is_type("SavingsPlanNegation") | is_payment())
        .then(0.0)
        .when(is_type("SavingsPlanRecurringFee"))
        .then(_zero("plan_total") - _zero("plan_used"))
        .when(is_type("RIFee"))
        .then(_zero("unused_upfront") + _zero("unused_recurring"))
        .otherwise(cost)
    )
    timing = (
        pl.when(is_payment())
        .then(cost)
        .when(is_type("SavingsPlanRecurringFee"))
        .then(-_zero("plan_upfront"))
        .when(is_type("RIFee"))
        .then(-_zero("reserved_upfront"))
        .otherwise(0.0)
    )
    return lines.with_columns(billed_cost=cost, effective_cost=effective, timing_cost=timing)


def is_payment() -> pl.Expr:
    """Return whether a row is cash for a commitment whose cost stands in the hours that it covers."""
    refund = pl.col("description").str.starts_with("Refund for one-time fee for Savings Plan ID")
    return (
        is_type("SavingsPlanUpfrontFee")
        | (is_type("Refund") & refund.fill_null(value=False))
        | (is_type("Fee") & pl.col("reservation").is_not_null())
    )


def residual() -> pl.Expr:
    """Return why a row that is no GPU machine belongs to no workload.

    One row of a commitment's fee holds both the cash and what is unused: it goes by whether anything is.
    """
    fee = is_type("SavingsPlanRecurringFee", "RIFee")
    return (
        pl.when(is_type("Usage"))
        .then(pl.lit("other"))
        .when(fee & (pl.col("effective_cost") != 0))
        .then(pl.lit("unused_commitment"))
        .when(fee | is_payment() | is_type("SavingsPlanNegation"))
        .then(pl.lit("commitment_payment"))
        .when(is_type("Tax"))
        .then(pl.lit("tax"))
        .when(is_type("Credit", "Refund") | is_discount())
        .then(pl.lit("credit"))
        .otherwise(pl.lit("other"))
    )


def is_type(*types: str) -> pl.Expr:
    """Return whether a row's line item type is one of several."""
    return pl.col("type").is_in(list(types)).fill_null(value=False)


def _zero(name: str) -> pl.Expr:
    return pl.col(name).fill_null(0.0)
