"""Oracle-8 of design section 6, through the command on CSV files, to 1e-6."""

import pytest

GPU = "H100-SXM-80GB"


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("price", "gpus"),
    [(3.99, 40), (2.51, 40), (2.49, 60), (2.4, 60), (1.51, 60), (1.49, 80), (1.01, 80), (0.99, 100), (0.1, 100)],
)
def test_quantity_follows_the_price(plan, price, gpus):
    found = plan("--offer", f"res:{GPU}={price}/h,reserved")
    assert [bought["gpus"] for bought in found["purchases"]] == [near(gpus)]


def test_nothing_is_bought_above_on_demand(plan):
    assert plan("--offer", f"res:{GPU}=4.01/h,reserved")["purchases"] == []


def test_metrics_at_2_40(plan):
    found = plan("--offer", f"res:{GPU}=2.40/h,reserved")
    [bought] = found["purchases"]
    summary = found["summary"]
    assert float(summary["cost"]) / 8 == near(194)
    assert float(summary["on_demand_cost"]) / 8 == near(260)
    assert float(summary["savings"]) / 8 == near(66)
    assert float(summary["lower_bound"]) / 8 == near(194)
    assert summary["gap"] == near(0)
    assert bought["utilization"] == summary["utilization"] == near(0.875)
    assert summary["coverage"] == near(420 / 520)
    assert summary["effective_savings_rate"] == near(66 / 260)
    assert bought["break_even_utilization"] == near(0.6)
    assert float(bought["cost"]) == near(60 * 2.4 * 8)


def test_a_year_is_the_history_scaled(tranche, files):
    ran = tranche("plan", files.usage, "--offers", files.offers, "--offer", f"res:{GPU}=2.40/h,reserved",
                  "--now", "2026-11-21", "--format", "json")  # fmt: skip
    assert float(ran.json["summary"]["cost"]) == near(194 * 8760)
    assert ran.json["summary"]["hours"] == near(8760)


def walk_away(plan, *arguments: str) -> dict[str, object]:
    found = plan(*arguments)
    [quote] = found["walk_away"]
    return {**quote, "price": float(quote["walk_away_usd_per_gpu_hour"])}


@pytest.mark.parametrize("terms", ["64gpus", "lot64,<=64gpus"])
def test_a_block_of_64_is_worth_3_375(plan, terms):
    quote = walk_away(plan, "--offer", f"res:{GPU}=3/h,reserved,{terms}")
    assert quote["price"] == near(3.375)
    assert quote["gpus"] == near(64)
    assert quote["verdict"] == "accept"
    assert float(quote["next_gpu_usd_per_gpu_hour"]) == near(4)


def test_with_40_owned_24_more_are_worth_a_third_less(plan, files):
    owned = files.offer("owned", "reserved", holding=2, gpus=40, commitment_id="c-40")
    commitments = files.table("commitments.csv", [owned])
    quote = walk_away(plan, "--commitments", commitments, "--offer", f"res:{GPU}=2/h,reserved,24gpus")
    assert quote["price"] == near(7 / 3)


@pytest.mark.parametrize(("block", "worth"), [(60, 2.4), (64, 2.34375), (72, 2.25), (80, 2.175)])
def test_against_an_unlimited_rival(plan, files, block, worth):
    rival = files.table("rival.csv", [files.offer("rival", "reserved", holding=2.4)])
    quote = walk_away(plan, "--offers", rival, "--offer", f"res:{GPU}=2.5/h,reserved,{block}gpus")
    assert quote["price"] == near(worth)
    assert quote["verdict"] == "counter"


def test_two_part_price(plan):
    found = plan("--offer", f"res:{GPU}=0.60+1.80/h")
    [bought] = found["purchases"]
    assert bought["purchase_option"] == "flex"
    assert bought["gpus"] == near(80)
    assert float(found["summary"]["cost"]) / 8 == near(176)


@pytest.mark.parametrize(("price", "decision"), [(3.3716, 64), (3.3784, None)])
def test_the_decision_turns_at_the_walk_away_price(plan, price, decision):
    bought = plan("--offer", f"res:{GPU}={price}/h,reserved,64gpus")["purchases"]
    assert [one["gpus"] for one in bought] == ([] if decision is None else [decision])


def test_walkaway_proves_it(tranche, files):
    ran = tranche("walkaway", files.usage, "--offers", files.offers, "--horizon", "history",
                  "--offer", f"res:{GPU}=3/h,reserved,64gpus", "--format", "json")  # fmt: skip
    [quote] = ran.json["walk_away"]
    proof = quote["proof"]
    assert (proof["buys_below"], proof["buys_above"], proof["holds"]) == (True, False, True)
    assert float(proof["below_usd_per_gpu_hour"]) == near(3.375 * 0.999)
    assert float(proof["above_usd_per_gpu_hour"]) == near(3.375 * 1.001)


def test_a_demand_curve_and_what_a_vendor_is_worth(tranche, files):
    given = [files.usage, "--offers", files.offers, "--offer", f"x:{GPU}=2.40/h,12mo,name=q", "--horizon", "history"]
    ran = tranche("walkaway", *given, "--curve", "--format", "json", "--now", "2026-11-21")
    [quote] = ran.json["walk_away"]
    steps = [(step["from_usd_per_gpu_hour"], step["to_usd_per_gpu_hour"], step["gpus"]) for step in quote["curve"]]
    assert steps == [("0.00", "1.00", 100), ("1.00", "1.50", 80), ("1.50", "2.50", 60), ("2.50", "4.00", 40)]
    assert ran.json["vendors"] == [{"provider": "x", "value": "528.00"}]  # 8 h at $260 less 8 h at $194
    text = tranche("walkaway", *given, "--curve", "--now", "2026-11-21").out.replace("\n", " ")
    assert "60 up to $2.50" in " ".join(text.split())
    assert "without any offer of x the plan costs $528.00 more" in " ".join(text.split())
    assert "curve" not in tranche("walkaway", *given, "--format", "json", "--now", "2026-11-21").json["walk_away"][0]
