"""The purchases of a plan as rows of the FOCUS ContractCommitment dataset, which `--commitments` reads again."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from app.reports.cashflow import obligations
from app.reports.csv import FORMULA
from app.reports.outline import MONTH_HOURS
from app.reports.text import plain
from app.reports.times import HOUR

if TYPE_CHECKING:
    import polars as pl

    from app.reports.cashflow import Obligation
    from app.reports.planfile import PlanFile

DIGITS = 6
MONTH = timedelta(hours=MONTH_HOURS)


def render(plan: PlanFile, version: Literal["1.3", "1.4"]) -> str:
    """Return the rows as CSV, one a purchase; the costs add up to the new commitment of the plan.

    Raises:
        InputError: the times of the plan file make no sense.
    """
    from providers.focus.contract_rows import COLUMNS_1_3, COLUMNS_1_4, contract_rows

    bought = [one for one in obligations(plan) if not one.owned]
    columns = COLUMNS_1_3 if version == "1.3" else COLUMNS_1_4
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if not bought:
        writer.writerow(columns)
        return text.getvalue()
    rows = contract_rows(_commitments(plan, bought), version)
    rows = rows.select(name for name in rows.columns if name in columns or rows[name].null_count() < rows.height)
    writer.writerow(rows.columns)
    writer.writerows([_cell(value) for value in row] for row in rows.iter_rows())
    return text.getvalue()


def _commitments(plan: PlanFile, bought: list[Obligation]) -> pl.DataFrame:
    """Return purchases as the Commitments they will be; the price is what makes the period cost the contract value."""
    import polars as pl

    from providers.tables import COMMITMENTS, checked

    rows = [_row(plan, one) for one in bought]
    return checked(pl.DataFrame(rows, infer_schema_length=None), COMMITMENTS, where="the plan")


def _row(plan: PlanFile, one: Obligation) -> dict[str, object]:
    bought = one.bought
    until = one.until or one.since + one.months * MONTH
    hours = (until - one.since) / HOUR
    total = float(bought.total_commitment)
    in_dollars = bought.usd_per_hour is not None
    return {
        "commitment_id": bought.offer_id,
        "offer_id": bought.offer_id,
        "provider": bought.provider,
        "region": bought.region,
        "gpu_model": bought.gpu_model,
        "instance_type": bought.instance_type,
        "purchase_option": bought.purchase_option,
        "term_months": bought.term_months,
        "start": one.since,
        "end": until,
        "currency": plan.currency,
        "upfront_share": min(float(bought.upfront) / total, 1.0) if total else 0.0,
        "gpus": None if in_dollars else bought.gpus,
        "usd_per_hour": total / hours if in_dollars else None,
        "holding_usd_per_gpu_hour": 0.0 if in_dollars else total / hours / bought.gpus,
        "usage_usd_per_gpu_hour": float(bought.usage_usd_per_gpu_hour),
    }


def _cell(value: object) -> object:
    if isinstance(value, float):
        return repr(round(value, DIGITS))
    if not isinstance(value, str):
        return value
    return ("'" if value.startswith(FORMULA) else "") + plain(value)
