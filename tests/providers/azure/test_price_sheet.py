"""Azure's price sheets: columns as both agreements write them, and the download through the real client."""

import csv
import io
from datetime import UTC, datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from zipfile import ZipFile

import pytest
from azure.core.exceptions import ClientAuthenticationError, ResourceNotFoundError
from azure.identity import CredentialUnavailableError

from providers.asking import Ask, NoCredentialsError
from providers.azure.offers import negotiated
from providers.tables import InputError

_SPEC = spec_from_file_location("azure_transport", Path(__file__).with_name("test_api.py"))
_API = module_from_spec(_SPEC)
_SPEC.loader.exec_module(_API)
client, ACCEPTED, THROTTLED = _API.client, _API.ACCEPTED, _API.THROTTLED

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
H100 = "Standard_ND96isr_H100_v5"
LINK = "https://sheets.example/sheet?sig=SECRET"
ACCOUNT = "/providers/Microsoft.Billing/billingAccounts/100"
PROFILE = "/providers/Microsoft.Billing/billingAccounts/1:2_2019-05-31/billingProfiles/ABCD"
EA_DONE = (200, {}, {"status": "Completed", "properties": {"reportUrl": LINK, "validUntil": "2026-11-21T10:00:00Z"}})
MCA_DONE = (200, {}, {"expiryTime": "2026-11-21T10:00:00Z", "downloadUrl": LINK})
LIST_PRICE = 98.32  # USD an hour of ND96isr_H100_v5 in eastus: prices.md §6
AGREED = LIST_PRICE * 0.9


def ea(**changed):
    """Return a row of an Enterprise Agreement's sheet, which prices blocks of hours."""
    return {
        "EnrollmentNumber": "100", "MeterId": "m", "MeterName": "ND96isr H100 v5", "MeterType": "1 Compute Hour",
        "MeterCategory": "Virtual Machines", "MeterSubCategory": "NDsr H100 v5 Series", "ServiceFamily": "Compute",
        "Product": "Virtual Machines NDsr H100 v5 Series - ND96isr H100 v5 - US East", "SkuId": "s", "ProductId": "p",
        "MeterRegion": "US East", "UnitOfMeasure": "10 Hours", "PartNumber": "AAA-1",
        "EffectiveStartDate": "2026-11-01T00:00:00.0000000Z", "EffectiveEndDate": "2026-11-30T00:00:00.0000000Z",
        "UnitPrice": str(AGREED * 10), "BasePrice": str(LIST_PRICE * 10), "MarketPrice": str(LIST_PRICE * 10),
        "CurrencyCode": "EUR", "IncludedQuantity": "0", "OfferId": "MS-AZR-0017P", "Term": "",
        "PriceType": "Consumption",
    } | changed  # fmt: skip


def mca(**changed):
    """Return a row of a Customer Agreement's sheet."""
    return {
        "basePrice": str(LIST_PRICE), "billingAccountId": "1", "billingCurrency": "GBP", "billingProfileId": "ABCD",
        "currency": "USD", "effectiveEndDate": "12/31/2026", "effectiveStartDate": "08/01/2023",
        "marketPrice": str(LIST_PRICE), "meterId": "m", "meterCategory": "Virtual Machines",
        "meterName": "ND96isr H100 v5", "meterSubCategory": "NDsr H100 v5 Series", "meterType": "Compute",
        "meterRegion": "UK South", "priceType": "Consumption", "product": "ND96isr H100 v5 - UK South",
        "productId": "p", "productOrderName": "Azure plan", "serviceFamily": "Compute", "skuId": "s", "term": "",
        "tierMinimumUnits": "0", "unitOfMeasure": "1 Hour", "unitPrice": str(AGREED),
    } | changed  # fmt: skip


