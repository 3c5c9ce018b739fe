"""Resource commitments over HTTP on loopback, priced from a list over gRPC on loopback."""

from datetime import UTC, datetime

import pytest
from google.oauth2.credentials import Credentials

from providers.asking import Ask, NoCredentialsError
from providers.gcp.resource_commitments import owned
from providers.tables import COMMITMENTS, InputError, checked
from tests.providers.gcp.catalogue_server import listing, sku
from tests.providers.loopback_server import answering

NOW = datetime(2026, 11, 27, tzinfo=UTC)
SKUS = [
    sku("Commitment v1: A3 Cpu in Americas for 1 Year", "0.018", usage="Commit1Yr"),
    sku("Commitment v1: A3 Ram in Americas for 1 Year", "0.0016", "GiBy.h", usage="Commit1Yr"),
    sku("Commitment v1: Nvidia H100 80GB GPU in Americas for 1 Year", "6.8", usage="Commit1Yr"),
    sku("Commitment v1: Local SSD in Americas for 1 Year", "0.05", "GiBy.mo", usage="Commit1Yr"),
    sku("Commitment v1: Nvidia L4 GPU in Americas for 3 Years", "0.25", usage="Commit3Yr"),
    sku("Commitment v1: A4 Nvidia B200 (1 gpu slice) in Americas for 3 Years", "7.0884", usage="Commit3Yr"),
]
PLACE = "https://www.googleapis.com/compute/v1/projects/my-project/zones/us-central1-a/acceleratorTypes/"
H100 = [
    {"type": "VCPU", "amount": "416"},
    {"type": "MEMORY", "amount": str(3744 * 1024)},
    {"type": "ACCELERATOR", "amount": "16", "acceleratorType": f"{PLACE}nvidia-h100-80gb"},
    {"type": "LOCAL_SSD", "amount": "12000"},
]


def commitment(name="h100", resources=H100, **more):
    return {
        "kind": "compute#commitment", "name": name, "status": "ACTIVE", "plan": "TWELVE_MONTH", "category": "MACHINE",
        "type": "ACCELERATOR_OPTIMIZED_A3", "startTimestamp": "2026-03-01T00:00:00.000-08:00",
        "endTimestamp": "2027-03-01T00:00:00.000-08:00", "resources": resources,
    } | more  # fmt: skip


def gpus_alone(name, kind, amount, **more):
    return commitment(name, [{"type": "ACCELERATOR", "amount": amount, "acceleratorType": f"{PLACE}{kind}"}], **more)


@pytest.fixture(autouse=True)
def logged_in(monkeypatch):
    monkeypatch.setattr("google.auth.default", lambda **_: (Credentials("TOKEN"), "my-project"))


def read(*pages, regions=()):
    """Read pages of scopes, by region; returns the harvest and what was asked."""

    def reply(request):
        page = int(request.parameters.get("pageToken", 0))
        token = {"nextPageToken": str(page + 1)} if page + 1 < len(pages) else {}
        return 200, {"items": pages[page], **token}

    with listing(SKUS) as server, answering(reply) as (url, requests):
        urls = {"gcp-prices": server.url, "gcp-commitments": url}
        return owned(Ask(now=NOW, urls=urls, regions=regions)), requests


def in_iowa(*commitments):
    return {"regions/us-central1": {"commitments": list(commitments)}}


def test_a_commitment_costs_all_that_it_is_of_per_gpu():
    harvest, (request,) = read(in_iowa(commitment()))
    (row,) = checked(harvest.commitments, COMMITMENTS, where="commitments").iter_rows(named=True)
    assert row["holding_usd_per_gpu_hour"] == pytest.approx(
        (416 * 0.018 + 3744 * 0.0016 + 16 * 6.8 + 12000 * 0.05 / 730) / 16
    )
    assert (row["gpu_model"], row["gpus"], row["purchase_option"]) == ("H100-SXM-80GB", 16.0, "cud")
    assert (row["region"], row["term_months"], row["note"]) == ("us-central1", 12.0, "at the list price of commitments")
    assert (row["start"], row["end"]) == (datetime(2026, 3, 1, 8, tzinfo=UTC), datetime(2027, 3, 1, 8, tzinfo=UTC))
    assert (request.path, request.authorization) == (
        "/compute/v1/projects/my-project/aggregated/commitments",
        "Bearer TOKEN",
    )


