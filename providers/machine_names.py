"""What a cluster says of its machines -> provider, region, purchase option, GPU model, in the words of the tables."""

import re
from collections.abc import Iterable

import polars as pl

from providers.accelerators import canonical, instance_gpus

MACHINE_LABELS = {
    "product": ("nvidia.com/gpu.product", "amd.com/gpu.product-name", "cloud.google.com/gke-accelerator"),
    "replicas": ("nvidia.com/gpu.replicas",),
    "instance": ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type"),
    "zone_region": ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"),
    "capacity": (
        "karpenter.sh/capacity-type", "eks.amazonaws.com/capacityType", "kubernetes.azure.com/scalesetpriority",
    ),
    "gke_spot": ("cloud.google.com/gke-spot", "cloud.google.com/gke-preemptible", "cloud.google.com/gke-provisioning"),
}  # fmt: skip
"""What is wanted of a node's labels, and the keys that say it, the first that is filled."""
_SUFFIX = re.compile(r"-(?:SHARED|MIG-\d+g\.\d+gb(?:[.+a-z]*)?)$", re.IGNORECASE)


def provider_of(provider_id: pl.Expr) -> pl.Expr:
    """Return whose machine a provider id names; null where it does not say.

    >>> ids = ["i-0abc1234", "aws:///us-east-1a/i-0abc1234", "gce://p/z/n", "gke-gpu-1", "azure:///s", "node-7"]
    >>> pl.select(provider_of(pl.lit(pl.Series(ids)))).to_series().to_list()
    ['aws', 'aws', 'gcp', 'gcp', 'azure', None]
    """
    text = provider_id.str.to_lowercase().str.strip_chars()
    scheme = text.str.extract(r"^([a-z][a-z0-9.+-]*)://", 1)
    return (
        pl.when(scheme.is_not_null())
        .then(scheme.replace("gce", "gcp"))
        .when(text.str.contains(r"^i-[0-9a-f]{8,}$"))
        .then(pl.lit("aws"))
        .when(text.str.starts_with("gke-"))
        .then(pl.lit("gcp"))
        .when(text.str.contains(r"^(?:/subscriptions/|aks-)"))
        .then(pl.lit("azure"))
        .when(text.str.starts_with("ocid1."))
        .then(pl.lit("oci"))
    )


def region_of(provider_id: pl.Expr) -> pl.Expr:
    """Return the region of the zone that the provider ids of AWS and Google Cloud name; else null."""
    text = provider_id.str.to_lowercase()
    aws = text.str.extract(r"^aws://[^/]*/([a-z]+-[a-z-]+-\d+)[a-z]?/", 1)
    return pl.coalesce(aws, text.str.extract(r"^gce://[^/]+/([a-z]+-[a-z]+\d+)-[a-z]/", 1))


def option_of(capacity: pl.Expr, gke_spot: pl.Expr) -> pl.Expr:
    """Return spot where the labels of a node say so; else null, since labels do not know commitments."""
    low = capacity.str.to_lowercase()
    is_spot = low.is_in(["spot"]) | gke_spot.str.to_lowercase().is_in(["true", "spot", "preemptible"])
    return pl.when(is_spot.fill_null(value=False)).then(pl.lit("spot"))


def product_of(product: str) -> str:
    """Return a GPU product without what sharing adds to its name.

    >>> product_of("NVIDIA-A100-SXM4-40GB-SHARED"), product_of("NVIDIA-H100-80GB-HBM3-MIG-1g.10gb")
    ('NVIDIA-A100-SXM4-40GB', 'NVIDIA-H100-80GB-HBM3')
    """
    return _SUFFIX.sub("", product)


def model_of(provider: str | None, instance_type: str | None, products: Iterable[str | None]) -> str | None:
    """Return the canonical model of a machine's GPUs: by product, else by instance type, else as it is written."""
    written = [product_of(product) for product in products if product]
    known = next((model for name in written if (model := canonical(name))), None)
    if known is not None:
        return known
    found = instance_gpus(provider, instance_type) if provider and instance_type else None
    return found[0] if found else next(iter(written), None)
