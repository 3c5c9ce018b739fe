"""Google's price list through the real client over gRPC on loopback, and an account's own prices over HTTP."""

import threading
from datetime import UTC, datetime

import grpc
import pytest
from google.oauth2.credentials import Credentials

from providers.asking import Ask, NoCredentialsError, StoppedError
from providers.gcp import offers
from providers.gcp.offers import negotiated, prices
from providers.tables import InputError
from tests.providers.gcp.catalogue_server import listing, sku
from tests.providers.loopback_server import answering

NOW = datetime(2026, 11, 27, tzinfo=UTC)
G2 = [
    sku("G2 Instance Core running in Americas", "0.024988", name="CORE"),
    sku("G2 Instance Ram running in Americas", "0.002927", "GiBy.h", name="RAM"),
    sku("Nvidia L4 GPU running in Americas", "0.56004", name="L4"),
]
G2_STANDARD_8 = 8 * 0.024988 + 32 * 0.002927 + 0.56004  # 0.853608, as published


@pytest.fixture(autouse=True)
def waiting(monkeypatch):
    monkeypatch.setattr(offers, "FIRST_WAIT_S", 0.01)


@pytest.fixture
def logged_in(monkeypatch):
    monkeypatch.setattr("google.auth.default", lambda **_: (Credentials("TOKEN"), "my-project"))


class Watch:
    def __init__(self):
        self.expected, self.done = 0.0, 0.0

    def expect(self, amount, _unit):
        self.expected += amount

    def advance(self, amount, _unit):
        self.done += amount


def asked(server, **more):
    return Ask(now=NOW, urls={"gcp-prices": server.url, **more.pop("urls", {})}, **more)


def by_type(harvest):
    return {item.instance_type: item for item in harvest.listings}


def test_both_pages_of_the_list_are_composed_into_machines():
    watch = Watch()
    with listing(G2[:2], G2[2:]) as server:
        harvest = prices(asked(server, progress=watch))
    found = by_type(harvest)
    assert found["g2-standard-8"].hourly == pytest.approx(G2_STANDARD_8)
    assert found["g2-standard-48"].hourly / 4 == pytest.approx(1.000392)
    assert [request.page_token for request in server.requests] == ["", "1"]
    assert (server.requests[0].parent, server.requests[0].currency_code) == ("services/6F81-5844-456A", "USD")
    assert (watch.expected, watch.done) == (2, 2)


def test_a_listing_says_where_it_was_read_and_when_it_was_true():
    with listing(G2) as server:
        found = by_type(prices(asked(server)))["g2-standard-4"]
    assert (found.provider, found.region, found.currency) == ("gcp", "us-central1", "USD")
    assert (found.as_of, found.source) == ("2026-11-26T21:14:02Z", "Google Cloud Billing Catalog API")


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
def test_a_busy_service_is_asked_again(code):
    with listing(G2, refusals=[code, code]) as server:
        harvest = prices(asked(server))
    assert len(server.requests) == 3
    assert len(harvest.listings) == 8


def test_a_service_that_stays_busy_is_given_up(monkeypatch):
    monkeypatch.setattr(offers, "RETRY_S", 0.05)
    with (
        listing(G2, refusals=[grpc.StatusCode.UNAVAILABLE] * 1000) as server,
        pytest.raises(InputError, match=r"price list: does not answer \(RetryError\); try again later"),
    ):
        prices(asked(server))


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, "Unauthenticated"),
        (grpc.StatusCode.PERMISSION_DENIED, "PermissionDenied"),
        (grpc.StatusCode.INVALID_ARGUMENT, "InvalidArgument"),  # what a wrong key gives
    ],
)
def test_a_refusal_is_told_without_what_was_sent(code, name):
    with listing(G2, refusals=[code]) as server, pytest.raises(InputError, match=rf"refuses \({name}\)") as caught:
        prices(asked(server))
    assert len(server.requests) == 1
    assert "SECRET" not in str(caught.value)
    assert not isinstance(caught.value, NoCredentialsError)


def test_a_malformed_sku_is_told_and_the_others_are_used():
    odd = sku("G2 Instance Core running in Tokyo", "0.03", "fortnight", regions=["asia-northeast1"])
    with listing([odd, *G2]) as server:
        harvest = prices(asked(server))
    assert len(harvest.listings) == 8
    assert [(each.level, each.code) for each in harvest.found] == [("warning", "gcp-malformed-sku")]


def test_a_list_of_another_shape_is_an_error_and_no_empty_harvest():
    with listing([sku("Something else", "1")]) as server, pytest.raises(InputError, match="names no part"):
        prices(asked(server))