def test_gpus_that_are_committed_alone_say_that_their_hosts_are_paid_apart():
    l4 = gpus_alone("l4", "nvidia-l4", "4", plan="THIRTY_SIX_MONTH", type="GRAPHICS_OPTIMIZED")
    (row,) = read(in_iowa(l4))[0].commitments.iter_rows(named=True)
    assert (row["gpu_model"], row["holding_usd_per_gpu_hour"], row["term_months"]) == ("L4-24GB", 0.25, 36.0)
    assert "paid apart" in row["note"]


def test_the_price_of_a_b200_has_its_host_in_it():
    resources = [
        {"type": "ACCELERATOR", "amount": "8", "acceleratorType": f"{PLACE}nvidia-b200"},
        {"type": "VCPU", "amount": "224"},
    ]
    b200 = commitment("b200", resources, plan="THIRTY_SIX_MONTH", type="ACCELERATOR_OPTIMIZED_A4")
    (row,) = read(in_iowa(b200))[0].commitments.iter_rows(named=True)
    assert row["holding_usd_per_gpu_hour"] == pytest.approx(7.0884)


def test_what_is_not_active_or_has_no_gpu_is_no_row():
    cores = commitment("cores", [{"type": "VCPU", "amount": "96"}])
    harvest, _ = read(in_iowa(cores, commitment(status="EXPIRED"), commitment(status="NOT_YET_ACTIVE")))
    assert (harvest.commitments, harvest.found) == (None, ())


def test_a_commitment_without_a_price_is_left_out_and_told():
    unpriced = gpus_alone("t4", "nvidia-tesla-t4", "2")
    abroad = {"regions/asia-east1": {"commitments": [commitment("far")]}}
    harvest, _ = read(in_iowa(commitment(), unpriced) | abroad)
    assert harvest.commitments["commitment_id"].to_list() == ["gcp-us-central1-h100"]
    (warning,) = harvest.found
    assert "t4 (no price of nvidia-tesla-t4 in us-central1)" in warning.message
    assert "far (no price of A3 core in asia-east1)" in warning.message
    assert "--commitments" in warning.hint


def test_a_commitment_that_is_not_understood_is_told_and_the_others_are_used():
    harvest, _ = read(in_iowa(commitment("odd", plan="SIXTY_MONTH"), commitment()))
    assert harvest.commitments.height == 1
    assert "odd (KeyError: 'SIXTY_MONTH')" in harvest.found[0].message


def test_commitments_of_which_none_is_understood_are_an_error():
    with pytest.raises(InputError, match="none of 2 commitments is understood"):
        read(in_iowa(commitment(plan="?"), commitment(startTimestamp=None, resources=[{"type": "ACCELERATOR"}])))


def test_a_region_may_come_on_two_pages():
    harvest, requests = read(in_iowa(commitment("one")), in_iowa(commitment("two")))
    assert len(requests) == 2
    assert harvest.commitments["commitment_id"].to_list() == ["gcp-us-central1-one", "gcp-us-central1-two"]


def test_regions_that_are_not_asked_for_are_passed_over():
    silent = {"regions/us-east1": {"warning": {"code": "UNREACHABLE"}}}
    europe = {"regions/europe-west4": {}}
    harvest, _ = read(in_iowa(commitment()) | silent | europe, regions=("europe-*",))
    assert (harvest.commitments, list(harvest.lost)) == (None, [])


def test_a_region_that_does_not_answer_is_lost_and_told():
    silent = {"regions/us-east1": {"warning": {"code": "UNREACHABLE"}}}
    empty = {"regions/us-west1": {"warning": {"code": "NO_RESULTS_ON_PAGE"}}}
    harvest, _ = read(in_iowa(commitment()) | silent | empty)
    assert harvest.lost == ["us-east1"]
    assert [(each.level, each.code) for each in harvest.found] == [("warning", "gcp-region-lost")]


def test_regions_of_which_none_answers_are_an_error():
    with pytest.raises(InputError, match="no region answers"):
        read({"regions/us-east1": {"warning": {"code": "UNREACHABLE"}}})


def test_a_refusal_names_the_address_and_never_the_token():
    def refuse(request):
        return 403, {"error": {"message": request.authorization}}

    with answering(refuse) as (url, _), pytest.raises(InputError, match="answers 403 Forbidden") as caught:
        owned(Ask(now=NOW, urls={"gcp-commitments": url}))
    assert "TOKEN" not in str(caught.value)


def test_a_login_without_a_project_is_told(monkeypatch):
    monkeypatch.setattr("google.auth.default", lambda **_: (Credentials("TOKEN"), None))
    with pytest.raises(NoCredentialsError, match="GOOGLE_CLOUD_PROJECT"):
        owned(Ask(now=NOW))
