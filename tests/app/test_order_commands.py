"""The commands of purchase orders: those of AWS against the models of its SDK, the others against their references."""

import re
import shlex
from importlib.resources import files

import msgspec
import polars as pl
import pytest
from botocore import xform_name
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from app.reports import order_commands, orders
from app.reports.planfile import decode
from providers.accelerators import canonical
from providers.gcp import resource_commitments

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


LOOKED_UP = {
    "aws_ec2_capacity_block_reservation": "capacity_block_offering_id",
    "aws_savingsplans_savings_plan": "savings_plan_offering_id",
    "google_compute_region_commitment": "existing_reservations",
    "azapi_resource": "name",
}


@pytest.mark.parametrize(
    ("option", "provider", "machine"),
    [
        *((option, "aws", "p5.48xlarge") for option in ("capacity_block", "savings_plan")),
        ("cud", "gcp", "a3-highgpu-8g"),
        ("reserved", "azure", "Standard_ND96isr_H100_v5"),
    ],
)
def test_no_block_of_terraform_buys_before_something_is_looked_up(bought, option, provider, machine):
    text = ordered(bought, option, provider=provider, instance_type=machine)
    found = re.findall(r'resource "(\w+)" "\w+" {\n(.*?)\n    }', text, re.DOTALL)
    assert found
    for kind, body in found:
        assert re.search(rf'^ +{LOOKED_UP[kind]} = "[^"]*\b[A-Z]{{4,}}', body, re.MULTILINE), body


def test_a_part_paid_upfront_is_said_everywhere(bought):
    text = ordered(bought, "savings_plan", upfront="50000.00", usd_per_hour="11.41553")
    assert 'upfront_payment_amount = "50000.00"' in text
    assert "upfront_payment_amount" not in ordered(bought, "savings_plan", usd_per_hour="11.41553")


def test_a_word_the_service_does_not_know_would_be_found(services):
    with pytest.raises(AssertionError):
        asked(services, shlex.split("aws ec2 purchase-capacity-block --offering-id OFFERING_ID"))
    with pytest.raises(AssertionError):
        asked(services, shlex.split("aws savingsplans describe-savings-plans-offerings --payment-options Some"))


GCLOUD = {
    "commitments": {
        "--region", "--plan", "--type", "--resources", "--resources-accelerator", "--existing-reservation",
        "--reservation", "--reservation-zone", "--reservations-from-file", "--custom-end-time", "--auto-renew",
    },
    "reservations": {"--zone", "--vm-count", "--machine-type", "--accelerator", "--require-specific-reservation"},
}  # fmt: skip
"""The options of `create`, as gcloud's reference lists them (2026-11)."""
PRICED = {
    "--sku", "--location", "--reserved-resource-type", "--billing-scope", "--term", "--billing-plan", "--quantity",
    "--applied-scope-type", "--display-name",
}  # fmt: skip
"""What both commands of az take: its source has them for `calculate` and `purchase` (2026-11)."""


def google():
    """Return the machines of Google's in the table of instance types, each with its GPU."""
    table = pl.read_csv(files("data").joinpath("instance_types.csv").read_bytes(), infer_schema=False)
    return table.filter(pl.col("provider") == "gcp").select("instance_type", "gpu_model").rows()


def committed(bought, machine, gpus, **more):
    """Return the options of both commands for a commitment of Google Cloud, and all that is said."""
    terms = {"provider": "gcp", "instance_type": machine, "region": "us-central1", **more}
    text = ordered(bought, "cud", gpus=gpus, **terms)
    found = {}
    for words in (shlex.split(line) for line in text.splitlines() if line.startswith("    gcloud ")):
        _, _, what, create, _, *options = words
        found[what] = dict(option.split("=", 1) for option in options)
        assert (create, set(found[what]) <= GCLOUD[what]) == ("create", True), words
    return found, text