def test_the_reading_ends_between_pages_where_somebody_wants_it():
    stop = threading.Event()
    with listing(G2[:2], G2[2:]) as server:
        server.after = stop.set
        with pytest.raises(StoppedError):
            prices(asked(server, stop=stop))
    assert len(server.requests) == 1


def test_without_key_or_login_nothing_is_asked(monkeypatch, tmp_path):
    for name in ("GOOGLE_API_KEY", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(NoCredentialsError, match="GOOGLE_API_KEY"):
        prices(Ask(now=NOW))


def test_a_key_in_the_environment_is_what_the_client_is_given(monkeypatch):
    monkeypatch.setenv("GOOGLE_API_KEY", key := "KEY")
    with offers._client(None) as client:
        assert client.transport._credentials.token == key


def own(sku_id, units, nanos, unit="h", **more):
    tier = {"startAmount": {"value": "0"}, "listPrice": {"currencyCode": "USD", "units": "99"},
            "contractPrice": {"currencyCode": "USD", "units": units, "nanos": nanos}}  # fmt: skip
    return {
        "name": f"billingAccounts/0A-1B/skus/{sku_id}/price", "currencyCode": "USD", "valueType": "rate",
        "rate": {"tiers": [tier], "unitInfo": {"unit": unit, "unitQuantity": {"value": "1"}}},
    } | more  # fmt: skip


def accounted(monkeypatch, *pages):
    monkeypatch.setenv("GOOGLE_BILLING_ACCOUNT", "billingAccounts/0A-1B")

    def reply(request):
        page = int(request.parameters.get("pageToken", 0))
        token = {"nextPageToken": str(page + 1)} if page + 1 < len(pages) else {}
        return 200, {"billingAccountPrices": pages[page], **token}

    with listing(G2) as server, answering(reply) as (url, requests):
        return negotiated(asked(server, urls={"gcp-negotiated": url})), requests


def test_an_accounts_own_prices_replace_those_of_the_list(monkeypatch, logged_in):
    harvest, requests = accounted(monkeypatch, [own("CORE", "0", 20_000_000)], [own("L4", "0", 400_000_000)])
    found = by_type(harvest)["g2-standard-8"]
    assert found.hourly == pytest.approx(8 * 0.02 + 32 * 0.002927 + 0.4)
    assert (found.note, found.variant, found.as_of) == ("negotiated", "negotiated", "2026-11-27T00:00:00Z")
    assert [each.code for each in harvest.found] == ["gcp-list-price-kept"]
    assert [each.path for each in requests] == ["/v1beta/billingAccounts/0A-1B/skus/-/prices"] * 2
    assert {each.authorization for each in requests} == {"Bearer TOKEN"}


def test_an_own_price_that_is_not_understood_is_told_and_that_of_the_list_kept(monkeypatch, logged_in):
    rows = [own("CORE", "0", 20_000_000), own("RAM", "x", 0), own("L4", "1", 0, rate={"tiers": []})]
    harvest, _ = accounted(monkeypatch, rows)
    assert by_type(harvest)["g2-standard-8"].hourly == pytest.approx(8 * 0.02 + 32 * 0.002927 + 0.56004)
    assert harvest.found[-1].message.startswith("2 prices of the account are not understood")


def test_a_price_for_many_units_is_divided(monkeypatch, logged_in):
    row = own("L4", "400", 0)
    row["rate"]["unitInfo"]["unitQuantity"]["value"] = "1000"
    harvest, _ = accounted(monkeypatch, [row])
    assert by_type(harvest)["g2-standard-8"].hourly == pytest.approx(G2_STANDARD_8 - 0.56004 + 0.4)


def test_an_account_without_any_price_that_is_needed_is_an_error(monkeypatch, logged_in):
    with pytest.raises(InputError, match="has no price of any part"):
        accounted(monkeypatch, [own("OTHER", "1", 0)])


def test_own_prices_need_the_name_of_an_account(monkeypatch):
    monkeypatch.delenv("GOOGLE_BILLING_ACCOUNT", raising=False)
    with pytest.raises(NoCredentialsError, match="GOOGLE_BILLING_ACCOUNT"):
        negotiated(Ask(now=NOW))


def test_an_expired_login_is_told_from_none(monkeypatch):
    monkeypatch.setenv("GOOGLE_BILLING_ACCOUNT", "0A-1B")
    monkeypatch.setattr("google.auth.default", lambda **_: (Credentials(None), "my-project"))
    with pytest.raises(InputError, match=r"login is not accepted \(RefreshError\)") as caught:
        negotiated(Ask(now=NOW))
    assert not isinstance(caught.value, NoCredentialsError)
