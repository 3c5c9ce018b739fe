"""Commitments, discounts and refunds: Σ billed = Σ effective + Σ timing, from AWS's own columns."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

SP, RI = {"savings_plan_savings_plan_a_r_n": "arn:sp"}, {"reservation_reservation_a_r_n": "arn:ri"}


def plan_hour(machine, *, used, fee, upfront, on_demand, net=None):
    """Return one hour of a savings plan: covered usage, its negation and the fee; amounts in $, `net` a factor."""
    covered = {**SP, "line_item_line_item_type": "SavingsPlanCoveredUsage",
               "savings_plan_savings_plan_effective_cost": used,
               "line_item_unblended_cost": on_demand}  # fmt: skip
    negation = {**SP, "line_item_line_item_type": "SavingsPlanNegation", "line_item_unblended_cost": -on_demand}
    recurring = {**SP, "line_item_line_item_type": "SavingsPlanRecurringFee", "line_item_unblended_cost": fee,
                 "savings_plan_total_commitment_to_date": fee + upfront, "savings_plan_used_commitment": used,
                 "savings_plan_recurring_commitment_for_billing_period": fee,
                 "savings_plan_amortized_upfront_commitment_for_billing_period": upfront}  # fmt: skip
    if net is not None:
        covered |= {
            "line_item_net_unblended_cost": on_demand,
            "savings_plan_net_savings_plan_effective_cost": used * net,
        }
        negation |= {"line_item_net_unblended_cost": -on_demand}
        recurring |= {"line_item_net_unblended_cost": fee * net,
                      "savings_plan_net_recurring_commitment_for_billing_period": fee * net,
                      "savings_plan_net_amortized_upfront_commitment_for_billing_period": upfront * net}  # fmt: skip
    return [machine(**covered), negation, recurring]


money = st.integers(0, 10_000).map(lambda cents: cents / 100)


@settings(max_examples=15, deadline=None)
@given(money, money, st.integers(0, 100), money, st.sampled_from([None, 0.9, 0.72]))
def test_any_hour_of_a_savings_plan_keeps_the_identity(tmp_path_factory, cur, fee, upfront, percent, on_demand, net):
    used = (fee + upfront) * percent / 100
    rows = plan_hour(cur.machine, used=used, fee=fee, upfront=upfront, on_demand=on_demand, net=net)
    path = tmp_path_factory.mktemp("plan") / "cur.parquet"
    cur.table(*rows).write_parquet(path)
    billed, effective, timing = cur.Told(path).sums()
    assert billed == pytest.approx(fee * (net or 1), abs=1e-6)
    assert billed == pytest.approx(effective + timing, abs=1e-6)


@pytest.mark.parametrize("net", [None, 0.8])
def test_what_a_savings_plan_leaves_unused_is_its_own_residual(told, cur, net):
    one = told(*plan_hour(cur.machine, used=30.0, fee=20.0, upfront=20.0, on_demand=55.04, net=net))
    (unused,) = one.charges.filter(residual="unused_commitment")["effective_cost"]
    assert unused == pytest.approx(10 * (net or 1))
    (work,) = one.work.iter_rows(named=True)
    assert (work["purchase_option"], work["commitment_id"], work["gpu_hours"]) == ("savings_plan", "arn:sp", 8)
    assert work["effective_cost"] == pytest.approx(30 * (net or 1))


def test_reserved_instances_with_upfront_fee(told, cur):
    used = cur.machine(
        **RI, line_item_line_item_type="DiscountedUsage", line_item_unblended_cost=0.0, reservation_effective_cost=30.0
    )
    fee = {**RI, "line_item_line_item_type": "RIFee", "line_item_unblended_cost": 14.0,
           "reservation_amortized_upfront_fee_for_billing_period": 20.0,
           "reservation_unused_amortized_upfront_fee_for_billing_period": 2.5,
           "reservation_unused_recurring_fee": 1.5}  # fmt: skip
    cash = {**RI, "line_item_line_item_type": "Fee", "line_item_unblended_cost": 175_200.0}
    one = told(used, fee, cash)
    assert one.sums() == (175_214.0, 34.0, 175_180.0)
    assert dict(one.charges.select("residual", "effective_cost").rows()) == {
        None: 30.0, "unused_commitment": 4.0, "commitment_payment": 0.0,
    }  # fmt: skip


def test_a_refund_of_a_savings_plan_is_cash_and_any_other_refund_a_credit(told):
    refund = {"line_item_line_item_type": "Refund", "line_item_unblended_cost": -100.0}
    one = told(
        {**refund, "line_item_line_item_description": "Refund for one-time fee for Savings Plan ID: 1"},
        {**refund, "line_item_line_item_description": "Sorry"},
    )
    assert one.charges.select("residual", "effective_cost", "timing_cost").rows() == [
        ("commitment_payment", 0.0, -100.0), ("credit", -100.0, 0.0),
    ]  # fmt: skip
    assert one.sums() == (-200.0, -100.0, -100.0)


def test_a_discount_row_counts_unless_its_bill_has_net_costs(told, cur):
    edp = {"line_item_line_item_type": "EdpDiscount", "line_item_unblended_cost": -5.04}
    may = {"bill_billing_period_start_date": "2026-05-01T00:00:00Z",
           "line_item_usage_start_date": "2026-05-01T00:00:00Z",
           "line_item_usage_end_date": "2026-05-01T01:00:00Z"}  # fmt: skip
    april = [cur.machine(line_item_net_unblended_cost=50.0), edp]
    later = [cur.machine(**may), {**edp, **may}]
    assert told(*april).sums() == (50.0, 50.0, 0.0)
    assert told(*april, *later).sums() == (100.0, 100.0, 0.0)


def test_a_month_that_is_net_in_some_files_only_is_said(told, cur):
    net = cur.machine(line_item_net_unblended_cost=50.0)
    assert "partly-net" in told(net, also=(cur.machine(),)).codes
    assert "partly-net" not in told(net, cur.machine()).codes


def test_usage_under_a_commitment_without_its_amortised_cost_is_unknown_and_said(told, cur):
    one = told(cur.machine(**SP, line_item_line_item_type="SavingsPlanCoveredUsage"))
    assert one.charges["effective_cost"].to_list() == [None]
    assert "no-effective-cost" in one.codes
