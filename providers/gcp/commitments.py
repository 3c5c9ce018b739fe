"""Fees of commitments back to the usage that they cover, in Google's old and new model and for resources.

- New model: usage is billed at its committed price and fees are offset; what stays of a fee is what nobody used.
- Old model: usage has a credit, and a fee names the SKU it belongs to (`goog-originating-sku-id`); a fee that names
  none is what nobody used.
- Resource commitments: usage has a credit for its whole price, and fees name the resource. The used part of a fee is
  the credited amount of usage per committed amount; the rest is what nobody used.

Fees move to usage in proportion to its credits and never change their sum, so that Σ effective = Σ billed.
"""

import polars as pl

from providers.streaming import beside

KEY = ("hour", "match")


def matched(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Add is_fee, net (cost and credits), covered (the part of usage that a commitment credits), and `match`.

    match pairs fees with usage in an hour: the SKU of spend commitments, region and kind of resource of the others.
    """
    named = pl.any_horizontal("names_fee", pl.col("origin").is_not_null(), pl.col("offset") != 0)
    fee, spends = named.fill_null(value=False), pl.col("spend_credit") != 0
    resource = pl.concat_str(["region", "sku_class"], separator="|")
    credited = ~fee & (pl.col("committed_credit") != 0)
    of_fee = pl.when(pl.col("origin").is_not_null()).then("origin").when(pl.col("offset") == 0).then(resource)
    of_usage = pl.when(credited & spends).then("sku").when(credited).then(resource)
    covered = (-pl.col("committed_credit") / pl.col("cost")).clip(0.0, 1.0)
    return lines.with_columns(
        is_fee=fee,
        net=pl.col("cost") + pl.col("credit"),
        match=pl.when(fee).then(of_fee).otherwise(of_usage),
        covered=pl.when(credited & (pl.col("cost") > 0)).then(covered).otherwise(0.0),
    )


def pools(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Return for each hour and match what fees cost, and how much of it usage takes for each dollar of credit.

    Returns hour, match, used (the part of the fees that usage takes), rate ($ of fee per $ of credit).
    """
    fee, credit = pl.col("is_fee"), -pl.col("committed_credit")
    amount = pl.col("amount").fill_null(0.0)
    sums = (
        lines.filter(pl.col("match").is_not_null())
        .group_by(KEY)
        .agg(
            pl.col("net").filter(fee).sum().alias("fees"),
            amount.filter(fee).sum().alias("committed"),
            (amount * pl.col("covered")).filter(~fee).sum().alias("used_amount"),
            credit.filter(~fee).sum().alias("credits"),
            pl.col("origin").filter(fee).is_not_null().any().alias("is_spend"),
        )
    )
    covered = (pl.col("used_amount") / pl.col("committed")).clip(0.0, 1.0)
    share = pl.when(pl.col("is_spend") | (pl.col("committed") <= 0)).then(1.0).otherwise(covered)
    used = pl.when(pl.col("credits") > 0).then(share).otherwise(0.0)
    rate = pl.when(pl.col("credits") > 0).then(pl.col("fees") * used / pl.col("credits")).otherwise(0.0)
    return sums.select(*KEY, used=used, rate=rate).sort(KEY)


def amortised(lines: pl.LazyFrame, fees: pl.DataFrame) -> pl.LazyFrame:
    """Add `fee`, what a row takes of fees: positive on usage, negative on the fees themselves; it sums to 0."""
    taken = (
        pl.when("is_fee").then(-pl.col("net") * pl.col("used")).otherwise(-pl.col("committed_credit") * pl.col("rate"))
    )
    return beside(lines, fees, KEY).with_columns(fee=taken.fill_null(0.0))
