"""Cost Explorer through botocore's own stub: pages, spans and refusals, and what becomes of the answers."""

from datetime import UTC, datetime

import boto3
import pytest
from botocore.stub import Stubber

from optimizer.allocation import allocate
from providers.aws.cost_explorer import download
from providers.charges import CLAIMS, DEFAULT_TAGS, together
from providers.focus.usage import read
from providers.recognise import File, kind_of
from providers.tables import InputError

START, END = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 2, tzinfo=UTC)


@pytest.fixture
def explorer():
    login = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    client = boto3.client("ce", region_name="us-east-1", **login)
    with Stubber(client) as stub:
        yield client, stub


def asked(granularity="HOURLY", start="2026-10-01T00:00:00Z", end="2026-10-02T00:00:00Z", **page):
    groups = [{"Type": "DIMENSION", "Key": key} for key in ("INSTANCE_TYPE", "PURCHASE_TYPE")]
    period = {"Start": start, "End": end}
    return {
        "TimePeriod": period,
        "Granularity": granularity,
        "Metrics": ["AmortizedCost", "UsageQuantity"],
        "GroupBy": groups,
        **page,
    }


def answer(*groups, more=None, hour=0):
    span = {"Start": f"2026-10-01T{hour:02}:00:00Z", "End": f"2026-10-01T{hour + 1:02}:00:00Z"}
    found = [
        {"Keys": [kind, purchase], "Metrics": {
            "AmortizedCost": {"Amount": cost, "Unit": "USD"}, "UsageQuantity": {"Amount": hours, "Unit": "N/A"}}}
        for kind, purchase, cost, hours in groups
    ]  # fmt: skip
    said = {"ResultsByTime": [{"TimePeriod": span, "Groups": found, "Estimated": False, "Total": {}}]}
    return said | ({"NextPageToken": more} if more else {})


def test_pages_become_gpu_hours_and_cost(explorer, tmp_path):
    client, stub = explorer
    first = answer(
        ("p5.48xlarge", "On Demand Instances", "110.08", "2"), ("NoInstanceType", "", "7.5", "900"), more="more"
    )
    second = answer(("p5.48xlarge", "Savings Plans", "30", "1"), ("g5.xlarge", "Spot Instances", "0.5", "1"), hour=1)
    stub.add_response("get_cost_and_usage", first, asked())
    stub.add_response("get_cost_and_usage", second, asked(NextPageToken="more"))
    path = download(start=START, end=END, folder=tmp_path, client=client)
    assert kind_of(path, "ce.csv") == "focus"
    found = read([File(path=path, name="ce.csv", kind="focus")], DEFAULT_TAGS)
    usage = allocate(found.charges, together([], CLAIMS, DEFAULT_TAGS)).usage
    rows = usage.select("purchase_option", "gpu_model", "gpu_hours", "effective_cost", "residual").rows()
    assert set(rows) == {
        ("on_demand", "H100-SXM-80GB", 16.0, 110.08, None),
        ("savings_plan", "H100-SXM-80GB", 8.0, 30.0, None),
        ("spot", "A10G-24GB", 1.0, 0.5, None),
        ("on_demand", None, 0.0, 7.5, "other"),
    }


def test_more_than_fourteen_days_come_by_the_day(explorer, tmp_path):
    client, stub = explorer
    stub.add_response("get_cost_and_usage", answer(), asked("DAILY", "2026-09-01", "2026-10-02"))
    download(start=datetime(2026, 9, 1, tzinfo=UTC), end=END, folder=tmp_path, client=client)
    stub.assert_no_pending_responses()


@pytest.mark.parametrize("code", ["AccessDeniedException", "ExpiredTokenException", "DataUnavailableException"])
def test_a_no_says_what_to_do(explorer, tmp_path, code):
    client, stub = explorer
    stub.add_client_error("get_cost_and_usage", code, "not for you", expected_params=asked())
    with pytest.raises(InputError, match=rf"aws-cost-explorer:: says no \({code}: not for you\); allow ce:"):
        download(start=START, end=END, folder=tmp_path, client=client)
