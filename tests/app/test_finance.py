"""The figures of finance, each against the value that its source or a sum done by hand gives."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from app.reports import finance
from app.reports.cashflow import months_of, obligations
from app.reports.planfile import RampStep, decode
from providers.tables import InputError

DEMAND = (40, 40, 40, 60, 80, 100, 100, 60)
GPU = "H100-SXM-80GB"


def test_the_formulas_on_oracle_8():
    used = sum(min(need, 60) for need in DEMAND)
    coverage, on_demand = used / sum(DEMAND), 260.0
    assert coverage == pytest.approx(0.807692, abs=1e-6)
    assert finance.savings_rate(on_demand, 194.0) == pytest.approx(0.253846, abs=1e-6)
    assert finance.savings_rate_from(coverage, 1 - 2.4 / 4, 18.0, on_demand) == pytest.approx(0.253846, abs=1e-6)
    assert finance.break_even_utilization(2.4, 4) == pytest.approx(0.6)
    assert finance.critical_share(2.4, 4) == pytest.approx(0.6)


@pytest.mark.parametrize(("price", "level"), [(3, 40), (2.4, 60), (1.51, 60), (1.4, 80), (1.01, 80), (0.9, 100)])
def test_the_optimal_level_is_the_published_step(price, level):
    assert finance.optimal_level(DEMAND, finance.critical_share(price, 4)) == level


def test_the_optimal_level_with_a_usage_rate_and_with_resale():
    assert finance.optimal_level(DEMAND, finance.critical_share(0.6, 4, usage=1.8)) == 80
    assert finance.critical_share(2.4, 4, salvage=1.0) == pytest.approx(1.4 / 3)
    assert finance.optimal_level([1], 2.0) == 0.0


def test_break_even_in_hours_and_months():
    hours = finance.break_even_hours(300, 0.12, 0.075)
    assert hours == pytest.approx(6666.67, abs=0.01)
    assert hours / 730 == pytest.approx(9.13, abs=0.01)
    assert finance.break_even_months(300, 0.12 * 730, 0.075 * 730) == pytest.approx(hours / 730)
    assert finance.break_even_hours(300, 0.12, 0.12) is None


def test_amortization_of_the_focus_scenarios():
    for upfront, recurring in ((8760, 0.0), (4380, 0.5), (0, 1.0)):
        assert finance.amortized_rate(upfront, 8760, recurring) == pytest.approx(1.0)


def test_weighted_figures():
    assert finance.weighted_units(119.02, 24) == pytest.approx(4.959, abs=1e-3)
    assert finance.weighted_months([(100, 12), (300, 36)]) == pytest.approx(30)
    assert finance.weighted_months([]) == 0
    assert finance.savings_rate(None, 1) is finance.savings_rate(0, 1) is finance.savings_rate(1, None) is None


@pytest.fixture
def bought(plan, files):
    """Plan Oracle-8 over a year of calendar months, 60 GPUs at $2.40 for 24 months, a quarter of it upfront."""
    quote = f"res:{GPU}=2.40/h,reserved,60gpus,24mo,25%upfront,name=r"
    made = plan("--offer", quote, "--horizon", "12mo", "--now", "2026-01-01T00:00:00Z")
    return decode(msgspec.json.encode(made), where="plan")


def test_oracle_8_by_month(bought):
    figures = finance.finance_of(bought, finance.Terms(cost_of_capital=0.0, private_discount=0.1))
    planned = [month for month in figures.months if month.planned]
    january = planned[0]
    contract = Decimal("2.40") * 60 * 17520
    assert [month.month for month in planned] == [f"2026-{month:02}" for month in range(1, 13)]
    assert january.upfront == contract / 4
    assert january.committed == Decimal("2.40") * 60 * 744 * 3 / 4
    assert january.as_you_go == Decimal("50.00") * 744
    assert january.used == Decimal(194) * 744
    assert january.on_demand == Decimal(260) * 744
    assert sum(month.used for month in planned) == Decimal(bought.summary.cost) == 194 * 8760
    assert figures.after == contract / 2
    assert sum(month.paid for month in figures.months) == sum(month.used for month in figures.months)
    assert figures.prepaid == contract / 8
    assert figures.npv == pytest.approx(66 * 8760)
    assert figures.unused == 18 * 8760
    assert figures.unused_share == pytest.approx(0.125)
    assert (figures.remaining, figures.remaining_months) == pytest.approx((float(contract), 24))
    assert figures.rate_contracted == pytest.approx(1 - 194 / 234)
    assert figures.payback_months * 730 == pytest.approx(float(contract) / 4 / (260 - 50 - 108))


def test_present_value_falls_with_the_cost_of_capital(bought):
    free, dear = (finance.finance_of(bought, finance.Terms(cost_of_capital=rate)).npv for rate in (0.0, 0.08))
    months = [month for month in months_of(bought) if month.planned]
    given_back = sum(month.paid - month.used for month in months)
    flows = [(float(-month.upfront), month.since) for month in months]
    flows += [(float(month.on_demand - month.paid + month.upfront), month.until) for month in months]
    flows.append((float(given_back), 8760.0))
    assert dear == pytest.approx(sum(usd * 1.08 ** (-hours / 8760) for usd, hours in flows))
    assert dear < free


def test_break_even_of_a_purchase(bought):
    [one] = bought.purchases
    upfront, monthly = 2.4 * 60 * 17520 / 4, 2.4 * 60 * 730
    saved = 0.875 * 4 * 60 * 730 - monthly * 3 / 4
    assert finance.purchase_break_even_months(one) == pytest.approx(upfront / saved)


def test_a_renewal_is_paid_again_and_a_ramp_when_it_comes(bought):
    [one] = bought.purchases
    half = msgspec.structs.replace(one, term_months=6.0, upfront="157680.00", total_commitment="630720.00")
    months = months_of(msgspec.structs.replace(bought, purchases=[half]))
    assert [month.month for month in months if month.upfront] == ["2026-01", "2026-07"]
    assert sum(month.upfront for month in months) == 2 * 157680
    assert sum(month.paid for month in months) == sum(month.used for month in months) == 194 * 8760
    ramp = [RampStep(months=0.0, share=0.5), RampStep(months=12.0, share=1.0)]
    paid = 2.4 * 60 * 8760 * 1.5
    ramped = msgspec.structs.replace(
        one, ramp=ramp, start="2026-01-01T00:00:00Z", cost=f"{2.4 * 30 * 8760:.2f}", upfront="0.00",
        total_commitment=f"{paid:.2f}",
    )  # fmt: skip
    months = months_of(msgspec.structs.replace(bought, purchases=[ramped]))
    assert sum(month.committed for month in months if not month.planned) == Decimal("2.40") * 60 * 8760
    assert months[0].committed == Decimal("2.40") * 30 * 744


def test_what_is_owned_is_owed_until_it_ends(bought):
    [one] = bought.purchases
    owned = msgspec.structs.replace(
        one, offer_id="old", start="2025-07-01T00:00:00Z", end="2027-07-01T00:00:00Z", term_months=24.0, upfront="0.00"
    )
    [only] = obligations(msgspec.structs.replace(bought, purchases=[], commitments=[owned]))
    left = (datetime(2027, 7, 1, tzinfo=UTC) - datetime(2026, 1, 1, tzinfo=UTC)).days * 24
    assert only.usd == pytest.approx(2.4 * 60 * left)
    assert only.months == pytest.approx(left / 730)


@pytest.mark.parametrize("wrong", [{"end": "2026-01-01T00:00:00Z"}, {"start": "2026-99-01T00:00:00Z"}])
def test_times_that_make_no_sense_are_refused(bought, wrong):
    options = msgspec.structs.replace(bought.inputs.options, **wrong)
    broken = msgspec.structs.replace(bought, inputs=msgspec.structs.replace(bought.inputs, options=options))
    with pytest.raises(InputError, match="plan again"):
        months_of(broken)
