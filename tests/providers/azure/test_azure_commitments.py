"""Reservations and savings plans as Azure Resource Manager lists them, priced from the public list."""

from datetime import UTC, datetime
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import azure.identity
import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from providers.asking import Ask, NoCredentialsError
from providers.azure import commitments
from providers.azure.commitments import owned
from providers.tables import COMMITMENTS, InputError, checked
from providers.web import Web

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
HERE = Path(__file__).parent
H100 = "Standard_ND96isr_H100_v5"
THREE_YEARS = 98.32 * 0.439  # USD an hour of a whole machine: on-demand price and ratio of prices.md §6


def _helper(path):
    spec = spec_from_file_location(f"azure_commitments_{path.stem}", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


answering = _helper(HERE.with_name("loopback_server.py")).answering
RETAIL = _helper(HERE / "test_retail.py")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(commitments, "Web", partial(Web, backoff_s=0))


def reservation(number=1, sku=H100, location="eastus", **changed):
    return {
        "id": f"/providers/Microsoft.Capacity/reservationOrders/0/reservations/R{number}",
        "type": "microsoft.capacity/reservationOrders/reservations", "name": f"0/R{number}", "location": location,
        "sku": {"name": sku},
        "properties": {
            "reservedResourceType": "VirtualMachines", "provisioningState": "Succeeded", "quantity": 2,
            "displayName": "training", "term": "P3Y", "billingPlan": "Monthly",
            "effectiveDateTime": "2026-02-01T10:00:00.1234567Z", "purchaseDate": "2026-02-01",
            "expiryDate": "2029-02-01", "expiryDateTime": "2029-02-01T10:00:00Z", **changed,
        },
    }  # fmt: skip


def plan(**changed):
    return {
        "id": "/providers/Microsoft.BillingBenefits/savingsPlanOrders/0/savingsPlans/S1",
        "type": "Microsoft.BillingBenefits/savingsPlanOrders/savingsPlans", "sku": {"name": "Compute_Savings_Plan"},
        "properties": {
            "provisioningState": "Succeeded", "displayName": "all", "term": "P1Y", "billingPlan": "P1M",
            "benefitStartTime": "2026-03-01T00:00:00Z", "expiryDateTime": "2027-03-01T00:00:00Z",
            "commitment": {"amount": 12.5, "currencyCode": "USD", "grain": "Hourly"}, **changed,
        },
    }  # fmt: skip


def answers(reservations=(), plans=(), prices=None):
    """Return what answers as Azure does; each page of reservations holds one."""

    def reply(asked):
        if "retail" in asked.path:
            found = prices if prices is not None else [RETAIL.item(), RETAIL.reservation("3 Years")]
            return 200, {"Items": found, "NextPageLink": None}
        if asked.path == "/providers/Microsoft.BillingBenefits/savingsPlans":
            return 200, {"value": list(plans)}
        page = int(asked.parameters.get("$skiptoken", 0))
        more = page + 1 < len(reservations)
        link = f"https://management.azure.com{asked.path}?api-version=2022-11-01&$skiptoken={page + 1}"
        return 200, {"value": list(reservations)[page : page + 1], "nextLink": link if more else None}

    return reply


def asking(url, **more):
    return Ask(now=NOW, urls={"azure-commitments": url, "azure-retail": f"{url}/api/retail/prices"}, **more)


def read(*reservations, plans=(), prices=None, **more):
    with answering(answers(reservations, plans, prices)) as (url, _):
        return owned(asking(url, **more), token=lambda: "SECRET")


def test_a_reservation_is_owned_machines_at_todays_list_price():
    table = checked(read(reservation()).commitments, COMMITMENTS, where="test")
    (row,) = table.iter_rows(named=True)
    assert row["commitment_id"] == "/providers/microsoft.capacity/reservationorders/0/reservations/r1"
    assert (row["gpu_model"], row["gpus"], row["gpus_per_node"], row["lot_gpus"]) == ("H100-SXM-80GB", 16, 8, 8)
    assert row["holding_usd_per_gpu_hour"] == pytest.approx(THREE_YEARS / 8)
    assert (row["usage_usd_per_gpu_hour"], row["upfront_share"], row["term_months"]) == (0, 0, 36)
    assert (row["start"].date().isoformat(), row["end"]) == ("2026-02-01", datetime(2029, 2, 1, 10, tzinfo=UTC))
    assert (row["provider"], row["region"], row["instance_type"]) == ("azure", "eastus", H100)
    assert (row["confidence"], row["note"]) == ("low", "training; at today's list price, not at what was agreed")


def test_what_was_paid_at_the_start_says_so():
    assert read(reservation(billingPlan="Upfront")).commitments["upfront_share"].to_list() == [1.0]


def test_a_savings_plan_is_dollars_an_hour():
    harvest = read(plans=[plan()])
    (row,) = checked(harvest.commitments, COMMITMENTS, where="test").iter_rows(named=True)
    assert (row["usd_per_hour"], row["gpus"], row["purchase_option"]) == (12.5, None, "savings_plan")
    assert (row["gpu_model"], row["region"], row["term_months"], row["currency"]) == ("any", None, 12, "USD")
    assert harvest.found == ()


def test_every_page_is_read_with_the_login_which_goes_nowhere_else():
    with answering(answers([reservation(1), reservation(2, quantity=1)])) as (url, asked):
        table = owned(asking(url), token=lambda: "SECRET").commitments
    assert sorted(table["gpus"]) == [8, 16]
    assert {one.authorization for one in asked if "retail" not in one.path} == {"Bearer SECRET"}
    assert {one.authorization for one in asked if "retail" in one.path} == {None}


def test_a_link_to_somebody_else_is_not_followed_with_the_login():
    def reply(_):
        return 200, {"value": [], "nextLink": "https://evil.example/"}

    with answering(reply) as (url, asked), pytest.raises(InputError, match=r"evil\.example"):
        owned(asking(url), token=lambda: "SECRET")
    assert len(asked) == 1


@pytest.mark.parametrize(
    "other",
    [
        reservation(2, provisioningState="Cancelled"),
        reservation(2, expiryDateTime="2026-11-01T00:00:00Z"),
        reservation(2, sku="Standard_D2s_v5"),
        reservation(2, sku="Standard_ND96isr_H100_v5", reservedResourceType="DedicatedHost"),
        reservation(2, location="westus"),
    ],
    ids=["cancelled", "expired", "no gpu", "no machine", "elsewhere"],
)
def test_what_is_not_owned_now_or_has_no_gpu_is_left_out_silently(other):
    harvest = read(reservation(), other, regions=("east*",))
    assert harvest.commitments["commitment_id"].str.ends_with("r1").to_list() == [True]
    assert harvest.found == ()


@pytest.mark.parametrize(
    ("changed", "prices"),
    [
        ({"location": "westus"}, None),
        ({"term": "P1Y"}, None),
        ({}, []),
        ({}, [{"new": "shape"}]),
    ],
    ids=["region", "term", "size", "shape"],
)
def test_a_reservation_without_a_price_is_named_and_left_out(changed, prices):
    harvest = read(reservation(7, **changed), plans=[plan()], prices=prices)
    assert harvest.commitments["purchase_option"].to_list() == ["savings_plan"]
    (found,) = harvest.found
    assert "price is not known: r7 (Standard_ND96isr_H100_v5)" in found.message
    assert "--commitments" in found.hint


def test_a_gpu_size_that_nobody_knows_is_named():
    harvest = read(reservation(8, sku="Standard_ND999_X_v9"))
    assert harvest.commitments is None
    assert [one.message.rpartition(": ")[2] for one in harvest.found] == ["r8 (Standard_ND999_X_v9)"]


def test_nothing_owned_is_no_error():
    assert read().commitments is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"quantity": "two"}, "quantity is 'two'"),
        ({"term": "None"}, "term 'None'"),
        ({"expiryDateTime": None, "expiryDate": None}, "time 'None'"),
    ],
)
def test_a_reservation_that_cannot_be_read_is_left_out_with_a_warning(changed, said):
    harvest = read(reservation(), reservation(2, **changed))
    assert harvest.commitments.height == 1
    assert said in harvest.found[0].message
    with pytest.raises(InputError, match="nothing that can be read"):
        read(reservation(2, **changed))


