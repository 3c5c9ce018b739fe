"""Google's detailed billing export -> one set of columns; the only place that opens credits, labels and nested fields.

BigQuery exports the table as Parquet or as newline JSON, in which amounts may be text and empty lists have no type.
"""

from collections.abc import Iterable

import polars as pl

from providers.charges import Tags
from providers.columns import TIME

PAIRS = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))
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
LABELS = ("labels", "system_labels", "tags", "project.labels")
CLUSTER, NAMESPACE, WORKLOAD = "goog-k8s-cluster-name", "k8s-namespace", "k8s-workload-name"
ORIGIN = "goog-originating-sku-id"
MACHINE = "compute.googleapis.com/machine_spec"
OWN_NAMES = ("workload", "app", "app_kubernetes_io_name", "name")


def normal(frame: pl.LazyFrame, tags: Tags) -> pl.LazyFrame:
    """Return an export in our own columns: `TEXT`, `NUMBERS`, times, the sums of its credits, and what labels say.

    Credits are summed within their row: joining them to it would count the row's cost once for each.
    """
    schema = frame.collect_schema()
    labels = {name: _pairs(name, schema).cast(pl.Map(pl.String(), pl.String())) for name in LABELS}
    opened = frame.select(
        *(_field(path, schema).cast(pl.String).alias(name) for name, path in TEXT.items()),
        *(_field(path, schema).cast(pl.Float64, strict=False).alias(name) for name, path in NUMBERS.items()),
        _time("usage_start_time", schema).alias("start"),
        _time("usage_end_time", schema).alias("end"),
        _is_bad(_field("cost", schema)).alias("is_bad"),
        _credit(schema).alias("credit"),
        _credit(schema, (RESOURCE, SPEND)).alias("committed_credit"),
        _credit(schema, (SPEND,)).alias("spend_credit"),
        _credit(schema, (OFFSET,)).alias("offset"),
        *(pairs.alias(name) for name, pairs in labels.items()),
    )
    return opened.with_columns(
        currency=pl.col("currency").fill_null("USD"),
        cost=pl.col("cost").fill_null(0.0),
        cluster=_label("labels", CLUSTER),
        namespace=_label("labels", NAMESPACE),
        workload=_label("labels", WORKLOAD),
        origin=_label("labels", ORIGIN),
        machine=_label("system_labels", MACHINE),
        own_name=_first(tag(key) for key in OWN_NAMES),
        **{one.meta.output_name(): one for one in tags.columns(tag)},
    ).drop(LABELS)


def tag(key: str) -> pl.Expr:
    """Return the value of a tag: a label of the row, of its pod or namespace, a tag, or a label of its project."""
    plain = key.lower()
    kinds = (plain, f"k8s-label/{key}", f"k8s-namespace-labels/{key}")
    found = [_label("labels", kind) for kind in dict.fromkeys((key, *kinds))]
    return _first([*found, _label("tags", key), _label("tags", plain), _label("project.labels", plain)])


def _is_bad(cost: pl.Expr) -> pl.Expr:
    """Return whether a cost is written that is no finite number."""
    number = cost.cast(pl.Float64, strict=False)
    return cost.is_not_null() & ~number.is_finite().fill_null(value=False)


def _first(found: Iterable[pl.Expr]) -> pl.Expr:
    return pl.coalesce([*found, pl.lit(None, pl.String)])


def _label(column: str, key: str) -> pl.Expr:
    value = pl.col(column).map.get(key)
    return pl.when(value.str.len_bytes() > 0).then(value)


def _credit(schema: pl.Schema, types: Iterable[str] | None = None) -> pl.Expr:
    """Return the sum of a row's credits, of some types or of all; credits are negative."""
    inner = getattr(schema.get("credits"), "inner", None)
    if not isinstance(inner, pl.Struct):
        return pl.lit(0.0)
    amount = pl.element().struct.field("amount").cast(pl.Float64, strict=False)
    if types is not None:
        amount = pl.when(pl.element().struct.field("type").is_in(list(types))).then(amount).otherwise(0.0)
    return pl.col("credits").list.eval(amount).list.sum().fill_null(0.0)


def _pairs(path: str, schema: pl.Schema) -> pl.Expr:
    """Return a list of keys and values; labels without a struct of both are none."""
    dtype = _type(path, schema)
    inner = getattr(dtype, "inner", None)
    if not isinstance(inner, pl.Struct) or not {"key", "value"} <= {field.name for field in inner.fields}:
        return pl.lit(None, PAIRS)
    pair = pl.struct(
        pl.element().struct.field("key").cast(pl.String), pl.element().struct.field("value").cast(pl.String)
    )
    return _field(path, schema).list.eval(pair).cast(PAIRS)


def _type(path: str, schema: pl.Schema) -> pl.DataType | None:
    name, _, inner = path.partition(".")
    dtype = schema.get(name)
    if not inner or dtype is None:
        return dtype
    fields = {field.name: field.dtype for field in dtype.fields} if isinstance(dtype, pl.Struct) else {}
    found = fields.get(inner)
    return found() if isinstance(found, type) else found


def _field(path: str, schema: pl.Schema) -> pl.Expr:
    """Return a column, or a field of one; null where the export has none."""
    if _type(path, schema) is None:
        return pl.lit(None)
    name, _, inner = path.partition(".")
    return pl.col(name).struct.field(inner) if inner else pl.col(name)


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
