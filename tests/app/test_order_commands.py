"""The AWS commands of purchase orders against the service models of the SDK: every name, type and word they know."""

import re
import shlex

import msgspec
import pytest
from botocore import xform_name
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from app.reports import orders
from app.reports.planfile import decode

GLOBAL = {"--region"}
"""Options of the command itself, which no operation has."""
OPTIONS = ("capacity_block", "reserved", "savings_plan")
UPFRONT = {"No": "0.00", "Partial": "50000.00", "All": "100000.00"}


@pytest.fixture(scope="module")
def services():
    loader = Loader()
    return {name: ServiceModel(loader.load_service_model(name, "service-2"), name) for name in ("ec2", "savingsplans")}


@pytest.fixture
def bought(plan):
    """Return a plan file with one purchase, to be made another."""
    made = plan("--offer", "aws:H100-SXM-80GB=2.40/h,reserved,12mo,name=r", "--horizon", "12mo")
    return decode(msgspec.json.encode(made), where="plan")


def ordered(bought, option, *, upfront="0.00", term=12.0, gpus=24.0, **more):
    terms = {"provider": "aws", "purchase_option": option, "instance_type": "p5.48xlarge", "region": "us-east-1"}
    terms |= {"upfront": upfront, "total_commitment": "100000.00", "term_months": term, "gpus": gpus, **more}
    one = msgspec.structs.replace(bought.purchases[0], **terms)
    return orders.render(msgspec.structs.replace(bought, purchases=[one]))


def commands(text):
    return [shlex.split(line) for line in text.splitlines() if line.startswith("    aws ")]


def asked(services, words):
    """Return the operation of a command, and its parameters as the SDK takes them."""
    _, service, name, *rest = words
    model = services[service]
    [operation] = [
        model.operation_model(each) for each in model.operation_names if xform_name(each, "-") == name
    ]  # fmt: skip
    members = {f"--{xform_name(each, '-')}": (each, shape) for each, shape in operation.input_shape.members.items()}
    found, values = {}, {}
    for word in rest:
        if word.startswith("--"):
            values = found.setdefault(word, [])
        else:
            values.append(word)
    assert set(found) - set(members) <= GLOBAL, words
    return operation, {
        members[option][0]: typed(members[option][1], said) for option, said in found.items() if option in members
    }


def typed(shape, said):
    if shape.type_name == "boolean":
        assert said == []
        return True
    if shape.type_name == "list":
        return [typed(shape.member, [each]) for each in said]
    [value] = said
    if shape.type_name in {"integer", "long"}:
        return int(value)
    known = getattr(shape, "enum", [])
    assert not known or value in known, (value, shape.name)
    return value


@pytest.mark.parametrize("payment", UPFRONT)
@pytest.mark.parametrize("term", [0.5, 12.0, 36.0])
@pytest.mark.parametrize("option", OPTIONS)
def test_every_command_is_one_that_the_service_knows(services, bought, option, term, payment):
    more = {"usd_per_hour": "11.41553"} if option == "savings_plan" else {}
    found = commands(ordered(bought, option, upfront=UPFRONT[payment], term=term, **more))
    assert len(found) >= 2
    for words in found:
        operation, parameters = asked(services, words)
        assert set(operation.input_shape.required_members) <= set(parameters), words
        report = ParamValidator().validate(parameters, operation.input_shape)
        assert not report.has_errors(), report.generate_report()
    said = " ".join(" ".join(words) for words in found)
    assert option == "capacity_block" or f"{payment} Upfront" in said


def test_what_is_bought_is_what_was_planned(services, bought):
    """24 GPUs are three machines of eight: blocks of two and one; a year is 31,536,000 s, and a block 26 weeks."""
    found = [asked(services, words)[1] for words in commands(ordered(bought, "capacity_block"))]
    assert [one["InstanceCount"] for one in found if "InstanceCount" in one] == [2, 1]
    assert {one["CapacityDurationHours"] for one in found if "CapacityDurationHours" in one} == {26 * 7 * 24}
    look, buy = (asked(services, words)[1] for words in commands(ordered(bought, "reserved")))
    assert (look["MinDuration"], look["MaxDuration"], buy["InstanceCount"]) == (31_536_000, 31_536_000, 3)
    _, buy = (
        asked(services, words)[1]
        for words in commands(ordered(bought, "savings_plan", upfront="50000.00", usd_per_hour="11.415530"))
    )
    assert (buy["commitment"], buy["upfrontPaymentAmount"]) == ("11.41553", "50000.00")


def test_nothing_is_bought_by_running_it(services, bought):
    """Where the service has a dry run it is one; in any case the offering is in capitals, and has to be looked up."""
    for option in OPTIONS:
        for words in commands(ordered(bought, option)):
            operation, parameters = asked(services, words)
            if not operation.name.startswith("Describe"):
                assert parameters.get("DryRun", "DryRun" not in operation.input_shape.members)
                assert re.fullmatch(
                    r"[A-Z_]+", next(value for name, value in parameters.items() if "OfferingId" in name)
                )


def test_a_word_the_service_does_not_know_would_be_found(services):
    with pytest.raises(AssertionError):
        asked(services, shlex.split("aws ec2 purchase-capacity-block --offering-id OFFERING_ID"))
    with pytest.raises(AssertionError):
        asked(services, shlex.split("aws savingsplans describe-savings-plans-offerings --payment-options Some"))
