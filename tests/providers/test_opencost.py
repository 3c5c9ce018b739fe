"""OpenCost answers: no cent is lost, GPUs are physical, pods that cross steps are cut, and what is unknown is null."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.charges import CHARGES, CLAIMS, DEFAULT_TAGS, Reading, Tags
from providers.opencost import read
from providers.recognise import File, kind_of
from providers.tables import InputError

SAMPLE = Path(__file__).parents[2] / "../shared/data/billing/opencost/allocation_example.json"
HOUR = datetime(2026, 4, 1, 13, tzinfo=UTC)
NODE = {"cluster": "prod", "node": "ip-10-0-0-7", "providerID": "i-0abc12345"}
TRAIN = NODE | {
    "namespace": "research",
    "controllerKind": "deployment",
    "controller": "train",
    "pod": "train-7d4b9c-x2",
}
Step = Mapping[str, Mapping[str, Any]] | None


def allocation(
    properties: Mapping[str, Any], *, minutes: float = 60, at: datetime = HOUR, **cells: Any
) -> dict[str, Any]:
    start, end = at, at + timedelta(minutes=minutes)
    step = at.replace(minute=0)
    return {
        "name": "/".join(str(value) for value in properties.values()),
        "properties": dict(properties),
        "window": {"start": stamp(step), "end": stamp(step + timedelta(hours=1))},
        "start": stamp(start), "end": stamp(end), "minutes": minutes,
        **cells,
    }  # fmt: skip


def stamp(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def named(*allocations: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in allocations}


def pod(**cells: Any) -> dict[str, Any]:
    costs = {"gpuHours": 4.0, "gpuRequestAverage": 4.0, "gpuUsageAverage": 0.5, "gpuCost": 12.0, "totalCost": 14.0}
    return allocation(TRAIN, **(costs | {"cpuCoreRequestAverage": 32.0, "ramByteRequestAverage": 64 * 2**30} | cells))


def idle(properties: Mapping[str, Any] = NODE, **cells: Any) -> dict[str, Any]:
    one = allocation(properties, **({"gpuHours": 0.0, "gpuCost": 12.0, "totalCost": 13.0} | cells))
    return one | {"name": f"{'/'.join(properties.values())}/__idle__"}


def saved(folder: Path, *steps: Step, name: str = "a.json") -> File:
    path = folder / name
    path.write_text(json.dumps({"code": 200, "data": list(steps)}))
    return File(path=str(path), name=name, kind="opencost")


def reading(*files: File, tags: Tags = DEFAULT_TAGS) -> Reading:
    return read(files, tags)


def charges(*files: File) -> pl.DataFrame:
    frame = reading(*files).charges
    assert frame is not None
    return frame.collect()


def claims(*files: File, tags: Tags = DEFAULT_TAGS) -> pl.DataFrame:
    frame = reading(*files, tags=tags).claims
    assert frame is not None
    return frame.collect()


def codes(*files: File) -> set[str]:
    return {one.code for one in reading(*files).found()}


def cells(frame: pl.DataFrame, *names: str) -> list[tuple[object, ...]]:
    return frame.select(names).rows()


def test_a_machine_costs_what_its_pods_and_its_idle_part_cost(tmp_path: Path) -> None:
    file = saved(tmp_path, named(pod(), idle()))
    charge = charges(file).row(0, named=True)
    assert list(charge) == [*CHARGES, "team", "project", "environment"]
    expected = {
        "hour": HOUR, "provider": "aws", "cluster": "prod", "node": "i-0abc12345", "gpu_hours": 8.0, "list_cost": 27.0,
        "effective_cost": None, "billed_cost": None, "timing_cost": None, "residual": None, "workload": None,
        "source": "opencost",
    }  # fmt: skip
    assert {name: charge[name] for name in expected} == expected
    assert charges(file).height == 1


def test_a_pod_claims_what_it_asked_for(tmp_path: Path) -> None:
    claim = claims(saved(tmp_path, named(pod(), idle()))).row(0, named=True)
    assert list(claim) == [*CLAIMS, "team", "project", "environment"]
    expected = {
        "hour": HOUR, "node": "i-0abc12345", "workload": "research/train", "pod": "train-7d4b9c-x2", "gpu_hours": 4.0,
        "gpu_hours_used": 2.0, "vcpu_hours": 32.0, "vcpu_hours_used": None, "gb_hours": 64.0, "estimated": False,
        "residual": None,
    }  # fmt: skip
    assert {name: claim[name] for name in expected} == expected


def test_twenty_minutes_are_a_third_of_the_step(tmp_path: Path) -> None:
    file = saved(tmp_path, named(pod(minutes=20, gpuHours=None)))
    assert cells(claims(file), "gpu_hours", "vcpu_hours") == [(pytest.approx(4 / 3), pytest.approx(32 / 3))]


def test_what_crosses_hours_is_cut_by_its_minutes(tmp_path: Path) -> None:
    file = saved(tmp_path, named(pod(at=HOUR + timedelta(minutes=45), minutes=60)))
    assert cells(claims(file), "hour", "gpu_hours") == [(HOUR, 1.0), (HOUR + timedelta(hours=1), 3.0)]
    assert charges(file)["list_cost"].to_list() == [3.5, 10.5]


def test_empty_steps_and_unknown_numbers_are_nothing(tmp_path: Path) -> None:
    file = saved(tmp_path, None, {}, named(pod(gpuUsageAverage=None, cpuCoreRequestAverage=None)))
    assert cells(claims(file), "gpu_hours_used", "vcpu_hours") == [(None, None)]


def test_activity_that_is_zero_everywhere_is_not_measured(tmp_path: Path) -> None:
    busy = pod(gpuUsageAverage=0.2) | {"name": "other", "properties": TRAIN | {"pod": "other-0"}}
    assert claims(saved(tmp_path, named(pod(gpuUsageAverage=0.0))))["gpu_hours_used"].to_list() == [None]
    both = claims(saved(tmp_path, named(pod(gpuUsageAverage=0.0), busy)))
    assert dict(both.select("pod", "gpu_hours_used").iter_rows()) == {"train-7d4b9c-x2": 0.0, "other-0": 0.8}


def test_the_old_shape_has_gpu_hours_and_no_averages(tmp_path: Path) -> None:
    old = {key: value for key, value in pod().items() if not key.startswith(("gpuRequest", "gpuUsage"))}
    assert cells(claims(saved(tmp_path, named(old))), "gpu_hours", "gpu_hours_used") == [(4.0, None)]


def test_the_new_shape_names_the_gpu_and_says_whether_it_is_shared(tmp_path: Path) -> None:
    gpu = {"gpuModel": "NVIDIA H100 80GB HBM3", "isGPUShared": True, "gpuUsageAverage": 0.25, "gpuRequestAverage": 4}
    new = pod(gpuRequestAverage=None, gpuUsageAverage=None, gpuAllocation=gpu)
    file = saved(tmp_path, named(new))
    assert cells(claims(file), "gpu_hours_used", "estimated") == [(1.0, True)]
    assert charges(file)["gpu_model"].to_list() == ["H100-SXM-80GB"]
    assert codes(file) == {"shared-gpus"}


def test_the_labels_of_a_node_say_which_gpus_it_has(tmp_path: Path) -> None:
    labels = {"node_kubernetes_io_instance_type": "p5.48xlarge", "topology_kubernetes_io_region": "us-east-1"}
    file = saved(tmp_path, named(pod() | {"properties": TRAIN | {"labels": labels}}))
    assert cells(charges(file), "instance_type", "gpu_model", "region") == [
        ("p5.48xlarge", "H100-SXM-80GB", "us-east-1")
    ]
    assert codes(file) == set()
    assert codes(saved(tmp_path, named(pod()))) == {"unknown-gpu-model"}


def test_replicas_of_a_gpu_are_parts_of_it(tmp_path: Path) -> None:
    labels = {"nvidia.com/gpu.replicas": "4", "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB-SHARED"}
    shared = pod(gpuHours=1.0, gpuCost=0.75) | {"properties": TRAIN | {"labels": labels}}
    file = saved(tmp_path, named(shared, idle(gpuCost=2.25)))
    assert cells(claims(file), "gpu_hours", "estimated") == [(0.25, True)]
    assert cells(charges(file), "gpu_hours", "gpu_model") == [(1.0, "A100-40GB")]
    assert codes(file) == set()


def test_a_pod_without_a_controller_is_a_pod(tmp_path: Path) -> None:
    bare = {key: value for key, value in TRAIN.items() if not key.startswith("controller")} | {"pod": "notebook-0"}
    one = pod() | {"properties": bare, "name": "prod/ip-10-0-0-7/research/__unallocated__/__unallocated__/notebook-0"}
    assert cells(claims(saved(tmp_path, named(one))), "workload", "gpu_hours") == [("research/notebook", 4.0)]


def test_the_runs_of_a_cron_job_are_one_workload(tmp_path: Path) -> None:
    run = TRAIN | {"controllerKind": "job", "controller": "nightly-29384020", "pod": "nightly-29384020-abcde"}
    assert claims(saved(tmp_path, named(pod() | {"properties": run})))["workload"].to_list() == ["research/nightly"]


def test_an_idle_machine_is_found_by_the_name_that_its_pods_give_it(tmp_path: Path) -> None:
    misnamed = idle(NODE | {"providerID": "ip-10-0-0-7"})
    assert charges(saved(tmp_path, named(pod(), misnamed)))["node"].to_list() == ["i-0abc12345"]


def test_idle_cost_of_a_whole_cluster_is_a_row_of_its_own(tmp_path: Path) -> None:
    file = saved(tmp_path, named(pod(), idle({"cluster": "prod"})))
    assert cells(charges(file).filter(pl.col("node").is_null()), "residual", "list_cost") == [("idle", 13.0)]
    assert codes(file) == {"idle-gpus-uncounted", "unknown-gpu-model"}


def test_what_has_no_gpu_is_other(tmp_path: Path) -> None:
    plain = {"totalCost": 1.0, "gpuHours": 0.0, "gpuCost": 0.0}
    web = allocation({"cluster": "prod", "node": "ip-10-0-0-9", "namespace": "web", "pod": "web-0"}, **plain)
    volume = allocation({"cluster": "prod", "namespace": "__unmounted__", "pod": "__unmounted__"}, **plain)
    lost = allocation({"cluster": "prod"}, **plain) | {"name": "__unallocated__"}
    overhead = allocation({"cluster": "__shared__"}, **plain) | {"name": "overhead/__shared__"}
    file = saved(tmp_path, named(web, volume, lost, overhead))
    found = charges(file).group_by("residual").agg(pl.col("list_cost").sum()).sort("residual")
    assert found.rows() == [("other", 3.0), ("system", 1.0)]
    assert claims(file).is_empty()
    assert charges(file)["gpu_model"].null_count() == charges(file)["node"].null_count() == charges(file).height


def test_gpus_without_a_machine_are_their_workloads(tmp_path: Path) -> None:
    file = saved(tmp_path, named(allocation({"cluster": "prod", "namespace": "research"}, gpuHours=4, totalCost=14)))
    assert cells(charges(file), "workload", "gpu_hours", "list_cost", "residual") == [("research", 4.0, 14.0, None)]


def test_the_clusters_own_pods_are_system(tmp_path: Path) -> None:
    agent = allocation(NODE | {"namespace": "kube-system", "pod": "kube-proxy-abcde"}, totalCost=0.1)
    claim = claims(saved(tmp_path, named(pod(), agent))).filter(pl.col("pod") == "kube-proxy-abcde")
    assert cells(claim, "residual", "gpu_hours") == [("system", 0.0)]


@pytest.mark.parametrize("key", ["app.kubernetes.io/team", "app_kubernetes_io_team", "label_app_kubernetes_io_team"])
def test_labels_are_tags_however_their_keys_are_spelt(tmp_path: Path, key: str) -> None:
    one = pod() | {"properties": TRAIN | {"labels": {key: "vision"}, "namespaceLabels": {"cost_center": "7"}}}
    tags = Tags(chains={"team": ("app.kubernetes.io/team",), "unit": ("cost-center",)})
    assert cells(claims(saved(tmp_path, named(one)), tags=tags), "team", "unit") == [("vision", "7")]


@pytest.mark.parametrize(
    ("identity", "provider", "node"),
    [
        ("gke-pool-1", "gcp", "gke-pool-1"),
        ("gce://p/us-central1-a/gpu-1", "gcp", "gpu-1"),
        ("azure:///subscriptions/s/virtualMachineScaleSets/aks-gpu-vmss/virtualMachines/1", "azure", "aks-gpu-vmss_1"),
        (None, None, "ip-10-0-0-7"),
    ],
)
def test_a_machine_is_called_as_its_bill_calls_it(
    tmp_path: Path, identity: str | None, provider: str | None, node: str
) -> None:
    file = saved(tmp_path, named(pod() | {"properties": TRAIN | {"providerID": identity}}))
    assert cells(charges(file), "provider", "node") == [(provider, node)]


def test_an_allocation_in_two_answers_counts_once(tmp_path: Path) -> None:
    first = saved(tmp_path, named(pod(), idle()), name="a.json")
    again = saved(tmp_path, named(pod(), idle()), named(pod(at=HOUR + timedelta(hours=1))), name="b.json")
    assert charges(first, again)["list_cost"].to_list() == [27.0, 14.0]
    assert "duplicate-allocations" in codes(first, again)


def test_a_line_is_an_answer(tmp_path: Path) -> None:
    path = tmp_path / "days.json"
    days = [{"code": 200, "data": [named(pod(at=HOUR + timedelta(days=day)))]} for day in range(2)]
    path.write_text("\n".join(json.dumps(day) for day in days))
    assert kind_of(str(path), path.name) == "opencost"
    assert charges(File(path=str(path), name=path.name, kind="opencost")).height == 2


@pytest.mark.parametrize(
    "text", ["", '{"code":200,"data":', '{"code":200,"data":{"a":1}}', '{"code":500,"data":null}', "[1]"]
)
def test_what_is_no_answer_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"^broken\.json: "):
        read([File(path=str(path), name=path.name, kind="opencost")], DEFAULT_TAGS)


@pytest.mark.skipif(not SAMPLE.exists(), reason="the sample of a real answer is not here")
def test_a_real_answer_keeps_its_cost() -> None:
    file = File(path=str(SAMPLE), name=SAMPLE.name, kind="opencost")
    costs = [one["totalCost"] for one in json.loads(SAMPLE.read_text())["data"][0].values()]
    assert charges(file)["list_cost"].sum() == pytest.approx(sum(costs))
    assert set(charges(file)["residual"]) == {"other"}
    assert kind_of(str(SAMPLE), SAMPLE.name) == "opencost"


MONEY = st.floats(0, 1e4, allow_nan=False)
ONE = st.tuples(
    st.integers(0, 3), st.integers(0, 170), st.floats(0, 180), MONEY, MONEY, st.integers(0, 8), st.booleans()
)


@settings(max_examples=25, deadline=None)
@given(drawn=st.lists(ONE, min_size=1, max_size=8))
def test_no_cent_and_no_gpu_hour_is_lost(tmp_path_factory: pytest.TempPathFactory, drawn: Sequence[Any]) -> None:
    """Σ list cost of the charges = Σ total cost of the answer, and the pods of a machine have no more GPUs than it."""
    made = []
    for number, (node, after, minutes, gpu, rest, gpus, is_idle) in enumerate(drawn):
        place = {"cluster": "c", "node": f"n{node}", "providerID": f"i-{node:08x}"} if node else {"cluster": "c"}
        who = place | ({} if is_idle else {"namespace": f"ns{number % 2}", "pod": f"p{number}"})
        one = allocation(who, minutes=minutes, at=HOUR + timedelta(minutes=after), gpuCost=gpu, totalCost=gpu + rest)
        name = f"{number}/__idle__" if is_idle else f"{number}"
        made.append(one | {"name": name, "gpuHours": 0 if is_idle else gpus * minutes / 60})
    file = saved(tmp_path_factory.mktemp("answers"), named(*made))
    whole, parts = charges(file), claims(file)
    assert whole["list_cost"].sum() == pytest.approx(sum(one["totalCost"] for one in made))
    both = (
        parts.group_by("hour", "node")
        .agg(pl.col("gpu_hours").sum())
        .join(whole.group_by("hour", "node").agg(pl.col("gpu_hours").sum().alias("has")), on=["hour", "node"])
    )
    assert both.filter(pl.col("gpu_hours") > pl.col("has") + 1e-9).is_empty()
    assert both.height == parts.select("hour", "node").unique().height
