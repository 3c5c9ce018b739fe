"""Every spelling of a Cost and Usage Report -> one set of columns.

CUR 2.0 and legacy reports in Parquet write `line_item_unblended_cost`, legacy CSV `lineItem/UnblendedCost`. A report
has only the columns that its options and its account's commitments and discounts call for, so that any may be absent.
"""

import re

import polars as pl

from providers.aws.tags import Lookup
from providers.charges import Tags
from providers.columns import TIME

TEXT = {
    "operation": "line_item_operation",
    "type": "line_item_line_item_type",
    "usage_type": "line_item_usage_type",
    "description": "line_item_line_item_description",
    "resource": "line_item_resource_id",
    "zone": "line_item_availability_zone",
    "account": "line_item_usage_account_id",
    "payer": "bill_payer_account_id",
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
    "period": "bill_billing_period_start_date",
    "reserved_from": "reservation_start_time",
    "reserved_until": "reservation_end_time",
}
SPLIT = ("EKSPod-EC2", "ECSTask-EC2")
"""Operations whose rows state again, by pod or task, what other rows have billed."""
_PRODUCT = {"instance_type": "instance_type", "family": "product_family", "region": "region_code"}
"""What a report without these columns of their own keeps in its map of product attributes."""


class Report:
    """Files of one schema, with our names for their columns."""

    def __init__(self, frame: pl.LazyFrame) -> None:
        self.frame = frame
        self.schema = frame.collect_schema()
        self._theirs = {squeezed(name): name for name in self.schema}

    def bill(self) -> "Report":
        """Return the rows that are billed; the filter is on a column of the file, so that the rest stays unread."""
        return Report(self.frame.filter(~self.is_split()))

    def split(self) -> "Report":
        """Return the rows that only state a part of another one's cost."""
        return Report(self.frame.filter(self.is_split()))

    def lines(self, tags: Tags | None = None) -> pl.LazyFrame:
        """Return the rows in our own columns: `TEXT`, `NUMBERS`, `TIMES`, `net_` ones beside, and what tags say.

        is_bad marks a cost that is no number.
        """
        look = Lookup(self.schema, tags or Tags())
        return self.frame.with_columns(look.opened()).select(
            *(self._text_or_attribute(name, look).alias(name) for name in TEXT),
            *(self.number(theirs).alias(name) for name, theirs in NUMBERS.items()),
            *(self.number(theirs).alias(f"net_{name}") for name, theirs in NET.items()),
            *(self.time(theirs).alias(name) for name, theirs in TIMES.items()),
            (self._is_bad(NUMBERS["cost"]) | self._is_bad(NET["cost"])).alias("is_bad"),
            *(look.described() if tags is not None else ()),
        )

    def has(self, theirs: str) -> bool:
        """Return whether the report has a column, by its name in CUR 2.0."""
        return squeezed(theirs) in self._theirs

    def column(self, theirs: str) -> pl.Expr:
        """Return a column by its name in CUR 2.0; it must be there."""
        return pl.col(self._theirs[squeezed(theirs)])

    def text(self, theirs: str) -> pl.Expr:
        """Return a column of text, null where it is blank or absent."""
        if not self.has(theirs):
            return pl.lit(None, pl.String)
        text = self.column(theirs).cast(pl.String)
        return pl.when(text.str.len_bytes() > 0).then(text)

    def number(self, theirs: str) -> pl.Expr:
        """Return a column of numbers, null where it is none or absent."""
        return self.column(theirs).cast(pl.Float64, strict=False) if self.has(theirs) else pl.lit(None, pl.Float64)

    def time(self, theirs: str) -> pl.Expr:
        """Return a column of times, null where it is absent; a time without an offset is UTC."""
        if not self.has(theirs):
            return pl.lit(None, TIME)
        column = self.column(theirs)
        dtype = self._dtype(theirs)
        if dtype == pl.String:
            text = column.str.replace(" ", "T", literal=True).str.head(19)
            column = text.str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False, time_unit="us")
            return column.dt.replace_time_zone("UTC")
        zone = getattr(dtype, "time_zone", None)
        column = column.cast(pl.Datetime("us", zone))
        return column.dt.convert_time_zone("UTC") if zone else column.dt.replace_time_zone("UTC")

    def is_split(self) -> pl.Expr:
        """Return whether a row only states a part of another one's cost."""
        if not self.has(TEXT["operation"]):
            return pl.lit(value=False)
        return self.column(TEXT["operation"]).is_in(list(SPLIT)).fill_null(value=False)

    def _text_or_attribute(self, name: str, look: Lookup) -> pl.Expr:
        if name in _PRODUCT and not self.has(TEXT[name]):
            return look.product(_PRODUCT[name])
        return self.text(TEXT[name]).fill_null("USD") if name == "currency" else self.text(TEXT[name])

    def _is_bad(self, theirs: str) -> pl.Expr:
        """Return whether a cost is written that is no finite number."""
        if not self.has(theirs):
            return pl.lit(value=False)
        number, written = self.number(theirs), self.column(theirs)
        if self._dtype(theirs) == pl.String:
            return written.is_not_null() & (written != "") & ~number.is_finite().fill_null(value=False)
        return ~number.is_finite().fill_null(value=True)

    def _dtype(self, theirs: str) -> pl.DataType:
        return self.schema[self._theirs[squeezed(theirs)]]


def squeezed(name: str) -> str:
    """Return the letters and digits of a column's name, which all its spellings share.

    >>> squeezed("lineItem/UnblendedCost") == squeezed("line_item_unblended_cost")
    True
    >>> squeezed("reservation/ReservationARN") == squeezed("reservation_reservation_a_r_n")
    True
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())
