"""Tags of FOCUS rows, in one place: the dimensions people ask for, the workload, and the cluster a machine is in."""

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from providers.charges import Tags
from providers.focus.cells import pairs
from providers.streaming import by_distinct

NAMED_WORKLOAD = ("workload", "k8s-workload-name", "workload-name", "job")
APPLICATION = ("app.kubernetes.io/name", "app", "application", "service", "name")
NAMESPACE = ("namespace", "k8s-namespace", "kubernetes-namespace")
CLUSTER = (
    "aws:eks:cluster-name", "eks:cluster-name", "alpha.eksctl.io/cluster-name", "goog-k8s-cluster-name",
    "aks-managed-cluster-name", "cluster", "cluster-name", "kubernetes-cluster", "k8s-cluster",
)  # fmt: skip
_OWNED_BY = "kubernetes.io/cluster/"  # the cluster's name follows, in the key
_PREFIXES = ("", "user:", "user_", "label:", "x_")


def decoded(json: pl.Expr, tags: Tags) -> pl.Expr:
    """Return a struct of what the tags say: every key of the chains as `tag:key`, and workload, namespace, cluster.

    Keys count without regard to case and to the prefix that a provider puts before the tags of its users.
    """
    keys = sorted({key for name in tags.chains for key in tags.keys(name)})
    named = {"named": NAMED_WORKLOAD, "application": APPLICATION, "namespace": NAMESPACE, "cluster": CLUSTER}
    fields: dict[str, Sequence[str]] = {**{f"tag:{key}": (key,) for key in keys}, **named}
    dtype = pl.Struct(dict.fromkeys(fields, pl.String()))

    def answer(text: str) -> Mapping[str, str | None]:
        given = _by_plain_key(pairs(text))
        found = {name: _first(given, keys) for name, keys in fields.items()}
        return found | {"cluster": found["cluster"] or _owner(given)}

    return by_distinct(json, answer, dtype)


def _by_plain_key(given: Mapping[str, str]) -> dict[str, str]:
    """Return the filled tags by key in lower case; the first spelling of a key counts."""
    plain: dict[str, str] = {}
    for key, value in given.items():
        if value.strip():
            plain.setdefault(key.casefold(), value.strip())
    return plain


def _first(given: Mapping[str, str], keys: Iterable[str]) -> str | None:
    names = (prefix + key.casefold() for key in keys for prefix in _PREFIXES)
    return next((given[name] for name in names if name in given), None)


def _owner(given: Mapping[str, str]) -> str | None:
    return next((key.removeprefix(_OWNED_BY) for key in given if key.startswith(_OWNED_BY)), None)