@pytest.mark.parametrize(
    ("machine", "gpus", "kind", "machines", "resources", "gpus_held"),
    [
        ("a3-highgpu-8g", 24.0, "accelerator-optimized-a3", 3, (624, 3 * 1872), "type=nvidia-h100-80gb,count=24"),
        ("a3-megagpu-8g", 8.0, "accelerator-optimized-a3-mega", 1, (208, 1872), "type=nvidia-h100-mega-80gb,count=8"),
        ("a2-ultragpu-4g", 20.0, "accelerator-optimized", 5, (240, 5 * 680), "type=nvidia-a100-80gb,count=20"),
        ("g2-standard-48", 6.0, "graphics-optimized", 2, (96, 2 * 192), "type=nvidia-l4,count=8"),
    ],
)
def test_a_commitment_of_gpus_names_its_reservation(bought, machine, gpus, kind, machines, resources, gpus_held):
    """GPUs are committed with a reservation of just as many; the API counts memory in MB, in steps of 256."""
    found, text = committed(bought, machine, gpus)
    memory = resources[1] * 1024
    assert found["reservations"] == {"--machine-type": machine, "--vm-count": str(machines), "--zone": "ZONE"}
    assert found["commitments"] == {
        "--region": "us-central1",
        "--plan": "12-month",
        "--type": kind,
        "--resources": f"vcpu={resources[0]},memory={memory}MB",
        "--resources-accelerator": gpus_held,
        "--existing-reservation": "name=r-gpus,zone=ZONE",
    }
    assert memory % 256 == 0
    assert f'type = "MEMORY"\n        amount = "{memory}"' in text
    assert f'type = "{kind.upper().replace("-", "_")}"' in text
    assert 'existing_reservations = "projects/PROJECT/zones/ZONE/reservations/r-gpus"' in text


def test_what_google_calls_machines_and_gpus_is_what_the_tables_know():
    """Each series has machines whose GPU is the one that its accelerator names, and a price for such a commitment."""
    for begin, (kind, accelerator) in order_commands.SERIES.items():
        machines = {name: model for name, model in google() if name.startswith(begin)}
        assert machines
        assert {canonical(accelerator)} == set(machines.values())
        assert kind.upper().replace("-", "_") in resource_commitments._HOSTS
        assert accelerator in resource_commitments._GPUS
    sold = tuple(order_commands.SERIES) + order_commands.BY_ACCOUNT_TEAM
    assert [name for name, _ in google() if not name.startswith(sold)] == []


@pytest.mark.parametrize("machine", ["a3-ultragpu-8g", "a4-highgpu-8g", "a4x-highgpu-4g"])
def test_what_no_command_sells_is_a_letter(bought, machine):
    found, text = committed(bought, machine, 16.0)
    assert found == {}
    assert f"on {machine}, under your offer r." in text
    found, text = committed(bought, "a3-highgpu-8g", 16.0, usd_per_hour="20.00")
    assert found == {}
    assert "To gcp: we order a commitment of $20.00 an hour" in text


def test_a_long_name_is_one_that_google_takes(bought):
    found, _ = committed(bought, "a3-highgpu-8g", 16.0, offer_id="a-long-name-" * 9)
    name = re.fullmatch(r"name=(.+),zone=ZONE", found["commitments"]["--existing-reservation"])[1]
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,61}[a-z0-9]", name)


@pytest.mark.parametrize(("upfront", "paid"), [("0.00", "Monthly"), ("100000.00", "Upfront")])
def test_a_reservation_of_azure_is_calculated_before_it_is_bought(bought, upfront, paid):
    terms = {"provider": "azure", "instance_type": "Standard_ND96isr_H100_v5", "region": "eastus"}
    text = ordered(bought, "reserved", upfront=upfront, term=36.0, **terms)
    look, buy = [shlex.split(line)[3:] for line in text.splitlines() if line.startswith("    az ")]
    assert look[0] == "calculate"
    assert buy[:3] == ["purchase", "--reservation-order-id", "ORDER_ID"]
    assert look[1:] == buy[3:]
    said = dict(zip(look[1::2], look[2::2], strict=True))
    assert set(said) == PRICED
    assert (said["--term"], said["--billing-plan"], said["--quantity"]) == ("P3Y", paid, "3")
    assert 'parent_id = "/"' in text
