"""Labels of Kubernetes objects, as Prometheus, OpenCost and kube-state-metrics each spell their keys."""

import re
from collections.abc import Iterable, Mapping

_CAMEL = re.compile(r"([a-z0-9])([A-Z])")
_STRANGE = re.compile(r"[^a-zA-Z0-9_]")


def plain(key: str) -> str:
    """Return the one spelling of a label key: Prometheus allows no dots, and kube-state-metrics no capital letters.

    >>> [plain(key) for key in ("app.kubernetes.io/name", "label_app_kubernetes_io_name", "costCenter", "cost-center")]
    ['app_kubernetes_io_name', 'app_kubernetes_io_name', 'cost_center', 'cost_center']
    """
    name = _CAMEL.sub(r"\1_\2", _STRANGE.sub("_", key)).lower()
    return name.removeprefix("label_")


def picked(keys: Iterable[str], *labels: Mapping[str, str] | None) -> dict[str, str | None]:
    """Return the values of some keys, from the first set of labels that fills each."""
    spelt = [{plain(key): value for key, value in some.items()} for some in labels if some]
    names = {key: plain(key) for key in keys}
    return {key: next((some[name] for some in spelt if some.get(name)), None) for key, name in names.items()}
