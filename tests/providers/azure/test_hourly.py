"""Hourly charges of a subscription: asked through the real client, checked, saved, and read again as Shapes."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlparse

import pytest
from azure.core.exceptions import ClientAuthenticationError

from providers.azure.hourly import fetch
from providers.azure.hourly_series import read, series_of
from providers.charges import DEFAULT_TAGS, SHAPES
from providers.fetching import FETCHERS
from providers.recognise import File, kind_of
from providers.tables import InputError
from tests.providers.azure.test_api import SCOPE, THROTTLED, client

ID = SCOPE.rpartition("/")[2]
FIRST = datetime(2026, 9, 1, tzinfo=UTC)
KIND = "Microsoft.CostManagement/benefitRecommendations"


def recommendation(charges, *, kind="SavingsPlan", sku="Compute_Savings_Plan", **said):
    properties = {
        "scope": "Single", "firstConsumptionDate": "2026-09-01T00:00:00Z", "currencyCode": "USD", "armSkuName": sku,
        "lastConsumptionDate": f"{FIRST + timedelta(hours=len(charges)):%Y-%m-%dT%H:%M:%SZ}", "term": "P1Y",
        "lookBackPeriod": "Last60Days", "commitmentGranularity": "Hourly", "totalHours": len(charges),
        "usage": {"usageGrain": "Hourly", "charges": charges},
    }  # fmt: skip
    return {"id": "/x", "name": "x", "type": KIND, "kind": kind, "properties": properties | said}


def saved(charges=(1.5,) * 48, **said):
    """Return an answer of two days that somebody saved."""
    return {"value": [recommendation(list(charges), subscriptionId="Sub-1", **said)]}


def answer(*recommendations, link=None):
    return (200, {}, {"value": list(recommendations), "nextLink": link})


def shapes_of(*paths):
    reading = read([File(path=str(path), name="saved.json", kind="azure_hourly") for path in paths], DEFAULT_TAGS)
    assert reading.charges is reading.claims is reading.totals is None
    return reading.shapes.collect()


def test_the_charges_of_sixty_days_are_asked_for_saved_and_read_again(tmp_path):
    charges = [float(hour % 7) for hour in range(60 * 24)]
    asked, service = client(
        THROTTLED, answer(link="https://management.azure.com/next"), answer(recommendation(charges))
    )
    path = fetch(SCOPE.upper().replace("SUBSCRIPTIONS", "subscriptions"), folder=tmp_path, client=asked)
    address = urlparse(service.requests[0].url)
    assert address.path == f"/{SCOPE[1:].upper()}/providers/Microsoft.CostManagement/benefitRecommendations".replace(
        "SUBSCRIPTIONS", "subscriptions"
    )
    assert parse_qs(address.query) == {
        "api-version": ["2025-03-01"],
        "$filter": [
            "properties/scope eq 'Single' AND properties/lookBackPeriod eq 'Last60Days' AND properties/term eq 'P1Y'"
        ],
        "$expand": ["properties/usage"],
    }
    assert kind_of(path, "x") == "azure_hourly"
    shapes = shapes_of(path)
    assert shapes.schema == SHAPES
    assert shapes["charge"].to_list() == charges
    assert shapes["hour"].to_list() == [FIRST + timedelta(hours=hour) for hour in range(60 * 24)]
    assert shapes.drop("hour", "charge").unique().rows() == [("azure", ID, "USD", f"azure-hourly:/subscriptions/{ID}")]


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        (
            f"{SCOPE}/resourceGroups/lab",
            rf"is a resource group, .*; name the whole .*azure-hourly:/subscriptions/{ID}$",
        ),
        (
            "/providers/Microsoft.Billing/billingAccounts/1",
            "is no subscription, and the charges of several are one sum",
        ),
        ("", "is no subscription"),
        (ID, "write azure-hourly:/subscriptions/ID, once for each subscription"),
    ],
)
def test_only_a_subscription_is_asked_for(tmp_path, scope, said):
    asked, service = client()
    with pytest.raises(InputError, match=said):
        fetch(scope, folder=tmp_path, client=asked)
    assert service.requests == []


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([(403, {}, {"error": {"code": "RBACAccessDenied", "message": "no access"}})], "no access.*Management Reader"),
        ([answer()], "nothing there ran on demand that a savings plan could cover; wait"),
        ([answer(recommendation([1.0], sku="Database_Savings_Plan"))], "nothing there ran on demand"),
        ([answer(recommendation([]))], "nothing there ran on demand"),
        ([answer(recommendation([1.0], usage=None))], "nothing there ran on demand"),
        ([answer(recommendation([1.0]), recommendation([1.0]))], "gives 2 series where one is expected"),
        ([answer(recommendation([1.0], totalHours=2))], "has 1 charges for .* and 2 hours, which do not go together"),
        ([answer(recommendation([1.0, -1.0]))], "has -1.0 as charge 2"),
        ([answer(recommendation([1.0], firstConsumptionDate=None))], "has None as its first date"),
    ],
)
def test_what_is_no_series_is_refused_and_says_what_to_do(tmp_path, answers, said):
    asked, _ = client(*answers)
    with pytest.raises(InputError, match=f"^azure-hourly:{SCOPE}: .*{said}"):
        fetch(SCOPE, folder=tmp_path, client=asked)
    assert list(tmp_path.iterdir()) == []


def test_expired_credentials(tmp_path):
    asked, _ = client(error=ClientAuthenticationError("AADSTS700082: expired"))
    with pytest.raises(InputError, match=r"expired\); log in \(az login\)"):
        fetch(SCOPE, folder=tmp_path, client=asked)


@pytest.mark.parametrize(
    ("last", "count"),
    [
        ("2026-09-03T00:00:00Z", 48),  # the end of the last hour, as Azure's published example has it
        ("2026-09-02T23:00:00Z", 48),  # the last hour
        ("2026-09-02T00:00:00Z", 48),  # the last day
        ("2026-09-03T02:00:00+02:00", 48),
        ("2026-09-03", 48),
    ],
)
def test_the_number_of_charges_says_what_the_last_date_is(last, count):
    series = series_of(saved(lastConsumptionDate=last, totalHours=None), "saved.json")
    assert (series.first, series.end, len(series.charges)) == (FIRST, datetime(2026, 9, 3, tzinfo=UTC), count)
    assert series.account == "sub-1"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            saved([1.5] * 47, lastConsumptionDate="2026-09-03T00:00:00Z"),
            "47 charges for 2026-09-01T00:00Z to 2026-09-0",
        ),
        (saved([1.5] * 50, lastConsumptionDate="2026-09-03T00:00:00Z"), "do not go together; fetch it again"),
        (saved(totalHours=49), "48 charges for .* and 49 hours"),
        (
            saved(firstConsumptionDate="2026-09-01T00:30:00Z", lastConsumptionDate="2026-09-03T00:30:00Z"),
            "do not go together",
        ),
        (saved(lastConsumptionDate="2026-08-01T00:00:00Z"), "do not go together"),
        (saved(lastConsumptionDate="soon"), "has 'soon' as its last date"),
        (saved(usage={"usageGrain": "Daily", "charges": [1.5] * 48}), "by the grain daily, and not Hourly"),
        (saved(usage={"usageGrain": None, "charges": [1.5] * 48}), "by the grain of nothing"),
        (saved([1.5] * 47 + [float("nan")]), "has nan as charge 48, which no hour can cost"),
        (saved([float("inf")] * 48), "has inf as charge 1"),
        (saved([True] * 48), "has True as charge 1"),
        (saved(["1.5"] * 48), "has '1.5' as charge 1"),
        (saved(usage={"usageGrain": "Hourly", "charges": "1.5"}), "has no list of charges"),
        (saved(usage=None), "gives no hourly charges: .*ask with .expand=properties/usage"),
        (saved(currencyCode=None), "does not say its currency"),
        ({"value": [recommendation([1.5] * 48)]}, "does not say its subscription"),
        (saved(resourceGroup="lab"), "is of the resource group lab alone"),
    ],
)
def test_charges_that_are_no_hours_of_a_subscription_are_refused(answer, said):
    with pytest.raises(InputError, match=f"^saved.json: .*{said}"):
        series_of(answer, "saved.json")


def test_of_an_hour_that_two_series_hold_the_later_one_counts(tmp_path):
    older, newer = tmp_path / "b.json", tmp_path / "a.json"
    later = {"firstConsumptionDate": "2026-09-02T00:00:00Z", "lastConsumptionDate": "2026-09-04T00:00:00Z"}
    older.write_text(json.dumps(saved()))
    newer.write_text(json.dumps(saved([2.0] * 48, **later)))
    for paths in ((older, newer), (newer, older)):
        assert shapes_of(*paths)["charge"].to_list() == [1.5] * 24 + [2.0] * 48


def test_a_file_that_is_no_json_is_refused(tmp_path):
    path = tmp_path / "saved.json"
    path.write_text('{"value": [')
    with pytest.raises(InputError, match="cannot be read as JSON"):
        shapes_of(path)


def test_the_scheme_leads_here(tmp_path, monkeypatch):
    monkeypatch.setattr("providers.azure.hourly.fetch", lambda scope, *, folder: f"{folder}/{scope}")
    assert FETCHERS["azure-hourly"](SCOPE, None, tmp_path).path == f"{tmp_path}/{SCOPE}"
