"""What the labels of Google's export say, against a plain look through each row's lists."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.charges import Tags
from providers.gcp.labels import Labels
from providers.gcp.skus import sku_of

TAGS = Tags(chains={"team": ("Team", "owner", "namespace"), "project": ("app",), "none": ()})
KEYS = ("Team", "team", "owner", "app", "k8s-label/app", "k8s-namespace-labels/Team", "other", "goog-k8s-cluster-name")
PAIRS = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))
SCHEMA = pl.Schema({"labels": PAIRS, "system_labels": PAIRS, "tags": PAIRS, "project": pl.Struct({"labels": PAIRS})})
VALUES = st.sampled_from(["a", "b", " c ", "", None])


def lists():
    found = st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1, max_size=6)
    return st.none() | found.map(lambda pairs: [{"key": key, "value": value} for key, value in pairs.items()])


def told(rows, schema=SCHEMA, tags=TAGS):
    labels = Labels(schema, tags)
    frame = pl.DataFrame(rows, schema=schema).lazy()
    return frame.with_columns(**labels.narrowed()).select(labels.said()).collect(engine="streaming").to_dicts()


def at(pairs, key):
    values = [pair["value"] for pair in pairs or () if pair["key"] == key]
    return (values[0] or "").strip() or None if values else None


def plainly(row, keys):
    project = row["project"] and row["project"]["labels"]
    for key in keys:
        kinds = (key, key.lower(), f"k8s-label/{key}", f"k8s-namespace-labels/{key}")
        places = [*((row["labels"], kind) for kind in kinds), (row["tags"], key), (row["tags"], key.lower())]
        for pairs, kind in [*places, (project, key.lower())]:
            if value := at(pairs, kind):
                return value
    return None


@given(rows=st.lists(st.tuples(lists(), lists(), lists()), min_size=4, max_size=12))
def test_the_first_key_that_is_not_blank_counts_wherever_it_stands(rows):
    rows = [
        {"labels": one, "system_labels": None, "tags": two, "project": {"labels": three}} for one, two, three in rows
    ]
    for row, said in zip(rows, told(rows), strict=True):
        assert said["team"] == plainly(row, ("Team", "owner"))
        assert said["project"] == plainly(row, ("app",))
        assert said["own_name"] == plainly(row, ("workload", "app", "app_kubernetes_io_name", "name"))
        assert said["cluster"] == at(row["labels"], "goog-k8s-cluster-name")
        assert said["none"] is said["machine"] is None


def test_labels_without_keys_and_values_are_none():
    """BigQuery writes an empty list without a type, and older exports have no project labels."""
    schema = pl.Schema({"labels": pl.List(pl.Null), "project": pl.Struct({"id": pl.String})})
    (said,) = told([{"labels": [], "project": {"id": "acme"}}], schema)
    assert set(said.values()) == {None}


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ("Nvidia H100 80GB Plus GPU running in Iowa", {"names_gpu": True, "sku_gpu": "H100-SXM-80GB"}),
        ("Spot Preemptible A3 Instance Core running in Iowa", {"sells_spot": True, "sku_class": "core"}),
        ("Commitment v1: Ram in Iowa for 1 Year", {"names_fee": True, "sku_class": "ram", "sku_gpu": None}),
        ("DWS Calendar Mode L4 GPU", {"sells_block": True, "sku_gpu": "L4-24GB", "sku_class": "L4-24GB"}),
        ("Storage PD Capacity", {"names_gpu": False, "names_fee": False, "sku_class": None, "sells_spot": False}),
    ],
)
def test_what_a_sku_says(description, said):
    assert said.items() <= sku_of(description).items()
