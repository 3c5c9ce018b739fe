"""Azure's cost details through the real client, over a transport that speaks as the service does."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.transport import HttpTransport
from azure.core.rest import HttpResponse
from azure.core.rest._http_response_impl import HttpResponseImpl
from azure.mgmt.costmanagement import CostManagementClient
from requests.structures import CaseInsensitiveDict

from providers.azure.api import cost_details
from providers.deliveries import choose
from providers.places import resolve
from providers.tables import InputError

SCOPE = "/subscriptions/00000000-0000-4000-8000-000000000001"
SPAN = {"start": datetime(2026, 9, 28, tzinfo=UTC), "end": datetime(2026, 10, 3, tzinfo=UTC)}


class Credential:
    def __init__(self, error=None):
        self.error = error

    def get_token(self, *_scopes, **_more):
        if self.error:
            raise self.error
        return AccessToken("token", 4_000_000_000)


class Raw:
    """What a transport of azure-core wraps: nothing is streamed here."""


class Service(HttpTransport):
    """Answers each request with the next of its answers: a status, headers and a body."""

    def __init__(self, answers):
        self.answers, self.requests = list(answers), []

    def open(self): ...
    def close(self): ...
    def __exit__(self, *_): ...

    def sleep(self, _duration): ...

    def send(self, request, **_more) -> HttpResponse:
        self.requests.append(request)
        status, headers, body = self.answers.pop(0)
        response = HttpResponseImpl(
            request=request, internal_response=Raw(), status_code=status, reason="", block_size=4096,
            headers=CaseInsensitiveDict({"Content-Type": "application/json", **headers}),
            content_type="application/json",
            stream_download_generator=None,
        )  # fmt: skip
        response._content, response._is_closed, response._is_stream_consumed = json.dumps(body).encode(), True, True
        return response


def client(*answers, error=None):
    service = Service(answers)
    return CostManagementClient(
        Credential(error), transport=service, retry_backoff_factor=0, polling_interval=0
    ), service


def done(*links):
    return (
        200,
        {},
        {"status": "Completed", "manifest": {"blobs": [{"blobLink": link, "byteCount": 3} for link in links]}},
    )


def sums(*rows):
    columns = [{"name": "Cost", "type": "Number"}, {"name": "Currency", "type": "String"}]
    return (200, {}, {"properties": {"nextLink": None, "columns": columns, "rows": [list(row) for row in rows]}})


ACCEPTED = (202, {"Location": "https://management.azure.com/poll", "Retry-After": "0"}, {})
THROTTLED = (429, {"Retry-After": "0"}, {"error": {"code": "429", "message": "too many"}})


def fetched(link, path):
    path.write_text(
        f"Date,Cost,ChargeType,PricingModel,MeterCategory,AdditionalInfo\n10/01/2026,{link},Usage,OnDemand,x,\n"
    )


def test_both_reports_of_every_month_become_deliveries(tmp_path):
    asked, service = client(
        ACCEPTED, done("1"), sums((1.0, "USD")), done("2"), THROTTLED, done("3"), sums((3.0, "USD")), done("4")
    )
    assert cost_details(SCOPE, **SPAN, folder=tmp_path / "azure", client=asked, fetch=fetched) == []
    bodies = [json.loads(one.content) for one in service.requests if one.method == "POST"]
    spans = [(one["metric"], one["timePeriod"]["start"], one["timePeriod"]["end"]) for one in bodies if "metric" in one]
    assert list(dict.fromkeys(spans)) == [
        (metric, *days)
        for days in (("2026-09-28", "2026-09-30"), ("2026-10-01", "2026-10-02"))
        for metric in ("ActualCost", "AmortizedCost")
    ]
    periods = [one["timePeriod"] for one in bodies if one.get("type") == "ActualCost"]
    assert periods[0] == {"from": "2026-09-28T00:00:00Z", "to": "2026-09-30T23:59:59Z"}
    chosen, _ = choose(resolve([str(tmp_path / "azure")], scratch=tmp_path / "scratch"))
    assert sorted((one.kind, one.period) for one in chosen) == [
        (kind, month) for kind in ("azure_actual", "azure_amortized") for month in ("2026-09", "2026-10")
    ]
    assert all(Path(one.files[0].path).exists() for one in chosen)


@pytest.mark.parametrize(
    ("answer", "codes", "said"),
    [
        (sums((7.004, "USD")), [], ""),
        (sums((70.0, "USD")), ["azure-sums-differ"], "own sum is 70.00 USD, but the rows of its report come to 7.00"),
        (sums((7.0, "USD"), (5.0, "EUR")), ["azure-sums-differ"], "own sum is 5.00 EUR, but the rows"),
        ((204, {}, None), ["azure-sums-differ"], "own sum is 0.00 USD"),
        ((403, {}, {"error": {"code": "X", "message": "no access"}}), ["azure-not-checked"], "no access"),
    ],
)
def test_a_report_is_checked_against_azures_own_sums(tmp_path, answer, codes, said):
    asked, _ = client(done("7"), answer, done("7"))
    span = {"start": datetime(2026, 10, 1, tzinfo=UTC), "end": datetime(2026, 10, 3, tzinfo=UTC)}
    found = cost_details(SCOPE, **span, folder=tmp_path / "azure", client=asked, fetch=fetched)
    assert [one.code for one in found] == codes
    assert all(said in one.message for one in found)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((403, {}, {"error": {"code": "RBACAccessDenied", "message": "no access"}}), "no access"),
        ((200, {}, {"status": "Failed"}), "failed to write ActualCost"),
    ],
)
def test_a_refusal_says_what_to_do(tmp_path, answer, said):
    asked, _ = client(answer)
    with pytest.raises(InputError, match=said):
        cost_details(SCOPE, **SPAN, folder=tmp_path / "azure", client=asked, fetch=fetched)


def test_expired_credentials(tmp_path):
    asked, _ = client(error=ClientAuthenticationError("AADSTS700082: expired"))
    with pytest.raises(InputError, match=r"expired\); log in \(az login\)"):
        cost_details(SCOPE, **SPAN, folder=tmp_path / "azure", client=asked, fetch=fetched)
