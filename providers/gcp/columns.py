"""Google's detailed billing export -> one set of columns; the only place that opens credits.

BigQuery exports the table as Parquet or as newline JSON, in which amounts may be text and empty lists have no type.
"""

from collections.abc import Iterable

import polars as pl

from providers.charges import Tags
from providers.columns import TIME
from providers.gcp.labels import Labels
from providers.gcp.nested import field
from providers.gcp.skus import said

RESOURCE, SPEND = "COMMITTED_USAGE_DISCOUNT", "COMMITTED_USAGE_DISCOUNT_DOLLAR_BASE"
OFFSET = "FEE_UTILIZATION_OFFSET"
TEXT = {
    "sku": "sku.id",
    "description": "sku.description",
    "service": "service.description",
    "account": "project.id",
    "region": "location.region",
    "resource": "resource.global_name",
    "resource_name": "resource.name",
    "unit": "usage.pricing_unit",
    "cost_type": "cost_type",
    "model": "consumption_model.description",
    "subscription": "subscription.instance_id",
    "currency": "currency",
}
NUMBERS = {"cost": "cost", "list_cost": "cost_at_list", "amount": "usage.amount_in_pricing_units"}


def normal(frame: pl.LazyFrame, tags: Tags) -> pl.LazyFrame:
    """Return an export in our own columns: `TEXT`, `NUMBERS`, times, the sums of its credits, and what labels say.

    Credits are summed within their row: joining them to it would count the row's cost once for each.
    """
    schema = frame.collect_schema()
    labels = Labels(schema, tags)
    lists = labels.narrowed()
    opened = frame.select(
        *(field(path, schema).cast(pl.String).alias(name) for name, path in TEXT.items()),
        *(field(path, schema).cast(pl.Float64, strict=False).alias(name) for name, path in NUMBERS.items()),
        _time("usage_start_time", schema).alias("start"),
        _time("usage_end_time", schema).alias("end"),
        _is_bad(field("cost", schema)).alias("is_bad"),
        _credit(schema).alias("credit"),
        _credit(schema, (RESOURCE, SPEND)).alias("committed_credit"),
        _credit(schema, (SPEND,)).alias("spend_credit"),
        _credit(schema, (OFFSET,)).alias("offset"),
        said(field("sku.description", schema).cast(pl.String)).alias("says"),
        **lists,
    )
    return opened.select(
        pl.exclude(*lists, "currency", "cost"),
        pl.col("currency").fill_null("USD"),
        pl.col("cost").fill_null(0.0),
        *labels.said(),
    ).unnest("says")


def _is_bad(cost: pl.Expr) -> pl.Expr:
    """Return whether a cost is written that is no finite number."""
    number = cost.cast(pl.Float64, strict=False)
    return cost.is_not_null() & ~number.is_finite().fill_null(value=False)


def _credit(schema: pl.Schema, types: Iterable[str] | None = None) -> pl.Expr:
    """Return the sum of a row's credits, of some types or of all; credits are negative."""
    inner = getattr(schema.get("credits"), "inner", None)
    if not isinstance(inner, pl.Struct):
        return pl.lit(0.0)
    amount = pl.element().struct.field("amount").cast(pl.Float64, strict=False)
    if types is not None:
        amount = pl.when(pl.element().struct.field("type").is_in(list(types))).then(amount).otherwise(0.0)
    return pl.col("credits").list.eval(amount).list.sum().fill_null(0.0)


def _time(name: str, schema: pl.Schema) -> pl.Expr:
    dtype = schema.get(name)
    if dtype is None:
        return pl.lit(None, TIME)
    if dtype == pl.String:
        text = pl.col(name).str.replace(" UTC", "").str.replace(" ", "T").str.head(19)
        return text.str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False, time_unit="us").dt.replace_time_zone("UTC")
    zone = getattr(dtype, "time_zone", None)
    time = pl.col(name).cast(pl.Datetime("us", zone))
    return time.dt.convert_time_zone("UTC") if zone else time.dt.replace_time_zone("UTC")
