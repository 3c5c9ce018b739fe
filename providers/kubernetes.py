"""Names in Kubernetes: which machine a node is, which workload a pod belongs to, and what is the cluster's own."""

import polars as pl

SYSTEM_NAMESPACES = (
    "kube-system", "kube-public", "kube-node-lease", "gpu-operator", "nvidia-gpu-operator", "nvidia-device-plugin",
    "amazon-cloudwatch", "gke-managed-system", "gmp-system", "calico-system", "tigera-operator", "cert-manager",
    "karpenter", "monitoring", "opencost", "kubecost",
)  # fmt: skip
_GENERATED = "[bcdfghjklmnpqrstvwxz2456789]"  # the letters that Kubernetes draws name suffixes from
_SUFFIXES = (
    rf"-[0-9a-f]{{6,10}}-{_GENERATED}{{5}}$",  # Deployment: replica set hash and pod
    rf"-\d+-{_GENERATED}{{5}}$",  # indexed Job, and CronJob: index or schedule, and pod
    rf"-{_GENERATED}{{5}}$",  # DaemonSet, Job
    r"-(?:launcher|master|chief|ps|worker|head)(?:-\d+)*$",  # the nodes of one distributed job are one workload
    r"-\d+$",  # StatefulSet, LeaderWorkerSet
)


def workload_of_pod(pod: pl.Expr) -> pl.Expr:
    """Return the name of the controller that a pod's name comes from.

    >>> pl.select(workload_of_pod(pl.lit("rank-7d4b9c6f5-x2vkq"))).item()
    'rank'
    >>> pl.select(workload_of_pod(pl.lit("llm-worker-3"))).item()
    'llm'
    """
    name = pod
    for suffix in _SUFFIXES[:3]:
        name = pl.when(name == pod).then(name.str.replace(suffix, "")).otherwise(name)
    for suffix in _SUFFIXES[3:]:
        name = name.str.replace(suffix, "")
    return pl.when(name.str.len_bytes() > 0).then(name).otherwise(pod)


def full_name(namespace: pl.Expr, name: pl.Expr) -> pl.Expr:
    """Return namespace/name, which is what a workload is called in every table; null where the name is."""
    return pl.when(namespace.is_null()).then(name).otherwise(pl.concat_str([namespace, pl.lit("/"), name]))


def is_system(namespace: pl.Expr) -> pl.Expr:
    """Return whether a namespace belongs to the cluster and not to its users."""
    return namespace.is_in(list(SYSTEM_NAMESPACES)).fill_null(value=False)


def node_of(provider_id: pl.Expr) -> pl.Expr:
    """Return the one name of a machine that bills and clusters share, from any of its identifiers.

    AWS: the instance id. Google Cloud: the instance's name. Azure: scale set and number as `name_1`, or the VM's name.
    Always in lower case.

    >>> ids = ["aws:///us-east-1a/i-0abc", "gce://p/us-central1-a/gke-gpu-1",
    ...        "azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/aks-gpu-vmss/virtualMachines/1"]
    >>> pl.select(node_of(pl.lit(pl.Series(ids)))).to_series().to_list()
    ['i-0abc', 'gke-gpu-1', 'aks-gpu-vmss_1']
    """
    text = provider_id.str.to_lowercase().str.strip_chars()
    of_set = r"virtualmachinescalesets/([^/]+)/virtualmachines/([^/]+)$"
    scale_set, number = text.str.extract(of_set, 1), text.str.extract(of_set, 2)
    last = text.str.extract(r"([^/]+)/?$", 1)
    return pl.when(scale_set.is_not_null()).then(pl.concat_str([scale_set, pl.lit("_"), number])).otherwise(last)
