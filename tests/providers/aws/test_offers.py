"""AWS's price list and Savings Plans: what is kept, at which price, and what happens when AWS does not answer."""

import json
from datetime import UTC, datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Event

import pytest

from providers.asking import Ask, NoCredentialsError, StoppedError
from providers.aws.offers import on_demand_and_reserved, savings_plans
from providers.offers import offers_of
from providers.tables import InputError

_SPEC = spec_from_file_location("aws_server", Path(__file__).with_name("aws_server.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
aws = module_from_spec(_SPEC)
_SPEC.loader.exec_module(aws)

NOW = datetime(2026, 11, 27, tzinfo=UTC)
P4D, P5 = 21.957642, 55.04  # us-east-1, July 2026, $ an hour of the machine
TYPES = {"AttributeValues": [{"Value": "p5.48xlarge"}, {"Value": "m7i.large"}, {"Value": "p9.48xlarge"}]}


@pytest.fixture(autouse=True)
def _logged_in(monkeypatch, tmp_path):
    aws.log_in(monkeypatch, tmp_path)


def term(*, since="2026-01-01T00:00:00Z", currency="USD", said=None, **prices):
    units = {"hourly": "Hrs", "upfront": "Quantity"}
    return {
        "effectiveDate": since,
        "termAttributes": said or {},
        "priceDimensions": {
            name: {"unit": units.get(name, name), "pricePerUnit": {currency: str(price)}, "rateCode": name}
            for name, price in prices.items()
        },
    }


def lease(length, option, kind="standard", **prices):
    return term(said={"LeaseContractLength": length, "PurchaseOption": option, "OfferingClass": kind}, **prices)


def product(*on_demand, instance="p4d.24xlarge", reserved=(), **attributes):
    usual = {
        "instanceType": instance, "regionCode": "us-east-1", "locationType": "AWS Region", "operation": "RunInstances",
        "operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used",
        "marketoption": "OnDemand", "licenseModel": "No License required", "gpu": "8",
    }  # fmt: skip
    terms = {"OnDemand": dict(enumerate(on_demand)), "Reserved": dict(enumerate(reserved))}
    item = {"product": {"sku": "ABC123", "productFamily": "Compute Instance", "attributes": usual | attributes}}
    return json.dumps(item | {"terms": terms, "publicationDate": "2026-11-19T20:45:00Z"})


def priced(*texts, regions=(), stop=None):
    """Return what becomes of products that come as one page, to the first question."""
    todo = [{"PriceList": list(texts)}]

    def reply(asked):
        return TYPES if asked.action == "GetAttributeValues" else todo.pop() if todo else {"PriceList": []}

    with aws.serving(reply) as (url, _):
        return on_demand_and_reserved(Ask(now=NOW, regions=regions, urls={"aws-prices": url}, stop=stop or Event()))


def test_on_demand_prices_are_of_the_whole_machine_with_the_day_of_the_list():
    harvest = priced(product(term(hourly=P4D)), product(term(hourly=P5), instance="p5.48xlarge"))
    assert [(one.instance_type, one.region, one.hourly, one.as_of) for one in harvest.listings] == [
        ("p4d.24xlarge", "us-east-1", P4D, "2026-11-19T20:45:00Z"),
        ("p5.48xlarge", "us-east-1", P5, "2026-11-19T20:45:00Z"),
    ]
    frame = offers_of(harvest.listings, usual={}).frame.sort("usage_usd_per_gpu_hour")
    assert frame["usage_usd_per_gpu_hour"].round(3).to_list() == [2.745, 6.88]
    assert harvest.found == []


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("marketoption", "CapacityBlock"),
        ("capacitystatus", "UnusedCapacityReservation"),
        ("capacitystatus", "AllocatedCapacityReservation"),
        ("tenancy", "Dedicated"),
        ("operatingSystem", "Windows"),
        ("licenseModel", "Bring your own license"),
        ("preInstalledSw", "SQL Ent"),
        ("operation", "RunInstances:0800"),
        ("locationType", "AWS Outposts"),
        ("instanceType", "m7i.large"),
    ],
)
def test_another_product_in_the_same_list_is_no_price(attribute, value):
    harvest = priced(product(term(hourly=P4D)), product(term(hourly=9.0), **{attribute: value}))
    assert [one.hourly for one in harvest.listings] == [P4D]
    assert harvest.found == []


