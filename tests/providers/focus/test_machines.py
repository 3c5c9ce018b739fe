"""FOCUS machines: which GPU a row prices, how many GPU-hours it is, and whose it is."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
import pytest

from providers.charges import DEFAULT_TAGS
from providers.focus.gpus import gpu_in
from providers.focus.usage import read
from providers.recognise import File
from providers.tables import Diagnostic

USAGE = {
    "BilledCost": 10.0,
    "EffectiveCost": 10.0,
    "BillingCurrency": "USD",
    "ChargeCategory": "Usage",
    "ChargePeriodStart": "2026-04-01T13:00:00Z",
    "ChargePeriodEnd": "2026-04-01T14:00:00Z",
    "PricingCategory": "Standard",
    "ProviderName": "Acme GPU Cloud",
    "PricingQuantity": 1.0,
    "PricingUnit": "Hours",
    "ConsumedQuantity": None,
    "ConsumedUnit": None,
    "ResourceId": "node-1",
}
AZURE = {"ProviderName": "Microsoft"}
GCP = {"ProviderName": "Google Cloud"}
Rows = Sequence[Mapping[str, object]]


def read_rows(folder: Path, rows: Rows) -> tuple[pl.DataFrame, dict[str, Diagnostic]]:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    frame = pl.DataFrame([{name: row.get(name) for name in columns} for row in rows], infer_schema_length=None)
    frame.write_parquet(folder / "bill.parquet")
    reading = read([File(path=str(folder / "bill.parquet"), name="bill", kind="focus")], DEFAULT_TAGS)
    assert reading.charges is not None
    charges = reading.charges.collect().sort(
        "hour", "node", "workload", "gpu_hours", "effective_cost", "purchase_option"
    )
    return charges, {item.code: item for item in reading.found()}


def one(folder: Path, **cells: object) -> dict[str, object]:
    return read_rows(folder, [{**USAGE, **cells}])[0].row(0, named=True)


@pytest.mark.parametrize(
    ("cells", "model", "gpu_hours"),
    [
        ({"ProviderName": "AWS", "SkuMeter": "USE1-BoxUsage:p5.48xlarge"}, "H100-SXM-80GB", 8),
        ({"ProviderName": "AWS", "x_UsageType": "SpotUsage:g5.xlarge"}, "A10G-24GB", 1),
        ({"ProviderName": "AWS", "ChargeDescription": "$1.6 per On Demand Linux g5.12xlarge Hour"}, "A10G-24GB", 4),
        ({"ProviderName": "AWS", "SkuPriceDetails": '{"x_instancetype": "p4d.24xlarge"}'}, "A100-40GB", 8),
        ({**AZURE, "x_SkuDetails": '{"ServiceType": "Standard_ND96isr_H100_v5"}'}, "H100-SXM-80GB", 8),
        ({**AZURE, "x_SkuMeterName": "NC24ads A100 v4 Spot"}, "A100-80GB-PCIE", 1),
        ({**GCP, "ChargeDescription": "Nvidia H100 80GB GPU running in Iowa"}, "H100-SXM-80GB", 1),
        ({**GCP, "ChargeDescription": "a3-highgpu-8g in Iowa"}, "H100-SXM-80GB", 8),
        ({"ProviderName": "Oracle", "SkuId": "BM.GPU.H100.8"}, "H100-SXM-80GB", 8),
        ({"ProviderName": "Lambda", "SkuId": "gpu_8x_h100_sxm5"}, "H100-SXM-80GB", 8),
        ({"ChargeDescription": "8x H100 SXM5 80GB node"}, "H100-SXM-80GB", 8),
        ({"ResourceType": "H200", "SkuPriceDetails": '{"gpucount": "4"}'}, "H200-141GB", 4),
        ({"SkuId": "L40S", "PricingUnit": "GPU-Hours", "PricingQuantity": 3.0}, "L40S-48GB", 3),
        ({"x_GpuModel": "B200-180GB", "x_GpuCount": 8}, "B200-180GB", 8),
    ],
)  # fmt: skip
def test_gpus_are_found_wherever_a_vendor_writes_them(
    tmp_path: Path, cells: dict[str, object], model: str, gpu_hours: float
) -> None:
    charge = one(tmp_path, **cells)
    assert (charge["gpu_model"], charge["gpu_hours"], charge["residual"]) == (model, gpu_hours, None)


@pytest.mark.parametrize(
    ("quantity", "unit", "hours"),
    [
        (1.0, "Hour", 1.0), (1.0, "Hrs", 1.0), (90.0, "minutes", 1.5), (1800.0, "Seconds", 0.5),
        (0.25, "Node-Hours", 0.25), (0.01, "100 Hours", 1.0), (1.0, "Units/Hour", 1.0),
    ],
)  # fmt: skip
def test_units_become_hours(tmp_path: Path, quantity: float, unit: str, hours: float) -> None:
    details = '{"InstanceType": "p5.48xlarge"}'
    assert one(tmp_path, SkuPriceDetails=details, PricingQuantity=quantity, PricingUnit=unit)["gpu_hours"] == 8 * hours
    consumed = {"PricingQuantity": None, "PricingUnit": None, "ConsumedQuantity": quantity, "ConsumedUnit": unit}
    if not unit[0].isdigit():  # a block is one of price
        assert one(tmp_path, SkuPriceDetails=details, **consumed)["gpu_hours"] == 8 * hours


def test_a_block_of_azure_counts_once(tmp_path: Path) -> None:
    details = '{"InstanceType": "Standard_ND96isr_H100_v5"}'
    cells = {"SkuPriceDetails": details, "PricingQuantity": 0.02, "x_PricingBlockSize": 100.0}
    for unit in ("Hours", "100 Hours"):
        assert one(tmp_path, PricingUnit=unit, **cells)["gpu_hours"] == pytest.approx(16)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("NVIDIA H100 80GB PCIe", ("H100-PCIE-80GB", None)),
        ("H100 80GB SXM5 GPU", ("H100-SXM-80GB", None)),
        ("A4 Nvidia B200 (1 gpu slice) running in Iowa", ("B200-180GB", None)),
        ("B200 PCIe on demand", (None, "B200 PCIe")),
        ("NVIDIA H100 on demand", (None, "NVIDIA H100")),
        ("L4 load balancer", (None, None)),
        ("Object storage", (None, None)),
    ],
)
def test_a_spelling_is_never_guessed(text: str, answer: tuple[str | None, str | None]) -> None:
    assert gpu_in(text) == answer


def test_what_could_be_several_gpus_is_unsupported_with_its_amount(tmp_path: Path) -> None:
    rows = [{**USAGE, "ChargeDescription": "H100 GPU"}, {**USAGE, "SkuPriceDetails": '{"InstanceType": "p9.48xlarge"}'}]
    charges, found = read_rows(tmp_path, rows)
    assert charges["residual"].to_list() == ["unsupported", "unsupported"]
    assert charges["node"].null_count() == 2
    assert "2 rows, 20.00 USD (H100, p9.48xlarge)" in found["unclear-gpu"].message


def test_gpus_that_nobody_measures_in_hours_are_unsupported(tmp_path: Path) -> None:
    charges, found = read_rows(tmp_path, [{**USAGE, "SkuId": "L40S", "PricingUnit": "GPU-Months"}])
    assert charges["residual"].item() == "unsupported"
    assert "1 row, 10.00 USD" in found["no-gpu-hours"].message


def test_a_count_that_nobody_states_is_one_and_said_so(tmp_path: Path) -> None:
    charges, found = read_rows(tmp_path, [{**USAGE, "SkuId": "L40S"}])
    assert charges["gpu_hours"].item() == 1
    assert "1 row, 10.00 USD" in found["gpu-count-assumed"].message


@pytest.mark.parametrize(
    "text",
    [
        "AWS Marketplace hourly software usage|us-east-1|p5.48xlarge",
        "$0.00 for 4245 Mbps per p5.48xlarge instance-hour (or partial hour)",
        "USE1-Reservation:p5.48xlarge",
        "Amazon Elastic MapReduce BoxUsage:p5.48xlarge",
        "Windows Server license for p5.48xlarge",
    ],
)
def test_a_row_beside_a_machine_is_no_machine(tmp_path: Path, text: str) -> None:
    charge = one(tmp_path, ProviderName="AWS", ChargeDescription=text)
    assert (charge["residual"], charge["gpu_hours"]) == ("other", None)


def test_cores_and_memory_belong_to_the_gpus_of_their_machine(tmp_path: Path) -> None:
    gcp = {**USAGE, **GCP, "ResourceId": "//compute.googleapis.com/projects/p/instances/a3-1"}
    rows = [
        {**gcp, "ChargeDescription": "Nvidia H100 80GB GPU running in Iowa", "PricingQuantity": 8.0,
         "EffectiveCost": 70.0},
        {**gcp, "ChargeDescription": "A3 Instance Core running in Iowa", "PricingQuantity": 208.0},
        {**gcp, "ChargeDescription": "A3 Instance Ram running in Iowa", "PricingQuantity": 1872.0},
        {**gcp, "ChargeDescription": "A3 Instance Core running in Iowa", "ResourceId": "x/cpu-only"},
        {**gcp, "ChargeDescription": "A3 Instance Core running in Iowa", "ChargePeriodStart": "2026-04-01T14:00:00Z",
         "ChargePeriodEnd": "2026-04-01T15:00:00Z"},
    ]  # fmt: skip
    charges, _ = read_rows(tmp_path, rows)
    machine = charges.filter(pl.col("node") == "a3-1")
    assert machine["effective_cost"].sum() == 90
    assert machine["gpu_hours"].to_list() == [0, 0, 8]
    assert machine["gpu_model"].unique().to_list() == ["H100-SXM-80GB"]
    assert charges.filter(pl.col("residual") == "other").height == 2


def test_corrections_move_money_and_no_hours(tmp_path: Path) -> None:
    machine = {**USAGE, "SkuId": "BM.GPU.H100.8", "ChargeClass": None}
    back = {
        **machine,
        "ChargeClass": "Correction",
        "PricingQuantity": -1.0,
        "BilledCost": -10.0,
        "EffectiveCost": -10.0,
    }
    anew = {**machine, "ChargeClass": "Correction", "BilledCost": 9.0, "EffectiveCost": 9.0}
    charges, _ = read_rows(tmp_path, [machine, back, anew])
    assert (charges["gpu_hours"].sum(), charges["effective_cost"].sum()) == (8, 9)


def test_one_machine_hour_that_two_lines_share_counts_once(tmp_path: Path) -> None:
    half = {**USAGE, "SkuId": "BM.GPU.H100.8", "PricingQuantity": 0.5, "ConsumedQuantity": 1.0, "ConsumedUnit": "Hours"}
    charges, _ = read_rows(tmp_path, [{**half, "CommitmentDiscountId": "c"}, {**half, "CommitmentDiscountId": None}])
    assert charges["gpu_hours"].sum() == 8


def test_unused_capacity_has_gpu_hours_and_unused_spend_has_none(tmp_path: Path) -> None:
    unused = {"SkuId": "BM.GPU.H100.8", "CommitmentDiscountId": "c", "CommitmentDiscountStatus": "Unused"}
    assert one(tmp_path, **unused, CommitmentDiscountCategory="Usage")["gpu_hours"] == 8
    assert one(tmp_path, **unused, CommitmentDiscountCategory="Spend")["gpu_hours"] is None


@pytest.mark.parametrize(
    ("tags", "workload", "cluster"),
    [
        ({"user:App": "trainer"}, "trainer", None),
        ({"workload": "w", "app": "a"}, "w", None),
        ({"aws:eks:cluster-name": "blue", "app": "a"}, None, "blue"),
        ({"kubernetes.io/cluster/green": "owned"}, None, "green"),
        ({}, "node-1", None),
        ({"app": "  "}, "node-1", None),
    ],
)
def test_a_machine_has_a_workload_unless_it_is_in_a_cluster(
    tmp_path: Path, tags: dict[str, str], workload: str | None, cluster: str | None
) -> None:
    charge = one(tmp_path, SkuId="L40S", Tags=json.dumps(tags))
    assert (charge["node"], charge["workload"], charge["cluster"]) == ("node-1", workload, cluster)


def test_hostile_cells_do_no_harm(tmp_path: Path) -> None:
    for tags in ("[" * 100_000, '{"team": "\\ud800\\u001b[31m"}', '{"team": "' + "x" * 5000 + '"}', "not json", "3"):
        charge = one(tmp_path, SkuId="L40S", Tags=tags, ChargeDescription="a\x1fb\x1f" * 20)
        assert charge["effective_cost"] == 10


SPLIT = {
    **USAGE, "AllocatedMethodId": "m", "AllocatedResourceId": None, "AllocatedResourceName": None,
    "AllocatedTags": None, "AllocatedMethodDetails": None, "SkuId": "BM.GPU.H100.8",
}  # fmt: skip


def pod(name: str, cost: float, ratio: float, elements: list[dict[str, object]], **cells: object) -> dict[str, object]:
    details = json.dumps({"Elements": [{"AllocatedRatio": ratio, **element} for element in elements]})
    return {
        **SPLIT, "BilledCost": cost, "EffectiveCost": cost, "PricingQuantity": ratio,
        "AllocatedResourceId": f"id-{name}", "AllocatedResourceName": name, "AllocatedMethodDetails": details, **cells,
    }  # fmt: skip


def test_the_split_of_the_specification(tmp_path: Path) -> None:
    origin = {**SPLIT, "BilledCost": 0.0, "EffectiveCost": 0.0, "PricingQuantity": 0.0}
    pods = [pod(f"pod-{n}", cost, cost / 100, [{}]) for n, cost in enumerate((40.0, 35.0, 25.0))]
    charges, found = read_rows(tmp_path, [origin, *pods])
    assert dict(charges.select("workload", "effective_cost").iter_rows()) == {
        None: 0.0, "pod-0": 40.0, "pod-1": 35.0, "pod-2": 25.0,
    }  # fmt: skip
    assert charges["node"].null_count() == 4
    assert charges["residual"].null_count() == 4
    assert charges["gpu_hours"].sum() == pytest.approx(8)
    assert not found


def test_gpu_hours_of_an_allocated_charge_are_what_its_elements_measure(tmp_path: Path) -> None:
    pods = [
        pod(
            "hours",
            60.0,
            0.6,
            [{"UsageUnit": "GPU-Hours", "UsageQuantity": 6}, {"UsageUnit": "CPU", "UsageQuantity": 1}],
        ),
        pod("count", 30.0, 0.3, [{"UsageUnit": "GPU", "UsageQuantity": 2}]),
        pod("cpu", 10.0, 0.1, [{"UsageUnit": "CPU", "UsageQuantity": 12}]),
    ]
    charges, _ = read_rows(tmp_path, pods)
    assert dict(charges.select("workload", "gpu_hours").iter_rows()) == {"hours": 6, "count": 2, "cpu": 0}


def test_the_tags_of_a_consumer_count_before_those_of_its_machine(tmp_path: Path) -> None:
    row = pod("rank-0", 10.0, 1.0, [{}], Tags='{"team": "platform", "env": "prod"}',
              AllocatedTags='{"team": "research", "namespace": "ml", "workload": "rank"}')  # fmt: skip
    charge = read_rows(tmp_path, [row])[0].row(0, named=True)
    assert [charge[name] for name in ("workload", "namespace", "team", "environment")] == [
        "ml/rank", "ml", "research", "prod",
    ]  # fmt: skip


def test_an_allocated_charge_without_gpus_stays_in_the_bill(tmp_path: Path) -> None:
    charge = read_rows(tmp_path, [pod("web", 5.0, 1.0, [{}], SkuId="plain")])[0].row(0, named=True)
    assert [charge[name] for name in ("residual", "effective_cost", "workload")] == ["other", 5.0, "web"]
