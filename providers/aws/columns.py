"""Every spelling of a Cost and Usage Report -> one set of columns; the only place that opens maps and tags.

CUR 2.0 keeps tags and product attributes in maps, which other tools write as lists of structs or as JSON. Legacy CUR
has a column for each, spelled `resourceTags/user:team` and `product/instanceType` in CSV and in snake case in Parquet.
"""

import re
from collections.abc import Iterable, Mapping

import polars as pl

from providers.aws.line_items import is_split
from providers.charges import Tags
from providers.tables import TIME

_PAIRS = pl.Map(pl.String(), pl.String())
MAPS = ("resource_tags", "tags", "product")
TEXT = {
    "operation": "line_item_operation",
    "type": "line_item_line_item_type",
    "usage_type": "line_item_usage_type",
    "description": "line_item_line_item_description",
    "resource": "line_item_resource_id",
    "product_code": "line_item_product_code",
    "account": "line_item_usage_account_id",
    "currency": "line_item_currency_code",
    "region": "product_region_code",
    "legacy_region": "product_region",
    "family": "product_product_family",
    "instance_type": "product_instance_type",
    "reservation": "reservation_reservation_a_r_n",
    "savings_plan": "savings_plan_savings_plan_a_r_n",
    "capacity": "capacity_reservation_capacity_reservation_arn",
    "capacity_status": "capacity_reservation_capacity_reservation_status",
    "capacity_type": "capacity_reservation_capacity_reservation_type",
    "parent": "split_line_item_parent_resource_id",
}
BLANK = frozenset(TEXT[name] for name in (
    "instance_type", "family", "region", "reservation", "savings_plan", "capacity", "parent"
))  # fmt: skip
"""Columns in which no value may be written as an empty text."""
NUMBERS = {
    "amount": "line_item_usage_amount",
    "cost": "line_item_unblended_cost",
    "list_cost": "pricing_public_on_demand_cost",
    "reserved_cost": "reservation_effective_cost",
    "reserved_upfront": "reservation_amortized_upfront_fee_for_billing_period",
    "unused_upfront": "reservation_unused_amortized_upfront_fee_for_billing_period",
    "unused_recurring": "reservation_unused_recurring_fee",
    "plan_cost": "savings_plan_savings_plan_effective_cost",
    "plan_upfront": "savings_plan_amortized_upfront_commitment_for_billing_period",
    "plan_recurring": "savings_plan_recurring_commitment_for_billing_period",
    "plan_total": "savings_plan_total_commitment_to_date",
    "plan_used": "savings_plan_used_commitment",
    "split_cost": "split_line_item_split_cost",
    "unused_cost": "split_line_item_unused_cost",
    "split_usage": "split_line_item_split_usage",
    "reserved_usage": "split_line_item_reserved_usage",
    "actual_usage": "split_line_item_actual_usage",
}
NET = {
    "cost": "line_item_net_unblended_cost",
    "reserved_cost": "reservation_net_effective_cost",
    "reserved_upfront": "reservation_net_amortized_upfront_fee_for_billing_period",
    "unused_upfront": "reservation_net_unused_amortized_upfront_fee_for_billing_period",
    "unused_recurring": "reservation_net_unused_recurring_fee",
    "plan_cost": "savings_plan_net_savings_plan_effective_cost",
    "plan_upfront": "savings_plan_net_amortized_upfront_commitment_for_billing_period",
    "plan_recurring": "savings_plan_net_recurring_commitment_for_billing_period",
    "split_cost": "split_line_item_net_split_cost",
    "unused_cost": "split_line_item_net_unused_cost",
}
TIMES = {
    "start": "line_item_usage_start_date",
    "end": "line_item_usage_end_date",
    "reserved_from": "reservation_start_time",
    "reserved_until": "reservation_end_time",
}
CLUSTER = ("aws:eks:cluster-name", "eks:cluster-name", "eks:eks-cluster-name", "alpha.eksctl.io/cluster-name")
WORKLOAD = ("aws:eks:workload-name", "aws:ecs:serviceName")
OWN_NAMES = ("workload", "app.kubernetes.io/name", "app", "aws:autoscaling:groupName", "Name")


def snake(name: str) -> str:
    """Return the name that CUR 2.0 gives a column of a legacy report; columns of tags keep their key.

    >>> snake("lineItem/UsageStartDate"), snake("reservation/ReservationARN"), snake("resourceTags/user:team")
    ('line_item_usage_start_date', 'reservation_reservation_a_r_n', 'resourceTags/user:team')
    """
    section, slash, rest = name.partition("/")
    if not slash or section == "resourceTags":
        return name
    return f"{_underscored(section)}_{_underscored(rest)}"


