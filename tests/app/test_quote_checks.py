"""Quotes on their way into a plan: what comes on top, what has expired, and a price in the vendor's own terms."""

import pytest

GPU = "H100-SXM-80GB"
NOW = "2026-11-21"


def test_what_comes_on_top_costs_as_much_as_a_higher_price(plan):
    plain = plan("--offer", f"x:{GPU}=2.40/h,12mo")
    topped = plan("--offer", f"x:{GPU}=2.00/h,12mo,support 0.25/h,storage 0.15/h")
    assert topped["summary"]["cost"] == plain["summary"]["cost"] == "1552.00"
    (bought,) = topped["purchases"]
    assert (bought["gpus"], bought["holding_usd_per_gpu_hour"], bought["adders_usd_per_gpu_hour"]) == (
        60,
        "2.00",
        "0.40",
    )
    assert bought["total_commitment"] == plain["purchases"][0]["total_commitment"]


def test_a_walk_away_price_is_in_the_terms_of_the_vendor(plan, tranche, files):
    quote = f"x:{GPU}=2.00/h,64gpus,12mo,support 20%"
    (value,) = plan("--offer", quote)["walk_away"]
    assert float(value["quoted_usd_per_gpu_hour"]) == 2.0
    assert float(value["walk_away_usd_per_gpu_hour"]) == pytest.approx(3.375 - 0.40)
    given = [files.usage, "--offers", files.offers, "--offer", quote, "--horizon", "history", "--now", NOW]
    proven = tranche("walkaway", *given, "--format", "json").json["walk_away"][0]["proof"]
    assert float(proven["below_usd_per_gpu_hour"]) == pytest.approx(3.375 * 0.999 - 0.40, abs=1e-6)
    assert (proven["buys_below"], proven["buys_above"]) == (True, False)


def test_a_quote_that_only_its_adders_make_worthless_is_declined(plan):
    (value,) = plan("--offer", f"x:{GPU}=0.10/h,64gpus,12mo,support 3.50/h")["walk_away"]
    assert float(value["walk_away_usd_per_gpu_hour"]) == pytest.approx(-0.125)
    assert value["verdict"] == "decline"


def said(plan, *arguments):
    return [(one["code"], one["message"]) for one in plan(*arguments)["diagnostics"]]


def test_an_expired_quote_is_left_out_by_name_and_one_of_today_is_not(plan):
    found = said(
        plan,
        "--offer",
        f"x:{GPU}=1/h,12mo,valid until 2026-11-20,name=old",
        "--offer",
        f"y:{GPU}=2.4/h,12mo,valid until {NOW}",
    )
    assert ("expired-quote", "old is left out: it was valid until 2026-11-20") in found
    result = plan(
        "--offer", f"x:{GPU}=1/h,12mo,valid until 2026-11-20", "--offer", f"y:{GPU}=2.4/h,12mo,valid until {NOW}"
    )
    assert [bought["provider"] for bought in result["purchases"]] == ["y"]


def test_a_price_of_a_node_taken_for_one_of_a_gpu_is_doubted(plan):
    found = dict(said(plan, "--offer", f"x:{GPU}=29.52/h,12mo"))
    assert found["odd-quote"].startswith(
        "x-h100-sxm-80gb-quote asks 29.52 per GPU-hour, where H100-SXM-80GB usually costs"
    )
    assert "odd-quote" not in dict(said(plan, "--offer", f"x:{GPU}=29.52/node-h,8/node,12mo"))


def test_a_lot_that_does_not_divide_the_node_is_doubted(plan, files):
    row = files.offer("q", "contract", holding=2, lot_gpus=12, gpus_per_node=8, status="quote", term_months=12)
    found = dict(said(plan, "--offers", files.table("book.csv", [row])))
    assert found["odd-lot"] == "q is sold by 12 GPUs, which is no whole number of nodes of 8"
    fine = files.table("fine.csv", [{**row, "lot_gpus": 16}])
    assert "odd-lot" not in dict(said(plan, "--offers", fine))


def test_terms_that_the_plan_does_not_count_are_said(plan):
    found = dict(said(plan, "--offer", f"x:{GPU}=2/h,12mo,ramp 64@1 128@4,egress 0.09/GB,overage 3.10/h"))
    assert found["terms-not-planned"] == "x-h100-sxm-80gb-quote: the plan does not count its egress price"


def test_a_file_of_quotes_is_planned_with(plan, files):
    sheet = files.text("quotes.toml", f'[[quote]]\nprovider = "x"\ngpu = "{GPU}"\nprice = 2.4\nterm = "12mo"\n')
    result = plan("--offers", sheet)
    assert result["purchases"][0]["gpus"] == 60
    assert [source["path"] for source in result["inputs"]["offers"]] == ["offers.csv", "quotes.toml"]


def test_currencies_are_converted_at_the_rate_of_the_settings(plan, files):
    files.text("tranche.toml", "[currencies]\nEUR = 1.2\n")
    euro = files.table("euro.csv", [files.offer("eu", "reserved", holding=2.0, currency="EUR", term_months=12)])
    result = plan("--offers", euro)
    assert result["purchases"][0]["holding_usd_per_gpu_hour"] == "2.40"
    assert result["summary"]["cost"] == "1552.00"
    assert ("converted", "1 prices converted from EUR to USD at 1.2, as tranche.toml says") in said(
        plan, "--offers", euro
    )


def test_a_rate_that_is_none_is_refused(tranche, files):
    files.text("tranche.toml", "[currencies]\nEUR = 0\n")
    ran = tranche("plan", files.usage, "--offers", files.offers)
    assert (ran.code, "[currencies]" in ran.err) == (2, True)
