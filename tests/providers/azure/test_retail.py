"""Items of Azure's retail price list, in the shape of its documentation, with prices of a capture of 2026-09-16."""

from datetime import UTC, datetime
from functools import partial

import pytest

from providers.asking import Ask
from providers.azure.retail import MalformedError, harvest, hours_of, months_of, rows_of, sizes
from providers.tables import InputError

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
H100 = "Standard_ND96isr_H100_v5"
ON_DEMAND = 98.32  # USD an hour, ND96isr_H100_v5 in eastus: prices.md §6
SPOT, WINDOWS, LOW_PRIORITY = 18.169536, 102.736, 41.094
RATIOS = {"1 Year": (0.64, 8_760), "3 Years": (0.439, 26_280), "5 Years": (0.40, 43_800)}  # of on demand, hours


def item(**changed):
    return {
        "currencyCode": "USD", "tierMinimumUnits": 0.0, "retailPrice": ON_DEMAND, "unitPrice": ON_DEMAND,
        "armRegionName": "eastus", "location": "US East", "effectiveStartDate": "2023-08-01T00:00:00Z",
        "meterId": "m", "meterName": "ND96isr H100 v5", "productId": "p", "skuId": "p/s",
        "productName": "Virtual Machines NDsr H100 v5 Series", "skuName": "ND96isr H100 v5",
        "serviceName": "Virtual Machines", "serviceId": "s", "serviceFamily": "Compute", "unitOfMeasure": "1 Hour",
        "type": "Consumption", "isPrimaryMeterRegion": True, "armSkuName": H100,
    } | changed  # fmt: skip


def reservation(term):
    ratio, hours = RATIOS[term]
    return item(type="Reservation", reservationTerm=term, retailPrice=ON_DEMAND * ratio * hours)


def without(key):
    return {name: value for name, value in item().items() if name != key}


SPOT_ITEM = item(skuName="ND96isr H100 v5 Spot", meterName="ND96isr H100 v5 Spot", retailPrice=SPOT)


def read(*items, regions=()):
    return harvest(items, partial(rows_of, now=NOW), Ask(now=NOW, regions=regions), source="list")


def told(harvested):
    return [(one.purchase_option, one.term_months, pytest.approx(one.hourly)) for one in harvested.listings]


def test_on_demand_and_spot_are_told_apart_by_the_name_of_the_meter():
    assert told(read(item(), SPOT_ITEM)) == [("on_demand", None, ON_DEMAND), ("spot", None, SPOT)]


def test_a_listing_says_what_where_when_and_from_whom():
    (one,) = read(item(currencyCode="EUR")).listings
    assert (one.provider, one.region, one.instance_type, one.currency) == ("azure", "eastus", H100, "EUR")
    assert (one.as_of, one.source, one.upfront, one.gpus) == ("2026-11-21", "list", 0.0, None)


def test_windows_has_the_meter_of_linux_and_is_told_apart_by_the_product():
    windows = item(productName="Virtual Machines NDsr H100 v5 Series Windows", retailPrice=WINDOWS)
    assert told(read(windows, item())) == [("on_demand", None, ON_DEMAND)]


@pytest.mark.parametrize(
    "other",
    [
        item(
            skuName="ND96isr H100 v5 Low Priority",
            meterName="ND96isr H100 v5 Low Priority",
            retailPrice=LOW_PRIORITY,
            effectiveStartDate="2025-01-01T00:00:00Z",
        ),
        item(productName="ND H100 v5 Series Cloud Services", retailPrice=WINDOWS),
        item(type="DevTestConsumption", retailPrice=70.0),
        item(tierMinimumUnits=100.0, retailPrice=70.0, effectiveStartDate="2025-01-01T00:00:00Z"),
        item(effectiveStartDate="2026-12-01T00:00:00Z", retailPrice=70.0),
        item(effectiveStartDate="2025-01-01T00:00:00Z", effectiveEndDate="2026-11-01T00:00:00Z", retailPrice=70.0),
        item(armSkuName="Standard_D2s_v5", retailPrice=0.1),
        item(isPrimaryMeterRegion=False, effectiveStartDate="2025-01-01T00:00:00Z", retailPrice=70.0),
        item(effectiveStartDate="2023-01-01T00:00:00Z", retailPrice=110.0),
    ],
    ids=["low priority", "cloud services", "devtest", "tier", "future", "ended", "no gpu", "secondary", "older"],
)
def test_only_the_price_that_holds_today_counts(other):
    assert told(read(other, item(), other)) == [("on_demand", None, ON_DEMAND)]


def test_a_price_of_a_secondary_meter_region_counts_where_it_is_the_only_one():
    assert told(read(item(isPrimaryMeterRegion=False))) == [("on_demand", None, ON_DEMAND)]


