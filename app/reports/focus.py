"""The purchases of a plan as rows of the FOCUS ContractCommitment dataset, which `--commitments` reads again.

What is bought with a commitment to spend counts towards it: their rows, of the options `spend_floor` and `prepaid`, are
no money beside that of the others.
"""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from app.reports.cashflow import obligations
from app.reports.csv import FORMULA
from app.reports.outline import MONTH_HOURS
from app.reports.text import plain
from app.reports.times import HOUR, begin_of, length_of, time_of

if TYPE_CHECKING:
    import polars as pl

    from app.reports.cashflow import Obligation
    from app.reports.planfile import PlanFile, Spend

ANY_GPU = "any"
"""What a commitment to spend stands for where GPUs have a model."""
DIGITS = 6
MONTH = timedelta(hours=MONTH_HOURS)


def render(plan: PlanFile, version: Literal["1.3", "1.4"]) -> str:
    """Return the rows as CSV, one a purchase or a commitment to spend that the plan adds.

    The costs of the purchases add up to the new commitment of the plan.

    Raises:
        InputError: the times of the plan file make no sense.
    """
    from providers.focus.contract_rows import COLUMNS_1_3, COLUMNS_1_4, contract_rows

    added = [_row(plan, one) for one in obligations(plan) if not one.owned]
    added += [_spend_row(plan, one) for one in new_spends(plan)]
    columns = COLUMNS_1_3 if version == "1.3" else COLUMNS_1_4
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if not added:
        writer.writerow(columns)
        return text.getvalue()
    rows = contract_rows(_commitments(added), version)
    rows = rows.select(name for name in rows.columns if name in columns or rows[name].null_count() < rows.height)
    writer.writerow(rows.columns)
    writer.writerows([_cell(value) for value in row] for row in rows.iter_rows())
    return text.getvalue()


def new_spends(plan: PlanFile) -> list[Spend]:
    """Return the commitments to spend that the plan adds; older files do not say of what is in force if it is owned."""
    return [one for one in plan.spends if one.taken and one.contract_usd is not None and one.status != "owned"]


def _commitments(rows: list[dict[str, object]]) -> pl.DataFrame:
    import polars as pl

    from providers.tables import COMMITMENTS, checked

    return checked(pl.DataFrame(rows, infer_schema_length=None), COMMITMENTS, where="the plan")


def _row(plan: PlanFile, one: Obligation) -> dict[str, object]:
    """Return a purchase as the commitment it will be; the price is what makes the period cost the contract value."""
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


def _spend_row(plan: PlanFile, one: Spend) -> dict[str, object]:
    """Return a commitment to spend as it will be owned: where nobody said when, it begins and ends with the plan."""
    since = begin_of(plan) if one.start is None else time_of(one.start)
    if one.end is not None:
        until = time_of(one.end)
    else:
        until = since + timedelta(hours=length_of(plan)) if one.term_months is None else since + one.term_months * MONTH
    return {
        "commitment_id": one.offer_id,
        "offer_id": one.offer_id,
        "provider": one.provider,
        "gpu_model": ANY_GPU,
        "eligible_gpu_models": ",".join(one.gpu_models) or None,
        "purchase_option": "prepaid" if one.prepaid else "spend_floor",
        "term_months": one.term_months,
        "start": since,
        "end": until,
        "currency": plan.currency,
        "upfront_share": 1.0 if one.prepaid else 0.0,
        "spend_usd": float(one.contract_usd or 0),
        "discount_share": one.discount,
        "holding_usd_per_gpu_hour": 0.0,
        "usage_usd_per_gpu_hour": 0.0,
    }


def _cell(value: object) -> object:
    if isinstance(value, float):
        return repr(round(value, DIGITS))
    if not isinstance(value, str):
        return value
    return ("'" if value.startswith(FORMULA) else "") + plain(value)