def written(rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def fetching(*sheets, zipped=False):
    def fetch(link, path):
        assert link == LINK
        if not zipped:
            path.write_text(sheets[0], encoding="utf-8-sig")
            return
        with ZipFile(path, "w") as archive:
            archive.writestr("manifest.json", "{}")
            for index, sheet in enumerate(sheets):
                archive.writestr(f"part_{index}.csv", sheet)

    return fetch


@pytest.fixture(autouse=True)
def _scope(monkeypatch):
    monkeypatch.setenv("AZURE_BILLING_SCOPE", ACCOUNT)


def read(*rows, regions=()):
    asked, _ = client(EA_DONE)
    return negotiated(Ask(now=NOW, regions=regions), client=asked, fetch=fetching(written(rows)))


def test_an_enterprise_agreement_prices_blocks_of_hours():
    (one,) = read(ea()).listings
    assert (one.instance_type, one.region, one.purchase_option) == (H100, "eastus", "on_demand")
    assert (one.hourly, one.currency, one.note) == (pytest.approx(AGREED), "EUR", "negotiated")
    assert (one.provider, one.as_of, one.source) == ("azure", "2026-11-21", "Azure price sheet")


def test_a_customer_agreement_has_other_words_for_the_same(monkeypatch):
    monkeypatch.setenv("AZURE_BILLING_SCOPE", PROFILE)
    asked, service = client(ACCEPTED, THROTTLED, MCA_DONE)
    found = negotiated(Ask(now=NOW), client=asked, fetch=fetching(written([mca()]))).listings
    assert [(one.instance_type, one.region, one.hourly, one.currency) for one in found] == [
        (H100, "uksouth", pytest.approx(AGREED), "USD")
    ]
    assert "/billingProfiles/ABCD/providers/Microsoft.CostManagement/pricesheets/" in service.requests[0].url


def test_the_sheet_of_this_month_is_asked_for():
    asked, service = client(ACCEPTED, EA_DONE)
    negotiated(Ask(now=NOW), client=asked, fetch=fetching(written([ea()])))
    assert "/billingAccounts/100/billingPeriods/202611/" in service.requests[0].url


def test_a_zip_is_read_whole_and_a_title_above_the_columns_is_skipped():
    sheets = ["Price Sheet Report for 202611\n\n" + written([ea()]), written([ea(MeterRegion="US West 3")])]
    asked, _ = client(EA_DONE)
    found = negotiated(Ask(now=NOW), client=asked, fetch=fetching(*sheets, zipped=True)).listings
    assert sorted(one.region for one in found) == ["eastus", "westus3"]


def test_reservations_are_totals_of_their_term_and_savings_plans_are_hourly():
    total = LIST_PRICE * 0.439 * 26_280
    found = read(
        ea(PriceType="ReservedInstance", Term="P3Y", UnitPrice=str(total), UnitOfMeasure="1 Hour"),
        ea(PriceType="Savings Plan", Term="P1Y", UnitPrice="700"),
        ea(MeterName="ND96isr H100 v5 Spot", UnitPrice="200"),
    ).listings
    assert {one.purchase_option: (one.term_months, one.hourly, one.upfront) for one in found} == {
        "reserved": (36, pytest.approx(LIST_PRICE * 0.439), 0), "savings_plan": (12, 70.0, 0), "spot": (None, 20.0, 0),
    }  # fmt: skip


@pytest.mark.parametrize(
    "other",
    [
        ea(MeterSubCategory="NDsr H100 v5 Series Windows", UnitPrice="1027.36"),
        ea(Product="Cloud Services ND H100 v5 - US East", UnitPrice="1027.36"),
        ea(MeterName="ND96isr H100 v5 Low Priority", UnitPrice="1027.36"),
        ea(OfferId="MS-AZR-0148P", UnitPrice="1027.36"),
        ea(PriceType="Entitlement", UnitPrice="1027.36"),
        ea(MeterName="D2s v5", UnitPrice="1"),
        ea(MeterCategory="Virtual Machines Licenses", UnitPrice="1027.36"),
        ea(EffectiveStartDate="2026-12-01T00:00:00Z", UnitPrice="1027.36"),
        ea(EffectiveEndDate="2026-11-20T00:00:00Z", UnitPrice="1027.36"),
    ],
)
def test_rows_about_something_else_do_not_count(other):
    assert [one.hourly for one in read(other, ea(), other).listings] == [pytest.approx(AGREED)]


@pytest.mark.parametrize("other", [{"tierMinimumUnits": "100"}, {"productOrderName": "Azure plan for DevTest"}])
def test_higher_tiers_and_prices_for_tests_do_not_count(other):
    found = read(mca(**other, unitPrice="999"), mca()).listings
    assert [one.hourly for one in found] == [pytest.approx(AGREED)]


def test_meters_are_matched_with_the_sizes_of_the_table():
    meters = {
        "NC24ads A100 v4": "Standard_NC24ads_A100_v4", "ND40rs v2": "Standard_ND40rs_v2",
        "NC6 Promo": "Standard_NC6_Promo", "nc6s V3": "Standard_NC6s_v3",
    }  # fmt: skip
    assert {one.instance_type for one in read(*(ea(MeterName=name) for name in meters)).listings} == set(
        meters.values()
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"UnitPrice": "n/a"}, "unit price 'n/a'"),
        ({"UnitOfMeasure": "1/Month"}, "unit of measure '1/Month'"),
        ({"MeterRegion": "Moon North"}, "ND96isr H100 v5 in Moon North: a region that is not known"),
        ({"PriceType": "ReservedInstance", "Term": ""}, "term ''"),
        ({"EffectiveEndDate": "later"}, "time 'later'"),
    ],
)
def test_a_row_that_cannot_be_read_is_left_out_with_a_warning(changed, said):
    harvest = read(ea(), ea(**changed))
    assert len(harvest.listings) == 1
    (found,) = harvest.found
    assert said in found.message