@pytest.mark.parametrize(("term", "months"), [("1 Year", 12), ("3 Years", 36), ("5 Years", 60)])
def test_the_price_of_a_reservation_is_the_total_of_its_term_although_its_unit_says_one_hour(term, months):
    (one,) = read(reservation(term)).listings
    hourly = ON_DEMAND * RATIOS[term][0]
    assert (one.purchase_option, one.term_months, one.upfront) == ("reserved", months, 0.0)
    assert (one.variant, one.hourly) == ("reservation", pytest.approx(hourly))
    assert f"{hourly * RATIOS[term][1]:,.2f} USD" in one.note


def test_a_savings_plan_is_hourly_and_stands_in_the_row_on_demand():
    plans = [{"unitPrice": 80.0, "retailPrice": 80.0, "term": "1 Year"}, {"retailPrice": 60.0, "term": "3 Years"}]
    assert told(read(item(savingsPlan=plans))) == [
        ("on_demand", None, ON_DEMAND), ("savings_plan", 12, 80.0), ("savings_plan", 36, 60.0),
    ]  # fmt: skip


def test_sizes_match_whatever_their_case():
    assert read(item(armSkuName=H100.upper())).listings[0].instance_type == H100


def test_a_price_in_other_units_is_converted():
    assert told(read(item(unitOfMeasure="100 Hours", retailPrice=9832.0))) == [("on_demand", None, ON_DEMAND)]
    assert [hours_of(unit) for unit in ("1 Hour", "1/Hour", "10 Hours", "1/Day", "60 Minutes", "1 Minute")] == [
        1, 1, 10, 24, pytest.approx(1), pytest.approx(1 / 60),
    ]  # fmt: skip


@pytest.mark.parametrize("unit", ["1 GB", "1/Month", "0 Hours", "", "Hour GB"])
def test_a_unit_that_is_no_certain_time_is_refused(unit):
    with pytest.raises(MalformedError):
        hours_of(unit)


def test_terms_are_read_as_both_apis_write_them():
    assert [months_of(term) for term in ("1 Year", "3 Years", "P5Y", "P1M", "12 Months")] == [12, 36, 60, 1, 12]
    for term in ("None", "0 Years", "forever"):
        with pytest.raises(MalformedError):
            months_of(term)


def test_a_missing_price_is_passed_on_as_missing_and_odd_ones_as_they_are():
    assert read(item(retailPrice=None)).listings[0].hourly is None
    assert [read(item(retailPrice=odd)).listings[0].hourly for odd in (0.0, -1.0)] == [0.0, -1.0]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (item(retailPrice="98.32"), "retailPrice is '98.32'"),
        (without("retailPrice"), "retailPrice is 'missing'"),
        (without("armRegionName"), "armRegionName is None"),
        (item(unitOfMeasure="1 Potato"), "'1 Potato'"),
        (item(type="Reservation"), "reservationTerm is None"),
        (item(effectiveStartDate="soon"), "effectiveStartDate is 'soon'"),
        (item(savingsPlan=[{"term": "1 Year"}]), "retailPrice is 'missing'"),
        (item(savingsPlan=["60"]), "savingsPlan is '60'"),
        ("text", "no object"),
    ],
)
def test_a_row_that_cannot_be_read_is_left_out_with_one_warning(broken, said):
    harvested = read(broken, SPOT_ITEM, broken, broken, broken)
    assert told(harvested) == [("spot", None, SPOT)]
    (found,) = harvested.found
    assert (found.level, found.code) == ("warning", "azure-rows-skipped")
    assert found.message.startswith("list: 4 of its rows")
    assert said in found.message
    assert found.message.endswith("and 1 more")


def test_a_list_of_which_nothing_is_understood_is_refused():
    with pytest.raises(InputError, match="shape of the list has changed"):
        read(without("retailPrice"), without("armSkuName"), regions=("eastus",))
    with pytest.raises(InputError, match="shape of the list has changed"):
        read()
    with pytest.raises(InputError, match="true today"):
        read(item(type="Anything"))


def test_regions_that_nobody_asks_for_are_left_out():
    prices = [item(), item(armRegionName="westus3")]
    assert [one.region for one in read(*prices, regions=("west*",)).listings] == ["westus3"]
    assert read(*prices, regions=("chinaeast",)).listings == []


def test_of_several_prices_at_once_the_dearest_counts_and_a_warning_says_so():
    harvested = read(item(retailPrice=90.0), item(), item(retailPrice=95.0))
    assert told(harvested) == [("on_demand", None, ON_DEMAND)]
    assert [one.code for one in harvested.found] == ["azure-prices-differ"]
    assert "ND96isr_H100_v5 on_demand in eastus" in harvested.found[0].message


def test_the_same_row_on_two_pages_is_one_price_without_a_word():
    harvested = read(item(), item())
    assert (len(harvested.listings), list(harvested.found)) == (1, [])


def test_every_size_that_is_asked_for_is_spelled_as_azure_does():
    assert sizes()["standard_nd96isr_h100_v5"] == H100
    assert all(name.startswith("Standard_N") for name in sizes().values())
