"""Azure's actual and amortised cost exports, in every spelling -> one set of columns; the only place that opens JSON.

Enterprise Agreement and Microsoft Customer Agreement exports differ in names and in letter case, and change both.
"""

from collections.abc import Mapping

import polars as pl

from providers.charges import Tags
from providers.columns import TIME

TEXT = {
    "account": ("subscriptionid", "subscriptionguid"),
    "category": ("metercategory",),
    "meter": ("metername",),
    "unit": ("unitofmeasure",),
    "resource": ("resourceid", "instanceid", "instancename"),
    "group": ("resourcegroup", "resourcegroupname"),
    "region": ("resourcelocation", "location", "resourcelocationnormalized"),
    "service": ("consumedservice",),
    "charge": ("chargetype",),
    "pricing": ("pricingmodel",),
    "benefit": ("benefitid",),
    "reservation": ("reservationid",),
    "currency": ("billingcurrency", "billingcurrencycode", "currency"),
    "info": ("additionalinfo",),
    "tags": ("tags",),
}
NUMBERS = {
    "cost": ("costinbillingcurrency", "cost", "pretaxcost"),
    "quantity": ("quantity", "usagequantity"),
    "list_price": ("paygprice", "payg price"),
}
DATE = ("date", "usagedatetime", "usagedate")
CLUSTER = ("aks-managed-cluster-name", "cluster", "kubernetes_cluster")
OWN_NAMES = ("workload", "app.kubernetes.io/name", "app", "Name")
_PAIRS = pl.Map(pl.String(), pl.String())


def normal(frame: pl.LazyFrame, tags: Tags) -> pl.LazyFrame:
    """Return an export in our own columns: `TEXT`, `NUMBERS`, the day, what AdditionalInfo and tags say."""
    there = {name.strip().casefold(): name for name in frame.collect_schema().names()}
    schema = {key: frame.collect_schema()[name] for key, name in there.items()}
    opened = frame.select(
        *(_first(names, there).alias(ours) for ours, names in TEXT.items()),
        *(_first(names, there).cast(pl.Float64, strict=False).alias(ours) for ours, names in NUMBERS.items()),
        _is_bad(_first(NUMBERS["cost"], there)).alias("is_bad"),
        _day(there, schema).alias("hour"),
    ).with_columns(tags=_tags(), size=_said("ServiceType"), vm=_said("VMName"), vm_kind=_said("VMProperties"))
    return opened.with_columns(
        currency=pl.col("currency").fill_null("USD"),
        cost=pl.col("cost").fill_null(0.0),
        cluster_tag=pl.coalesce(tag(key) for key in CLUSTER),
        own_name=pl.coalesce(tag(key) for key in OWN_NAMES),
        **{one.meta.output_name(): one for one in tags.columns(tag)},
    ).drop("tags", "info")


def tag(key: str) -> pl.Expr:
    """Return the value of a tag; Azure's keys differ only in case, if at all."""
    spellings = dict.fromkeys((key, key.lower(), key.capitalize(), key.upper()))
    found = [pl.col("tags").map.get(one) for one in spellings]
    return pl.coalesce([pl.when(value.str.len_bytes() > 0).then(value) for value in found])


def _tags() -> pl.Expr:
    """Read tags, which Azure writes as a JSON object with or without its braces."""
    text = pl.col("tags").str.strip_chars()
    braced = pl.when(text.str.starts_with("{")).then(text).otherwise(pl.concat_str([pl.lit("{"), text, pl.lit("}")]))
    return braced.str.json_decode(_PAIRS)


def _said(key: str) -> pl.Expr:
    return pl.col("info").str.json_path_match(f"$.{key}")


def _first(names: tuple[str, ...], there: Mapping[str, str]) -> pl.Expr:
    """Return the first of several columns that an export has, and in it the first that is filled."""
    found = [pl.col(there[name]).cast(pl.String) for name in names if name in there]
    filled = [pl.when(text.str.len_bytes() > 0).then(text) for text in found]
    return pl.coalesce([*filled, pl.lit(None, pl.String)])


def _is_bad(cost: pl.Expr) -> pl.Expr:
    """Return whether a cost is written that is no finite number."""
    number = cost.cast(pl.Float64, strict=False)
    return cost.is_not_null() & ~number.is_finite().fill_null(value=False)


def _day(there: Mapping[str, str], schema: Mapping[str, pl.DataType]) -> pl.Expr:
    """Read MM/DD/YYYY or ISO dates as the start of that day, UTC."""
    name = next((name for name in DATE if name in there), None)
    if name is None:
        return pl.lit(None, TIME)
    if schema[name] != pl.String:
        return pl.col(there[name]).cast(pl.Date).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    text = pl.col(there[name]).str.strip_chars().str.split("T").list.first().str.split(" ").list.first()
    readings = [text.str.to_date(form, strict=False) for form in ("%m/%d/%Y", "%Y-%m-%d")]
    return pl.coalesce(readings).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
