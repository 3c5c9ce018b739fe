"""Prometheus for real: a server on loopback over samples with known answers, asked and read back."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from providers.charges import CHARGES, CLAIMS, DEFAULT_TAGS, Reading
from providers.prometheus import TOKEN, fetch, read
from providers.promql import QUERIES
from providers.recognise import File, kind_of


def _helper(name: str) -> Any:
    spec = spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


helper = _helper("prometheus_server")
sample = helper.sample
START = datetime(2026, 4, 1, 13, tzinfo=UTC)
END = START + timedelta(hours=3)
H100 = "NVIDIA H100 80GB HBM3"
A100 = "NVIDIA A100-SXM4-80GB"
ENGINE, UTIL = "DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_DEV_GPU_UTIL"
UNSUPPORTED = 9223372036854775794.0  # what the exporter writes where a card has no such meter
Samples = list[Any]


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


def node(name: str, units: dict[str, float], *, provider_id: str = "", **labels: str) -> Samples:
    """A node of cluster prod for three hours."""
    own = {"cluster": "prod", "node": name}
    return [
        sample("kube_node_info", 1, START, END, **own, provider_id=provider_id),
        *(sample("kube_node_status_allocatable", n, START, END, **own, resource=r) for r, n in units.items()),
        *([sample("kube_node_labels", 1, START, END, **own, **labels)] if labels else []),
    ]


def pod(
    name: str, where: str, units: dict[str, float], *, first: int = 1, last: int = 60, phase: str = "Running",
    cluster: str = "prod", **labels: str,
) -> Samples:  # fmt: skip
    """A pod of namespace team-a that is there in the minutes from first to last."""
    own = {"cluster": cluster, "namespace": "team-a", "pod": name, "uid": f"uid-{name}"}
    since, until = minute(first), minute(last)
    requests = "kube_pod_container_resource_requests"
    phases = ("Pending", "Running", "Succeeded")
    return [
        *(sample(requests, n, since, until, **own, container="main", node=where, resource=r) for r, n in units.items()),
        *(sample("kube_pod_status_phase", float(one == phase), since, until, **own, phase=one) for one in phases),
        *([sample("kube_pod_labels", 1, since, until, **own, **labels)] if labels else []),
    ]


def busy(metric: str, value: float, who: str | None, *, first: int = 1, last: int = 60, **device: str) -> Samples:
    """What the DCGM exporter says of one device and its holder, as Prometheus keeps it without honor_labels."""
    own = {"cluster": "prod", "namespace": "gpu-operator", "pod": "dcgm-exporter-1"}
    holder = {"exported_namespace": "team-a", "exported_pod": who} if who else {}
    return [sample(metric, value, minute(first), minute(last), **own, **holder, **device)]


def flawed(metric: str, who: str, **device: str) -> Samples:
    """A device that is 90 % active, but for a minute in which it could not be measured."""
    spans = ((0.9, 1, 29), (UNSUPPORTED, 30, 30), (0.9, 31, 120))
    return [one for value, first, last in spans for one in busy(metric, value, who, first=first, last=last, **device)]


def owner(metric: str, kind: str, name: str, **owned: str) -> Any:
    labels = {"cluster": "prod", "namespace": "team-a", "owner_kind": kind, "owner_name": name}
    return sample(metric, 1, START, END, **labels, **owned)


def whole_gpus() -> Samples:
    """Eight H100 of which one deployment holds four, with everything that must not be counted around it."""
    train = "train-7d4b9c6f5-x2vkq"
    owners = [
        owner("kube_pod_owner", "ReplicaSet", "train-7d4b9c6f5", pod=train),
        owner("kube_replicaset_owner", "Deployment", "trainer", replicaset="train-7d4b9c6f5"),
        owner("kube_pod_owner", "Job", "nightly-29384020", pod="nightly-29384020-abcde"),
        owner("kube_job_owner", "CronJob", "nightly", job_name="nightly-29384020"),
    ]
    instance = {"label_node_kubernetes_io_instance_type": "p5.48xlarge", "label_karpenter_sh_capacity_type": "spot"}
    active = [
        one
        for gpu in range(3)
        for host, first in (("Hostname", 1), ("hostname", 61))  # the exporter was renewed at 14:00
        for one in busy(
            ENGINE, 0.5, train, first=first, last=first + 59, UUID=f"GPU-{gpu}", modelName=H100, **{host: "gpu-1"}
        )
    ]
    second = [one._replace(labels=one.labels | {"instance": "b"}) for one in pod(train, "gpu-1", {"nvidia_com_gpu": 4})]
    return [
        *node("gpu-1", {"nvidia_com_gpu": 8}, provider_id="aws:///us-east-1a/i-0abc12345", **instance),
        *pod(train, "gpu-1", {"nvidia_com_gpu": 4, "cpu": 64, "memory": 2.0**38}, last=120, label_team="ml"),
        *second,
        *pod("nightly-29384020-abcde", "gpu-1", {"nvidia_com_gpu": 2}, first=11, last=30),
        *pod("waiting-0", "", {"nvidia_com_gpu": 8}, phase="Pending"),
        *pod("done-0", "gpu-1", {"nvidia_com_gpu": 8}, phase="Succeeded"),
        *owners,
        *active,
        *flawed(ENGINE, train, UUID="GPU-3b", modelName=H100, Hostname="gpu-1"),
        *busy(ENGINE, UNSUPPORTED, "nightly-29384020-abcde", UUID="GPU-5", Hostname="gpu-1"),
        *busy(UTIL, 90, train, UUID="GPU-0", Hostname="gpu-1"),
        *busy(UTIL, 30, "nightly-29384020-abcde", first=11, last=30, UUID="GPU-4", Hostname="gpu-1"),
    ]


def shared_gpus() -> Samples:
    """One card in four replicas, once renamed and labelled, once neither, once with a meter for each process."""
    labels = {"label_nvidia_com_gpu_replicas": "4", "label_nvidia_com_gpu_product": "NVIDIA-A100-SXM4-80GB-SHARED"}
    mute = {"uuid": "GPU-pp", "Hostname": "pp-1", "modelName": A100, "cluster": "prod", "pod_namespace": "team-a"}
    shares = (0.385, 0.1375, 0.01375, 0.01375)  # of 55 % activity: 70 %, 25 %, 2.5 % and 2.5 %
    made = [*node("ts-1", {"nvidia_com_gpu_shared": 4}, **labels), *node("pp-1", {"nvidia_com_gpu": 4})]
    for number, share in enumerate(shares):
        made += pod(f"slice-{number}", "ts-1", {"nvidia_com_gpu_shared": 1})
        made += busy(UTIL, 55, f"slice-{number}", UUID="GPU-ts", Hostname="ts-1", modelName=A100)
        made += pod(f"process-{number}", "pp-1", {"nvidia_com_gpu": 1})
        made += [sample(ENGINE, share, minute(1), minute(60), **mute, pod_name=f"process-{number}")]
    return made


def mig() -> Samples:
    """One card cut into two 3g, which leave a seventh, and one cut into seven 1g under the single strategy."""
    made = node("mig-1", {"nvidia_com_gpu": 0, "nvidia_com_mig_3g_40gb": 2})
    made += node("one-1", {"nvidia_com_gpu": 7}, label_nvidia_com_gpu_product="NVIDIA-A100-SXM4-80GB-MIG-1g.10gb")
    for number in range(2):
        made += pod(f"cut-{number}", "mig-1", {"nvidia_com_mig_3g_40gb": 1})
        device = {"UUID": "GPU-mig", "GPU_I_ID": f"{number}", "GPU_I_PROFILE": "3g.40gb", "Hostname": "mig-1"}
        made += busy(ENGINE, 0.5, f"cut-{number}", modelName=A100, **device)
    return made + pod("single-0", "one-1", {"nvidia_com_gpu": 1})


def others() -> Samples:
    """Chips of other vendors, capped shares of a card, and an exporter whose labels were not honoured."""
    azure = "azure:///subscriptions/s/virtualMachineScaleSets/aks-a/virtualMachines/3"
    exported = {"cluster": "prod", "namespace": "monitoring", "pod": "ksm-1", "node": "cpu-1"}
    here = {"exported_node": "exp-1"}
    about = {"exported_namespace": "team-a", "exported_pod": "rank-0", "uid": "u-rank-0"}
    made = [
        *node("amd-1", {"amd_com_gpu": 8}, provider_id=azure),
        *pod("amd-0", "amd-1", {"amd_com_gpu": 8}),
        *node("trn-1", {"aws_amazon_com_neuroncore": 32, "aws_amazon_com_neurondevice": 16}, provider_id="aws:///us-west-2b/i-0def12345",
              label_node_kubernetes_io_instance_type="trn1.32xlarge"),
        *pod("neuron-0", "trn-1", {"aws_amazon_com_neuroncore": 4}),
        *node("hami-1", {"nvidia_com_gpu": 10}, label_node_kubernetes_io_instance_type=""),
        *busy(UTIL, 40, None, UUID="GPU-hami", Hostname="hami-1"),
        sample("kube_node_info", 1, START, END, **exported, **here, provider_id="gce://p/us-central1-a/exp-1"),
        sample("kube_node_status_allocatable", 8, START, END, **exported, **here, resource="nvidia_com_gpu"),
        sample("kube_pod_container_resource_requests", 8, minute(1), minute(60), **exported, **about, container="ksm",
               exported_container="c", **here, resource="nvidia_com_gpu"),
        sample("kube_pod_status_phase", 1, minute(1), minute(60), **exported, **about, phase="Running"),
    ]  # fmt: skip
    for number in range(4):
        made += pod(f"quarter-{number}", "hami-1", {"nvidia_com_gpu": 1, "nvidia_com_gpucores": 25})
    return made


def gap() -> Samples:
    """A cluster whose exporter was away for 20 minutes of one hour, and all of the next."""
    own = {"cluster": "gap", "node": "g-1"}
    seen = [(START, minute(20)), (minute(41), minute(60)), (minute(121), END)]
    requests = {"namespace": "team-a", "pod": "steady-0", "uid": "s", "container": "c", "resource": "nvidia_com_gpu"}
    phase = {"cluster": "gap", "namespace": "team-a", "pod": "steady-0", "uid": "s", "phase": "Running"}
    return [
        one
        for since, until in seen
        for one in (
            sample("kube_node_info", 1, since, until, **own),
            sample("kube_node_status_allocatable", 2, since, until, **own, resource="nvidia_com_gpu"),
            sample("kube_pod_container_resource_requests", 2, since, until, **own, **requests),
            sample("kube_pod_status_phase", 1, since, until, **phase),
        )
    ]


@pytest.fixture(scope="module", autouse=True)
def _no_proxy() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "127.0.0.1")
        patch.delenv(TOKEN, raising=False)
        yield


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prometheus")
    samples = [*whole_gpus(), *shared_gpus(), *mig(), *others(), *gap()]
    with helper.prometheus(folder, samples) as url:
        return Path(fetch(url, start=START, end=END, folder=folder))


def reading(path: Path) -> Reading:
    return read([File(path=str(path), name=path.name, kind="prometheus")], DEFAULT_TAGS)


@pytest.fixture(scope="module")
def charges(answers: Path) -> pl.DataFrame:
    frame = reading(answers).charges
    assert frame is not None
    return frame.collect()


@pytest.fixture(scope="module")
def claims(answers: Path) -> pl.DataFrame:
    frame = reading(answers).claims
    assert frame is not None
    return frame.collect()


def first_hour(frame: pl.DataFrame, *names: str, **where: str) -> list[tuple[Any, ...]]:
    return frame.filter(pl.col("hour") == START, **where).select(names).rows()


def by_pod(claims: pl.DataFrame, prefix: str, *names: str) -> list[tuple[Any, ...]]:
    found = claims.filter(pl.col("hour") == START, pl.col("pod").str.starts_with(prefix))
    return found.sort("pod").select(names).rows()


def test_the_file_is_recognised_and_holds_every_question(answers: Path) -> None:
    assert kind_of(str(answers), answers.name) == "prometheus"
    asked = [json.loads(line) for line in answers.read_text().splitlines()][1:]
    assert {one["query"] for one in asked} == set(QUERIES)
    assert {one["answer"]["status"] for one in asked} == {"success"}


def test_charges_and_claims_have_the_columns_of_the_contract(charges: pl.DataFrame, claims: pl.DataFrame) -> None:
    assert charges.columns == [*CHARGES, "team", "project", "environment"]
    assert claims.columns == [*CLAIMS, "team", "project", "environment"]
    money = ("list_cost", "billed_cost", "effective_cost", "timing_cost")
    assert charges.select(money).null_count().row(0) == (charges.height,) * 4


def test_a_machine_has_the_gpus_of_each_hour(charges: pl.DataFrame) -> None:
    names = ("gpu_hours", "provider", "region", "instance_type", "gpu_model", "purchase_option", "cluster")
    rows = charges.filter(pl.col("node") == "i-0abc12345").select(names).rows()
    assert rows == [(8.0, "aws", "us-east-1", "p5.48xlarge", "H100-SXM-80GB", "spot", "prod")] * 3


def test_a_pod_claims_its_request_and_its_activity_through_every_renaming(claims: pl.DataFrame) -> None:
    names = ("hour", "workload", "team", "gpu_hours", "gpu_hours_used", "vcpu_hours", "gb_hours", "estimated")
    rows = claims.filter(pl.col("pod") == "train-7d4b9c6f5-x2vkq").select(names).rows()
    used = pytest.approx(3 * 0.5 + 0.9)
    same = ("team-a/trainer", "ml", 4.0, used, 64.0, 256.0, False)
    assert rows == [(START, *same), (minute(60), *same)]


def test_twenty_minutes_are_a_third_and_a_sentinel_is_nothing(claims: pl.DataFrame) -> None:
    found = by_pod(claims, "nightly", "workload", "gpu_hours", "gpu_hours_used")
    assert found == [("team-a/nightly", pytest.approx(2 / 3), pytest.approx(0.3 * 2 / 3))]


def test_pending_and_finished_pods_claim_nothing(claims: pl.DataFrame) -> None:
    assert by_pod(claims, "waiting", "pod") == by_pod(claims, "done", "pod") == []


def test_replicas_share_the_card_and_what_the_meter_repeats(charges: pl.DataFrame, claims: pl.DataFrame) -> None:
    assert (
        by_pod(claims, "slice", "gpu_hours", "gpu_hours_used", "estimated") == [(0.25, pytest.approx(0.1375), True)] * 4
    )
    assert first_hour(charges, "gpu_hours", "gpu_model", node="ts-1") == [(1.0, "A100-80GB")]


def test_a_meter_of_each_process_is_believed(charges: pl.DataFrame, claims: pl.DataFrame) -> None:
    found = by_pod(claims, "process", "gpu_hours", "gpu_hours_used", "estimated")
    used = (0.385, 0.1375, 0.01375, 0.01375)
    assert found == [(0.25, pytest.approx(one), True) for one in used]
    assert first_hour(charges, "gpu_hours", "gpu_model", node="pp-1") == [(1.0, "A100-80GB")]


def test_mig_slices_are_their_compute_and_the_rest_is_the_platforms(
    charges: pl.DataFrame, claims: pl.DataFrame
) -> None:
    third = (pytest.approx(3 / 7), pytest.approx(3 / 14), False)
    assert by_pod(claims, "cut", "gpu_hours", "gpu_hours_used", "estimated") == [third] * 2
    rest = claims.filter(pl.col("hour") == START, pl.col("node") == "mig-1", pl.col("pod").is_null())
    assert rest.select("residual", "gpu_hours").rows() == [("system", pytest.approx(1 / 7))]
    assert first_hour(charges, "gpu_hours", node="mig-1") == [(1.0,)]


def test_a_unit_of_the_single_strategy_is_a_slice(charges: pl.DataFrame, claims: pl.DataFrame) -> None:
    assert by_pod(claims, "single", "gpu_hours", "gpu_hours_used") == [(pytest.approx(1 / 7), None)]
    assert first_hour(charges, "gpu_hours", "gpu_model", node="one-1") == [(pytest.approx(1.0), "A100-80GB")]


def test_other_vendors_chips_count(charges: pl.DataFrame, claims: pl.DataFrame) -> None:
    assert by_pod(claims, "amd", "node", "gpu_hours") == [("aks-a_3", 8.0)]
    assert by_pod(claims, "neuron", "node", "gpu_hours") == [("i-0def12345", 2.0)]  # two cores a chip
    assert first_hour(charges, "gpu_hours", "gpu_model", node="i-0def12345") == [(16.0, "TRN1-32GB")]


def test_four_capped_quarters_are_one_gpu(charges: pl.DataFrame, claims: pl.DataFrame) -> None:
    assert by_pod(claims, "quarter", "gpu_hours", "estimated") == [(0.25, True)] * 4
    assert first_hour(charges, "gpu_hours", node="hami-1") == [(1.0,)]


def test_labels_that_were_not_honoured_are_read(charges: pl.DataFrame, claims: pl.DataFrame) -> None:
    assert by_pod(claims, "rank", "node", "namespace", "gpu_hours") == [("exp-1", "team-a", 8.0)]
    assert first_hour(charges, "gpu_hours", "provider", "region", node="exp-1") == [(8.0, "gcp", "us-central1")]


def test_a_gap_is_not_counted_and_an_unseen_hour_is_unknown(charges: pl.DataFrame, claims: pl.DataFrame) -> None:
    seen = [(START, 2.0), (minute(120), 2.0)]
    assert charges.filter(pl.col("cluster") == "gap").select("hour", "gpu_hours").rows() == seen
    assert claims.filter(pl.col("cluster") == "gap").select("hour", "gpu_hours").rows() == seen


def test_no_machine_is_claimed_beyond_its_gpus(charges: pl.DataFrame, claims: pl.DataFrame) -> None:
    sums = claims.group_by("hour", "node").agg(pl.col("gpu_hours").sum().alias("asked"))
    both = sums.join(charges, on=["hour", "node"], how="left")
    assert both.filter(~(pl.col("asked") <= pl.col("gpu_hours") + 1e-9)).is_empty()
    assert not charges.select("hour", "node").is_duplicated().any()


def test_what_nothing_says_is_told(answers: Path) -> None:
    assert {one.code for one in reading(answers).found()} == {"unknown-gpu-model"}  # of the machines with no labels
