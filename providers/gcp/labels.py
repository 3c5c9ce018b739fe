"""Labels and tags of Google's detailed export: lists of keys and values, of which a row has up to dozens."""

from collections.abc import Sequence

import polars as pl

from providers.charges import Tags
from providers.gcp.nested import field, type_of

Place = tuple[str, str]
"""A column of labels and a key in it."""
COLUMNS = ("labels", "system_labels", "tags", "project.labels")
OWN_NAMES = ("workload", "app", "app_kubernetes_io_name", "name")
_NAMED: dict[str, Place] = {
    "cluster": ("labels", "goog-k8s-cluster-name"),
    "namespace": ("labels", "k8s-namespace"),
    "workload": ("labels", "k8s-workload-name"),
    "origin": ("labels", "goog-originating-sku-id"),
    "machine": ("system_labels", "compute.googleapis.com/machine_spec"),
}
_KEY, _VALUE = pl.element().struct.field("key"), pl.element().struct.field("value")
_NOTHING = pl.lit(None, pl.String())


class Labels:
    """What the labels of one export say: cluster, namespace, workload, origin, machine, own_name and the dimensions.

    A name may stand under a dozen keys, of which a row has one or none. So each row's labels are first narrowed to the
    keys of a name (`narrowed`), which costs no more than to look for one of them, and then looked through (`said`).
    """

    def __init__(self, schema: pl.Schema, tags: Tags) -> None:
        self._schema = schema
        columns = [name for name in COLUMNS if _has_pairs(type_of(name, schema))]
        named = {name: [place] for name, place in _NAMED.items()}
        own = {"own_name": [place for key in OWN_NAMES for place in _places(key)]}
        dimensions = {name: [place for key in tags.keys(name) for place in _places(key)] for name in tags.chains}
        self._wanted = {
            name: list(dict.fromkeys(place for place in places if place[0] in columns))
            for name, places in {**named, **own, **dimensions}.items()
        }

    def narrowed(self) -> dict[str, pl.Expr]:
        """Return for each name and column the labels that may say it, by what `said` calls the list."""
        return {
            _list_of(name, column): field(column, self._schema).list.eval(
                pl.element().filter(_KEY.cast(pl.String).is_in(keys))
            )
            for name, places in self._wanted.items()
            for column, keys in _by_column(places).items()
        }

    def said(self) -> list[pl.Expr]:
        """Return each name: the value under the first of its keys that is there and not blank."""
        return [
            pl.coalesce([*(_value(_list_of(name, column), key) for column, key in places), _NOTHING]).alias(name)
            for name, places in self._wanted.items()
        ]


def _list_of(name: str, column: str) -> str:
    return f"{column} for {name}"


def _by_column(places: Sequence[Place]) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = {}
    for column, key in places:
        keys.setdefault(column, []).append(key)
    return keys


def _value(lists: str, key: str) -> pl.Expr:
    found = pl.col(lists).list.eval(_VALUE.cast(pl.String).filter(_KEY.cast(pl.String) == key)).list.first()
    text = found.str.strip_chars()
    return pl.when(text.str.len_bytes() > 0).then(text)


def _places(key: str) -> list[Place]:
    """Return where a tag may stand: a label of the row, of its pod or namespace, a tag, or a label of its project."""
    plain = key.lower()
    kinds = (key, plain, f"k8s-label/{key}", f"k8s-namespace-labels/{key}")
    return [*(("labels", kind) for kind in kinds), ("tags", key), ("tags", plain), ("project.labels", plain)]


def _has_pairs(dtype: pl.DataType | None) -> bool:
    """Return whether these are lists of keys and values; labels without a struct of both are none."""
    inner = getattr(dtype, "inner", None)
    return isinstance(inner, pl.Struct) and {"key", "value"} <= {part.name for part in inner.fields}