def test_a_reserved_term_is_a_sum_at_the_start_and_a_sum_by_the_hour():
    # The discounts of a p4d that are known: 36.6, 39.6 and 40.8 % for a year, 62.8 % for three.
    partial, year, three = (round(P4D * (1 - off), 4) for off in (0.396, 0.408, 0.628))
    reserved = [
        lease("1yr", "No Upfront", hourly=13.92115),
        lease("1yr", "Partial Upfront", hourly=partial / 2, upfront=partial / 2 * 8760),
        lease("1yr", "All Upfront", hourly=0, upfront=year * 8760),
        lease("3yr", "All Upfront", upfront=three * 26280),
        lease("3yr", "No Upfront", "convertible", hourly=15.0),
    ]
    harvest = priced(product(term(hourly=P4D), reserved=reserved))
    held = [one for one in harvest.listings if one.purchase_option == "reserved"]
    assert [(one.variant, one.term_months) for one in held] == [
        ("standard-no-upfront", 12), ("standard-partial-upfront", 12), ("standard-all-upfront", 12),
        ("standard-all-upfront", 36), ("convertible-no-upfront", 36),
    ]  # fmt: skip
    assert (held[2].hourly, held[2].upfront) == (0.0, year * 8760)
    assert (held[3].hourly, held[3].upfront) == (0.0, three * 26280)
    assert (held[1].hourly, held[1].upfront) == (partial / 2, partial / 2 * 8760)
    frame = offers_of(held, usual={}).frame
    rates = dict(frame.select("offer_id", "holding_usd_per_gpu_hour").iter_rows())
    shares = dict(frame.select("offer_id", "upfront_share").iter_rows())
    name = "aws-us-east-1-p4d.24xlarge-reserved-"
    assert rates[f"{name}12mo-standard-no-upfront"] == pytest.approx(1.740, abs=0.0005)  # as others have measured
    for offer, off in (("12mo-standard-partial", 0.396), ("12mo-standard-all", 0.408), ("36mo-standard-all", 0.628)):
        assert rates[f"{name}{offer}-upfront"] * 8 == pytest.approx(P4D * (1 - off), rel=1e-5)
    assert shares[f"{name}12mo-standard-all-upfront"] == 1.0
    assert shares[f"{name}12mo-standard-partial-upfront"] == pytest.approx(0.5)


def test_of_two_terms_the_last_that_has_begun_counts():
    old, new = term(hourly=98.32, since="2024-01-01T00:00:00Z"), term(hourly=P5, since="2025-06-05T00:00:00Z")
    coming = term(hourly=60.0, since="2027-01-01T00:00:00Z")
    harvest = priced(product(new, old, coming, instance="p5.48xlarge"))
    assert [one.hourly for one in harvest.listings] == [P5]


def test_prices_of_china_are_in_yuan():
    chinese = product(term(hourly=154.98, currency="CNY"), regionCode="cn-northwest-1")
    assert [(one.currency, one.hourly) for one in priced(chinese).listings] == [("CNY", 154.98)]


def test_a_local_zone_is_a_zone_of_its_region():
    harvest = priced(product(term(hourly=1.0), regionCode="us-west-2-lax-1", locationType="AWS Local Zone"))
    assert [(one.region, one.zone) for one in harvest.listings] == [("us-west-2", "us-west-2-lax-1")]


def test_only_regions_that_are_asked_for_are_kept():
    texts = [product(term(hourly=P4D), regionCode=region) for region in ("us-east-1", "eu-west-1")]
    assert [one.region for one in priced(*texts, regions=("eu-*",)).listings] == ["eu-west-1"]