def spelled(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Return a report with the column names of CUR 2.0, whatever spelling it has."""
    return frame.rename({name: snake(name) for name in frame.collect_schema().names()})


def opened(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Return a report whose tags and product attributes are maps, however they were written."""
    schema = frame.collect_schema()
    return frame.with_columns(_map(name, schema[name]) for name in MAPS if schema.get(name) not in (None, _PAIRS))


def distinct(frame: pl.LazyFrame) -> pl.DataFrame:
    """Return every set of tags and attributes that stands in an opened report, and with split rows whose it is.

    A report of millions of rows has few of them; one pass finds them all.
    """
    names = frame.collect_schema().names()
    whose = pl.when(is_split()).then(_text(TEXT["resource"], names)).alias("resource")
    held = [name for name in names if name in MAPS or _is_tag(name)]
    return frame.select(whose, *held).unique().collect(engine="streaming")


def lookup_of(seen: pl.DataFrame) -> "Lookup":
    """Return how tags are found in a report of which these are the distinct sets."""
    return Lookup(seen.columns, {name: _keys(seen, name) for name in MAPS if name in seen.columns})


def normal(frame: pl.LazyFrame, tags: Tags, look: "Lookup") -> pl.LazyFrame:
    """Return a report in our own columns: `TEXT`, `NUMBERS`, `TIMES` with net_ columns beside, and what tags say."""
    schema = frame.collect_schema()
    there = schema.names()
    texts = {ours: _text(theirs, there) for ours, theirs in TEXT.items()}
    texts["currency"] = texts["currency"].fill_null("USD")
    texts["instance_type"] = pl.coalesce(texts["instance_type"], look.product("instance_type"))
    return frame.select(
        **texts,
        **{ours: _number(theirs, there) for ours, theirs in NUMBERS.items()},
        **{f"net_{ours}": _number(theirs, there) for ours, theirs in NET.items()},
        **{ours: _time(theirs, schema) for ours, theirs in TIMES.items()},
        cluster=look.first(CLUSTER),
        workload=look.first(WORKLOAD),
        own_name=look.first(OWN_NAMES),
        **{one.meta.output_name(): one for one in tags.columns(look.tag)},
    )


class Lookup:
    """How the tags of one report are found by their keys, however it keeps them."""

    def __init__(self, names: Iterable[str], keys: Mapping[str, frozenset[str]]) -> None:
        self._keys = keys
        self._columns = {plain(_key(name)): name for name in names if _is_tag(name)}

    def tag(self, key: str) -> pl.Expr:
        """Return the value of a tag: as AWS spells keys in `resource_tags`, and as people wrote it in `tags`."""
        ours = (f"user_{plain(key)}", plain(key))
        found = [*self._in("resource_tags", ours), *self._in("tags", _written(key))]
        found += [pl.col(self._columns[one]) for one in ours if one in self._columns]
        return pl.coalesce([*found, pl.lit(None, pl.String)])

    def first(self, keys: Iterable[str]) -> pl.Expr:
        """Return the first of several tags that is filled."""
        found = [self.tag(key) for key in keys]
        return pl.coalesce([pl.when(tag.str.len_bytes() > 0).then(tag) for tag in found])

    def product(self, name: str) -> pl.Expr:
        """Return an attribute of the product map."""
        return pl.coalesce([*self._in("product", (name, name.replace("_", ""))), pl.lit(None, pl.String)])

    def _in(self, column: str, keys: Iterable[str]) -> list[pl.Expr]:
        """Return the values of those keys that the map holds in any row: looking for others costs as much."""
        return [pl.col(column).map.get(key) for key in keys if key in self._keys.get(column, ())]


def plain(key: str) -> str:
    """Return a tag key as AWS spells it in maps and columns: lower case, and underscores for everything else.

    >>> plain("user:CostCenter"), plain("app.kubernetes.io/name")
    ('user_cost_center', 'app_kubernetes_io_name')
    """
    return re.sub(r"[^a-z0-9]+", "_", _underscored(key)).strip("_")


def _written(key: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((key, f"user:{key}", key.capitalize(), f"user:{key.capitalize()}")))


def _key(name: str) -> str:
    return name.removeprefix("resourceTags/").removeprefix("resource_tags_")


def _is_tag(name: str) -> bool:
    return name.startswith(("resourceTags/", "resource_tags_"))


def _underscored(name: str) -> str:
    """Set an underscore before every capital but the first, as AWS does even within ARN."""
    return re.sub(r"(?<=[A-Za-z0-9])([A-Z])", r"_\1", name).lower()


def _map(name: str, dtype: pl.DataType) -> pl.Expr:
    if dtype == pl.String:
        return pl.col(name).str.json_decode(_PAIRS).alias(name)
    return pl.col(name).cast(_PAIRS).alias(name)


def _keys(seen: pl.DataFrame, name: str) -> frozenset[str]:
    """Return every key that a map has in any row."""
    return frozenset(seen.select(pl.col(name).map.keys().explode().unique()).to_series().drop_nulls())


def _text(name: str, there: Iterable[str]) -> pl.Expr:
    if name not in there:
        return pl.lit(None, pl.String)
    text = pl.col(name).cast(pl.String)
    return pl.when(text.str.len_bytes() > 0).then(text) if name in BLANK else text


def _number(name: str, there: Iterable[str]) -> pl.Expr:
    return pl.col(name).cast(pl.Float64, strict=False) if name in there else pl.lit(None, pl.Float64)


def _time(name: str, schema: pl.Schema) -> pl.Expr:
    dtype = schema.get(name)
    if dtype is None:
        return pl.lit(None, TIME)
    if dtype != pl.String:
        zone = getattr(dtype, "time_zone", None)
        zoned = pl.col(name).cast(pl.Datetime("us", zone))
        return zoned.dt.convert_time_zone("UTC") if zone else zoned.dt.replace_time_zone("UTC")
    text = pl.col(name).str.replace(" ", "T").str.head(19)
    return text.str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False, time_unit="us").dt.replace_time_zone("UTC")
