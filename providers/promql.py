"""The questions to a Prometheus server: kube-state-metrics and the DCGM exporter, hour by hour.

Every answer is about the hour that ends at its time. Within it the server looks once a minute: what is there for 20 of
60 minutes has 20 minutes, whatever the scrape interval; minutes in which nothing was scraped are missing from
`observed` too. So a part of an hour is minutes by minutes observed, and an hour that nobody observed has no rows.
"""

from collections.abc import Mapping
from types import MappingProxyType

STEP_S = 3600
_LOOKS = "[59m59s:1m]"  # 60 times: Prometheus 2 counts both ends of a range, Prometheus 3 only the later one
_SELDOM = "[59m59s:5m]"
_GPUS = (
    "nvidia_com_gpu|nvidia_com_gpu_shared|nvidia_com_gpucores|nvidia_com_mig_.+"
    "|amd_com_gpu|aws_amazon_com_neuron.*|habana_ai_gaudi"
)
_DEVICE = "cluster, UUID, uuid, GPU_I_ID, Hostname, hostname, node, modelName"  # a GPU or MIG instance
_HOLDER = "namespace, pod, exported_namespace, exported_pod, pod_namespace, pod_name"


def _own(metric: str) -> str:
    """Return a metric of kube-state-metrics with the labels of the object that it is about.

    Where a scrape does not honour labels, those are called exported_*, and the plain ones are about the exporter.
    """
    for label in ("namespace", "pod", "container", "node"):
        metric = f'label_replace({metric}, "{label}", "$1", "exported_{label}", "(.+)")'
    return metric


def _allocatable() -> str:
    metric = _own(f'kube_node_status_allocatable{{resource=~"{_GPUS}"}}')
    return f"max by (cluster, node, resource) ({metric})"


def _gpu_nodes() -> str:
    return f"max by (cluster, node) ({_allocatable()})"


def _requests(resources: str) -> str:
    """Return what each container asks for, once however many exporters say it."""
    metric = _own(f'kube_pod_container_resource_requests{{resource=~"{resources}", node!=""}}')
    return f"max by (cluster, namespace, pod, uid, container, node, resource) ({metric})"


def _running(asked: str) -> str:
    """Return what running pods on machines with GPUs ask for; pending and finished pods have requests too."""
    phase = _own('kube_pod_status_phase{phase="Running"}')
    running = f"max by (cluster, namespace, pod, uid) ({phase} == 1)"
    here = f"({asked} and on (cluster, node) {_gpu_nodes()})"
    return f"{here} * on (cluster, namespace, pod, uid) group_left () {running}"


def _asked() -> str:
    asked = f"sum by (cluster, namespace, pod, uid, node, resource) ({_requests(f'cpu|memory|{_GPUS}')})"
    return f"sum by (cluster, namespace, pod, node, resource) ({_running(asked)})"


def _capped() -> str:
    """Return GPUs times the share of their cores that a container may use, where HAMi caps it (percent)."""
    container = "cluster, namespace, pod, uid, container"
    share = f"max by ({container}) ({_requests('nvidia_com_gpucores')}) / 100"
    gpus = f"{_requests('nvidia_com_gpu')} * on ({container}) group_left () ({share})"
    asked = f"sum by (cluster, namespace, pod, uid, node) ({gpus})"
    return f"sum by (cluster, namespace, pod, node) ({_running(asked)})"


def _of_gpu_pods(metric: str) -> str:
    return f"{_own(metric)} and on (cluster, namespace, pod) {_requests(_GPUS)}"


def _activity(metric: str, highest: int) -> str:
    """Return how active each device is for each holder, 0 to 1; what is out of range is a sentinel for unsupported."""
    scaled = f"({metric} >= 0 <= {highest})" + (f" / {highest}" if highest > 1 else "")
    return f"max by ({_DEVICE}, {_HOLDER}) ({scaled})"


def _repeated(activity: str) -> str:
    """Return the number of holders of each device that repeats one value for several: the device's, not theirs."""
    by = f"by ({_DEVICE}) ({activity})"
    return f"(count {by} > 1 and max {by} == min {by})"


def _split(activity: str) -> str:
    return f"({activity} / on ({_DEVICE}) group_left () {_repeated(activity)}) or {activity}"


_ENGINE = _activity("DCGM_FI_PROF_GR_ENGINE_ACTIVE", 1)
_UTIL = _activity("DCGM_FI_DEV_GPU_UTIL", 100)

QUERIES: Mapping[str, str] = MappingProxyType(
    {
        "observed": f"count_over_time((count by (cluster) (kube_node_info)){_LOOKS})",  # minutes
        "nodes": f"count_over_time((max by (cluster, node, provider_id) ({_own('kube_node_info')})"
        f" and on (cluster, node) {_gpu_nodes()}){_LOOKS})",  # minutes
        "allocatable": f"max_over_time(({_allocatable()}){_LOOKS})",  # units
        "node_labels": f"max_over_time(({_own('kube_node_labels')} and on (cluster, node) {_gpu_nodes()}){_LOOKS})",
        "requests": f"sum_over_time(({_asked()}){_LOOKS})",  # units times minutes
        "capped": f"sum_over_time(({_capped()}){_LOOKS})",  # GPUs times minutes
        "pod_owners": f"max_over_time(({_of_gpu_pods('kube_pod_owner')}){_LOOKS})",
        "replicaset_owners": f"max_over_time(({_own('kube_replicaset_owner')}){_SELDOM})",
        "job_owners": f"max_over_time(({_own('kube_job_owner')}){_SELDOM})",
        "pod_labels": f"max_over_time(({_of_gpu_pods('kube_pod_labels')}){_LOOKS})",
        "engine": f"avg_over_time(({_split(_ENGINE)}){_LOOKS})",
        "engine_repeated": f"max_over_time({_repeated(_ENGINE)}{_LOOKS})",
        "util": f"avg_over_time(({_split(_UTIL)}){_LOOKS})",
        "util_repeated": f"max_over_time({_repeated(_UTIL)}{_LOOKS})",
    }
)
"""What is asked, by the name under which the answers are saved."""