def test_a_machine_that_has_come_out_since_is_asked_for_and_handed_on_with_its_number_of_gpus():
    asked_for = []

    def reply(asked):
        if asked.action == "GetAttributeValues":
            return TYPES
        asked_for.extend(asked.given["Filters"])
        return {"PriceList": [product(term(hourly=200.0), instance="p9.48xlarge")]}

    with aws.serving(reply) as (url, _):
        harvest = on_demand_and_reserved(Ask(now=NOW, urls={"aws-prices": url}))
    values = [one["Value"] for one in asked_for if one["Field"] == "instanceType"]
    names = ",".join(values).split(",")
    assert {"p9.48xlarge", "p5.48xlarge", "g6f.large"} <= set(names)
    assert "m7i.large" not in names
    assert max(map(len, values)) <= 1024  # the longest that AWS takes
    assert {(one["Field"], one["Value"]) for one in asked_for} >= {("operatingSystem", "Linux"), ("tenancy", "Shared")}
    assert (harvest.listings[0].instance_type, harvest.listings[0].gpus) == ("p9.48xlarge", 8)
    assert [one.code for one in offers_of(harvest.listings, usual={}).found] == ["no-gpu-count"]


def test_every_page_is_read_and_a_throttled_one_is_asked_for_again():
    pages = {None: ("p5.48xlarge", P5, "two"), "two": ("p4d.24xlarge", P4D, None)}
    throttled = [aws.Refused("ThrottlingException", "Rate exceeded")]

    def reply(asked):
        if asked.action == "GetAttributeValues":
            return TYPES
        if asked.given.get("NextToken") and throttled:
            return throttled.pop()
        name, price, more = pages[asked.given.get("NextToken")]
        answer = {"PriceList": [product(term(hourly=price), instance=name)]}
        return answer | ({"NextToken": more} if more else {})

    with aws.serving(reply) as (url, _):
        harvest = on_demand_and_reserved(Ask(now=NOW, urls={"aws-prices": url}))
    assert {one.hourly for one in harvest.listings} == {P5, P4D}
    assert throttled == []


def test_rows_that_nobody_understands_are_counted_in_one_warning():
    no_number = product(term(hourly="free"))
    by_month = product(term(Months=3))
    harvest = priced(product(term(hourly=P4D)), no_number, "{not json", by_month, json.dumps({"sku": "NEW1"}))
    assert [one.hourly for one in harvest.listings] == [P4D]
    (found,) = harvest.found
    assert (found.level, found.message[:7]) == ("warning", "4 rows ")
    assert "SKU ABC123" in found.message
    assert "--offers" in found.hint


@pytest.mark.parametrize(("texts", "said"), [(["{}", "[]"], "shape"), ([], "nothing at all")])
def test_an_answer_of_which_nothing_is_understood_is_no_empty_harvest(texts, said):
    with pytest.raises(InputError, match=said):
        priced(*texts)


def test_a_price_that_is_missing_is_not_made_up():
    text = product({**term(), "priceDimensions": {"a": {"unit": "Hrs", "pricePerUnit": {}}}})
    assert [one.hourly for one in priced(text).listings] == [None]


def test_without_credentials_nobody_is_asked(monkeypatch, tmp_path):
    aws.log_in(monkeypatch, tmp_path, keys=False)
    for feed in (on_demand_and_reserved, savings_plans):
        with (
            aws.serving(lambda _: {}) as (url, asked),
            pytest.raises(NoCredentialsError, match="aws sso login"),
        ):
            feed(Ask(now=NOW, urls={"aws-prices": url, "aws-savings-plans": url}))
        assert asked == []


@pytest.mark.parametrize(
    ("code", "said"),
    [("ExpiredTokenException", "expired.*aws sso login"), ("AccessDeniedException", "allow pricing:Get")],
)
def test_a_refusal_says_what_to_do_and_shows_no_key(code, said):
    with (
        aws.serving(lambda _: aws.Refused(code, "not you")) as (url, _),
        pytest.raises(InputError, match=said) as error,
    ):
        on_demand_and_reserved(Ask(now=NOW, urls={"aws-prices": url}))
    assert aws.KEY not in str(error.value)
    assert not isinstance(error.value, NoCredentialsError)