def test_a_missing_price_is_passed_on_as_missing():
    assert read(ea(UnitPrice="")).listings[0].hourly is None


def test_only_the_regions_that_are_asked_for_count():
    assert [one.region for one in read(ea(), ea(MeterRegion="EU West"), regions=("west*",)).listings] == ["westeurope"]


@pytest.mark.parametrize(
    ("sheet", "said"),
    [
        (written([{"Meter": "ND96isr H100 v5", "Price": "98"}]), "has no columns metercategory"),
        ("", "has no columns metercategory"),
        (written([ea(UnitPrice="n/a")]), "shape of the list has changed"),
        (written([ea(MeterCategory="Storage")]), "shape of the list has changed"),
    ],
)
def test_a_sheet_of_another_shape_is_an_error_and_no_empty_harvest(sheet, said):
    asked, _ = client(EA_DONE)
    with pytest.raises(InputError, match=said):
        negotiated(Ask(now=NOW), client=asked, fetch=fetching(sheet))


def test_a_damaged_sheet_is_an_error():
    def fetch(_link, path):
        path.write_bytes(b"\xff\xfe\x00broken")

    asked, _ = client(EA_DONE)
    with pytest.raises(InputError, match="came damaged"):
        negotiated(Ask(now=NOW), client=asked, fetch=fetch)


@pytest.mark.parametrize(
    ("scope", "error", "said"),
    [
        (None, NoCredentialsError, "AZURE_BILLING_SCOPE is not set; set it to /providers/Microsoft.Billing"),
        ("/subscriptions/1", InputError, "is no billing scope"),
        (PROFILE.partition("/billingProfiles")[0], InputError, "names no billing profile"),
    ],
)
def test_the_scope_must_be_one(monkeypatch, scope, error, said):
    monkeypatch.delenv("AZURE_BILLING_SCOPE")
    if scope:
        monkeypatch.setenv("AZURE_BILLING_SCOPE", scope)
    with pytest.raises(error, match=said):
        negotiated(Ask(now=NOW))


@pytest.mark.parametrize(
    ("failure", "error", "said"),
    [
        (CredentialUnavailableError("nobody is logged in"), NoCredentialsError, "there is no login to Azure"),
        (ClientAuthenticationError("AADSTS700082: expired, SECRET"), InputError, r"has expired \(AADSTS700082\)"),
    ],
)
def test_no_login_and_an_expired_one_are_told_apart(failure, error, said):
    asked, _ = client(error=failure)
    with pytest.raises(InputError, match=said) as raised:
        negotiated(Ask(now=NOW), client=asked)
    assert type(raised.value) is error
    assert "SECRET" not in str(raised.value)


def test_a_refusal_says_who_may_read_a_sheet():
    asked, _ = client((403, {}, {"error": {"code": "RBACAccessDenied", "message": "no"}}))
    with pytest.raises(InputError, match=r"answers 403.*role that may see charges"):
        negotiated(Ask(now=NOW), client=asked)


def test_a_sheet_that_was_not_written_is_an_error():
    asked, _ = client((200, {}, {"status": "Failed"}))
    with pytest.raises(InputError, match="was not written"):
        negotiated(Ask(now=NOW), client=asked)


def test_a_download_that_fails_does_not_show_the_link():
    def fetch(link, _path):
        raise ResourceNotFoundError(f"nothing at {link}")

    asked, _ = client(EA_DONE)
    with pytest.raises(InputError, match="cannot be reached") as raised:
        negotiated(Ask(now=NOW), client=asked, fetch=fetch)
    assert "SECRET" not in str(raised.value)
