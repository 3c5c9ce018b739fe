"""Prices in other currencies are converted at a rate that somebody gave, and shown, or left out and named."""

import polars as pl
import pytest

from providers.currencies import converted, only
from providers.tables import OFFERS, checked


def offers(*rows):
    base = {"provider": "p", "gpu_model": "L4-24GB", "purchase_option": "on_demand", "holding_usd_per_gpu_hour": 0}
    frame = pl.DataFrame([{**base, **row} for row in rows])
    return checked(frame, OFFERS, where="test", one_currency=False)


EURO = {"offer_id": "eu", "usage_usd_per_gpu_hour": 2.0, "currency": "EUR", "note": "list"}
DOLLAR = {"offer_id": "us", "usage_usd_per_gpu_hour": 3.0, "currency": "USD", "note": None}


def test_a_rate_converts_and_is_shown():
    frame, found = converted(offers(EURO, DOLLAR), to="USD", rates={"EUR": 1.08})
    assert dict(frame.select("offer_id", "usage_usd_per_gpu_hour").iter_rows()) == {"eu": pytest.approx(2.16), "us": 3}
    assert frame["note"].to_list() == ["list; converted from EUR at 1.08", None]
    assert found[0].message == "1 prices converted from EUR to USD at 1.08, as tranche.toml says"


def test_a_plan_in_euros_converts_dollars():
    frame, _ = converted(offers(EURO, DOLLAR), to="EUR", rates={"EUR": 1.25})
    assert frame["currency"].unique().to_list() == ["EUR"]
    assert frame.filter(pl.col("offer_id") == "us")["usage_usd_per_gpu_hour"].item() == pytest.approx(2.4)


def test_without_a_rate_the_rows_are_left_out_and_named():
    frame, found = converted(offers(EURO, DOLLAR), to="USD", rates={})
    assert found == []
    kept, told = only(frame, "USD")
    assert kept["offer_id"].to_list() == ["us"]
    assert told[0].message == "1 prices in EUR are left out of a plan in USD: eu"
    assert "[currencies] EUR" in told[0].hint