def test_an_address_that_nobody_answers_at_is_named(monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr("botocore.retries.standard.StandardRetryConditions.is_retryable", lambda *_: False)
    with pytest.raises(InputError, match="AWS pricing API: cannot be reached"):
        on_demand_and_reserved(Ask(now=NOW, urls={"aws-prices": "http://127.0.0.1:1"}))


def test_it_stops_when_it_is_told_to():
    stop = Event()
    stop.set()
    with pytest.raises(StoppedError):
        priced(product(term(hourly=P4D)), stop=stop)


def plan_rate(rate, option="No Upfront", kind="Compute", *, usage="BoxUsage:p4d.24xlarge", years=1, **more):
    said = {"region": "us-east-1", "instanceType": "p4d.24xlarge", "productDescription": "Linux/UNIX",
            "tenancy": "shared"} | more.pop("said", {})  # fmt: skip
    return {
        "savingsPlanOffering": {
            "offeringId": "o", "paymentOption": option, "planType": kind, "durationSeconds": years * 31_536_000,
            "currency": "USD",
        },
        "rate": str(rate), "unit": "Hrs", "usageType": usage, "operation": "RunInstances",
        "properties": [{"name": name, "value": value} for name, value in said.items()],
        **more,
    }  # fmt: skip


def planned(*rates):
    todo = [{"searchResults": list(rates), "nextToken": ""}]
    with aws.serving(lambda _: todo.pop() if todo else {"searchResults": [], "nextToken": ""}) as (url, _):
        return savings_plans(Ask(now=NOW, urls={"aws-savings-plans": url}))


def test_a_rate_is_paid_at_the_start_by_the_hour_or_half_and_half():
    harvest = planned(
        plan_rate(13.92115),
        plan_rate(13.26242, "Partial Upfront"),
        plan_rate(12.99892, "All Upfront"),
        plan_rate(8.16824, "All Upfront", "EC2Instance", years=3),
    )
    none, half, whole, three = harvest.listings
    assert (none.hourly, none.upfront, none.term_months, none.variant) == (13.92115, 0.0, 12, "compute-no-upfront")
    assert (half.hourly, half.upfront) == (pytest.approx(6.63121), pytest.approx(58_089.3996))  # 6.63121 x 8,760 h
    assert (whole.hourly, whole.upfront) == (0.0, pytest.approx(113_870.5392))  # 12.99892 x 8,760 h
    assert (three.hourly, three.term_months, three.variant) == (0.0, 36, "ec2-instance-all-upfront")
    assert three.upfront == pytest.approx(214_661.3472)  # 8.16824 x 26,280 h
    frame = offers_of(harvest.listings, usual={}).frame
    expected = sorted(rate / 8 for rate in (13.92115, 13.26242, 12.99892, 8.16824))
    assert sorted(frame["holding_usd_per_gpu_hour"].to_list()) == pytest.approx(expected)


@pytest.mark.parametrize(
    "other",
    [
        {"usage": "UnusedBox:p4d.24xlarge"},
        {"usage": "USE1-DedicatedUsage:p4d.24xlarge"},
        {"usage": "HostBoxUsage:p4d.24xlarge"},
        {"usage": "BoxUsage"},
        {"usage": "BoxUsage:m7i.large"},
        {"said": {"productDescription": "Windows"}},
        {"said": {"tenancy": "dedicated"}},
        {"operation": "RunInstances:0800"},
        {"kind": "Database"},
        {"usage": "USE1-Notebk:ml.p4d.24xlarge", "kind": "SageMaker"},
    ],
)
def test_another_rate_in_the_same_plan_is_no_price(other):
    harvest = planned(plan_rate(13.92115, usage="EU-BoxUsage:p4d.24xlarge"), plan_rate(1.0, **other))
    assert [one.hourly for one in harvest.listings] == [13.92115]
    assert harvest.found == []


def test_a_plan_of_sagemaker_is_told_from_one_of_ec2():
    train = plan_rate(16.0, kind="SageMaker", usage="USE1-Train:ml.p4d.24xlarge", operation="RunInstance")
    (one,) = planned(train).listings
    assert (one.instance_type, one.gpu_model, one.gpus) == ("ml.p4d.24xlarge", "A100-40GB", 8)
    assert (one.variant, one.note) == ("sagemaker-train-no-upfront", "only for SageMaker, not for machines of EC2")
    assert offers_of([one], usual={}).frame["holding_usd_per_gpu_hour"].to_list() == [2.0]


def test_every_page_of_every_question_is_read():
    def reply(asked):
        if asked.given["savingsPlanTypes"] == ["SageMaker"]:
            return {"searchResults": []}
        types = next(one["values"] for one in asked.given["filters"] if one["name"] == "instanceType")
        if "p5.48xlarge" not in types:
            return {"searchResults": [], "nextToken": ""}
        first = "nextToken" not in asked.given
        rate = plan_rate(30.0 if first else 20.0, usage="BoxUsage:p5.48xlarge", years=1 if first else 3)
        return {"searchResults": [rate]} | ({"nextToken": "more"} if first else {"nextToken": ""})

    with aws.serving(reply) as (url, asked):
        harvest = savings_plans(Ask(now=NOW, urls={"aws-savings-plans": url}))
    assert [(one.hourly, one.term_months) for one in harvest.listings] == [(30.0, 12), (20.0, 36)]
    names = [
        name
        for one in asked
        for given in one.given["filters"]
        for name in given["values"]
        if given["name"] == "instanceType"
    ]
    assert {"g6f.large", "ml.g5.xlarge", "trn2.48xlarge"} <= set(names)


def test_a_rate_in_another_shape_is_named_and_left_out():
    broken = plan_rate(1.0)
    del broken["savingsPlanOffering"]["durationSeconds"]
    harvest = planned(plan_rate(13.92115), broken, plan_rate("n/a"))
    assert [one.hourly for one in harvest.listings] == [13.92115]
    assert "2 rows of AWS Savings Plans API" in harvest.found[0].message
    with pytest.raises(InputError, match="shape that is not known"):
        planned(broken)


def test_rates_that_credentials_do_not_allow_name_the_permission():
    with (
        aws.serving(lambda _: aws.Refused("AccessDeniedException", status=403)) as (url, _),
        pytest.raises(InputError, match="allow savingsplans:DescribeSavingsPlansOfferingRates"),
    ):
        savings_plans(Ask(now=NOW, urls={"aws-savings-plans": url}))


def test_in_china_the_price_list_of_china_is_asked(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "cn-north-1")
    chinese = {"PriceList": [product(term(hourly=154.98, currency="CNY"), regionCode="cn-northwest-1")]}
    with aws.serving(lambda asked: TYPES if asked.action == "GetAttributeValues" else chinese) as (url, asked):
        on_demand_and_reserved(Ask(now=NOW, urls={"aws-prices": url}))
    assert {one.region for one in asked} == {"cn-northwest-1"}


def test_a_profile_that_does_not_exist_gives_no_credentials(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with aws.serving(lambda _: {}) as (url, asked), pytest.raises(NoCredentialsError, match="no credentials of AWS"):
        on_demand_and_reserved(Ask(now=NOW, urls={"aws-prices": url}))
    assert asked == []


def test_a_single_sign_on_that_has_expired_says_to_log_in_again(monkeypatch, tmp_path):
    said = "[default]\nsso_session = work\nsso_account_id = 1\nsso_role_name = reader\n"
    said += "[sso-session work]\nsso_region = us-east-1\nsso_start_url = https://example.awsapps.com/start\n"
    (tmp_path / "config").write_text(said)
    aws.log_in(monkeypatch, tmp_path, keys=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with aws.serving(lambda _: {}) as (url, asked), pytest.raises(InputError, match=r"expired.*aws sso login"):
        on_demand_and_reserved(Ask(now=NOW, urls={"aws-prices": url}))
    assert asked == []
