"""Tags and product attributes, however a report keeps them; the only place that opens maps.

CUR 2.0 has maps, which other tools write as lists of structs or as JSON. Their keys are spelled `user_cost_center` in
`resource_tags` and `user:CostCenter` in `tags`. Legacy reports have a column for each tag, such as
`resourceTags/user:CostCenter` in CSV and `resource_tags_user_cost_center` in Parquet. A key is found by its letters and
digits in any of them.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TypedDict

import polars as pl

from providers.charges import Tags

MAPS = ("resource_tags", "tags")
CLUSTER = ("aws:eks:cluster-name", "eks:cluster-name", "eks:eks-cluster-name", "alpha.eksctl.io/cluster-name")
CONTROLLER = ("aws:eks:workload-name", "aws:ecs:serviceName")
OWN = ("workload", "app.kubernetes.io/name", "app", "aws:autoscaling:groupName", "Name")
_FLAT = re.compile(r"resource_?tags[/_]", re.IGNORECASE)
_KIND = pl.Map(pl.String(), pl.String())
_NOTHING = pl.lit(None, pl.String())


class _Reader(TypedDict):
    """What `map_batches` is called with."""

    function: Callable[[pl.Series], pl.Series]
    return_dtype: pl.Struct
    is_elementwise: bool


class Lookup:
    """What the tags of one report say."""

    def __init__(self, schema: pl.Schema, tags: Tags) -> None:
        self._schema = schema
        self._tags = tags
        self._flat = [name for name in schema if _FLAT.match(name)]
        self._maps = [name for name in MAPS if name in schema]

    def columns(self, *, nested: bool) -> list[str]:
        """Return the columns of the report that tags stand in, the nested ones or the others.

        A nested one costs more to read than all the rest of a row.
        """
        return [name for name in (*self._maps, *self._flat) if self._schema[name].is_nested() == nested]

    def opened(self) -> list[pl.Expr]:
        """Return what `described` needs beside these columns: what each map of tags says."""
        return [self._map(name).map_batches(**self._reader()).alias(f"{name} says") for name in self._maps]

    def described(self) -> list[pl.Expr]:
        """Return the dimensions, and cluster, controller and own_name: what the tags of a machine or a pod call it."""
        columns = {_FLAT.sub("", name): pl.col(name).cast(pl.String) for name in self._flat}
        flat = dict(zip(self._names(), _said(columns, self._tags), strict=True))
        maps = [pl.col(f"{name} says").struct for name in self._maps]
        return [pl.coalesce([*(said.field(name) for said in maps), flat[name]]).alias(name) for name in self._names()]

    def product(self, name: str) -> pl.Expr:
        """Return an attribute of the product."""
        return self._map("product").map.get(name) if "product" in self._schema else _NOTHING

    def _names(self) -> list[str]:
        return ["cluster", "controller", "own_name", *self._tags.chains]

    def _map(self, name: str) -> pl.Expr:
        if self._schema[name] == _KIND:
            return pl.col(name)  # a cast, even to what it is, would hold the column in memory as a whole
        if self._schema[name] != pl.String:
            return pl.col(name).cast(_KIND)
        return pl.when(pl.col(name).str.len_bytes() > 0).then(name).str.json_decode(_KIND)

    def _reader(self) -> _Reader:
        """Return how a map is read, a batch of rows at a time.

        A batch has few different keys, so these are read first, and only those that are wanted are looked up: each
        look-up goes through the whole map.
        """
        tags, names = self._tags, self._names()

        def read(column: pl.Series) -> pl.Series:
            frame = column.to_frame("map")
            keys = pl.col("map").map.keys().explode(empty_as_null=False, keep_nulls=False).unique()
            found = {key: pl.col("map").map.get(key) for key in sorted(frame.select(keys).to_series().to_list())}
            said = (value.alias(name) for value, name in zip(_said(found, tags), names, strict=True))
            return frame.with_columns(pl.struct(said).alias("said"))["said"].alias(column.name)

        kind = pl.Struct({name: pl.String() for name in names})
        return {"function": read, "return_dtype": kind, "is_elementwise": True}


def _said(found: Mapping[str, pl.Expr], tags: Tags) -> list[pl.Expr]:
    """Return cluster, controller, own_name and the dimensions, from the tags that there are, by their keys."""
    by_key: dict[str, list[pl.Expr]] = {}
    for key, value in found.items():
        by_key.setdefault(plain(key), []).append(pl.when(value.str.len_bytes() > 0).then(value))
    owned = [pl.when(value.is_not_null()).then(pl.lit(name)) for key, value in found.items() if (name := owner(key))]

    def first(keys: Iterable[str], *more: pl.Expr) -> pl.Expr:
        return pl.coalesce([*(value for key in keys for value in by_key.get(plain(key), [])), *more, _NOTHING])

    return [first(CLUSTER, *owned), first(CONTROLLER), first(OWN), *tags.columns(lambda key: first([key]))]


@cache
def plain(key: str) -> str:
    """Return what all spellings of a tag's key share.

    >>> plain("user:CostCenter"), plain("user_cost_center"), plain("cost-center")
    ('costcenter', 'costcenter', 'costcenter')
    """
    return re.sub(r"[^a-z0-9]", "", re.sub(r"^user[:_]", "", key.lower()))


@cache
def owner(key: str) -> str | None:
    """Return the cluster in a tag's key that marks a cluster's own machines, or None.

    >>> owner("user:kubernetes.io/cluster/prod"), owner("user_kubernetes_io_cluster_prod"), owner("user:team")
    ('prod', 'prod', None)
    """
    found = re.fullmatch(r"(?:user[:_])?kubernetes[._]io[/_]cluster[/_](.+)", key, re.IGNORECASE)
    return found[1] if found else None