@pytest.mark.parametrize("grain", [{"commitment": None}, {"commitment": {"amount": 5, "grain": "Daily"}}])
def test_a_savings_plan_that_cannot_be_read_is_not_taken_for_none(grain):
    with pytest.raises(InputError, match="commitment is"):
        read(plans=[plan(**grain)])


@pytest.mark.parametrize("answer", [{"items": []}, [], {"value": {}}])
def test_another_shape_is_an_error(answer):
    with answering(lambda _: (200, answer)) as (url, _), pytest.raises(InputError, match="shape of the list"):
        owned(asking(url), token=lambda: "SECRET")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_login_is_an_error_that_does_not_show_it(status):
    with answering(lambda _: (status, {})) as (url, _), pytest.raises(InputError, match=f"answers {status}") as raised:
        owned(asking(url), token=lambda: "SECRET")
    assert "SECRET" not in str(raised.value)


class Login:
    """Stands for Azure's chain of credentials."""

    def __init__(self, message=""):
        self.message = message

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def get_token(self, scope):
        assert scope == "https://management.azure.com/.default"
        if self.message:
            raise ClientAuthenticationError(self.message)
        return AccessToken("SECRET", 4_000_000_000)


@pytest.mark.parametrize(
    ("message", "error", "said"),
    [
        ("DefaultAzureCredential failed to retrieve a token", NoCredentialsError, "no login"),
        ("AADSTS70043: the refresh token has expired", InputError, "AADSTS70043"),
    ],
)
def test_no_login_and_an_expired_one_are_told_apart(monkeypatch, message, error, said):
    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", lambda: Login(message))
    with pytest.raises(InputError, match=said) as raised:
        owned(Ask(now=NOW))
    assert type(raised.value) is error


def test_the_login_of_azures_own_chain_is_used(monkeypatch):
    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", Login)
    with answering(_empty) as (url, asked):
        assert owned(asking(url)).commitments is None
    assert {one.authorization for one in asked} == {"Bearer SECRET"}


def _empty(_asked):
    return 200, {"value": []}
