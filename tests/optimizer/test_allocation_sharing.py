"""OpenCost's table of aggregations (its TestAllocationSet_AggregateBy) from twelve containers and their idle cost."""

import polars as pl
import pytest

from optimizer.sharing import share_out

RESOURCES = ("cpu", "ram", "gpu", "pv", "network", "lb")
CONTAINERS = [  # cluster, node, namespace, kind, app
    ("c1", "c1nodes", "ns1", None, "app1"),  # the one whose memory costs 11
    ("c1", "c1nodes", "ns1", "deployment", None),
    ("c1", "c1nodes", "ns1", "deployment", None),
    ("c1", "c1nodes", "ns2", "deployment", "app2"),
    ("c1", "c1nodes", "ns2", "deployment", "app2"),
    ("c1", "c1nodes", "ns2", "daemonset", None),
    ("c2", "node1", "ns2", "deployment", "app2"),
    ("c2", "node1", "ns2", "deployment", "app2"),
    ("c2", "node2", "ns2", "daemonset", None),
    ("c2", "node2", "ns3", "deployment", None),
    ("c2", "node3", "ns3", "statefulset", None),
    ("c2", "node3", "ns3", "statefulset", None),
]
IDLE = [
    ("c1", "c1nodes", 5.0, 15.0),
    *(("c2", node, 5 / 3, 5 / 3) for node in ("node1", "node2", "node3")),
]
COLUMNS = ("cluster", "node", "namespace", "kind", "app", "resource", "effective_cost", "residual")


def containers():
    for index, labels in enumerate(CONTAINERS):
        for resource in RESOURCES:
            yield (*labels, resource, 11.0 if (index, resource) == (0, "ram") else 1.0, None)


def idle():
    for cluster, node, cpu, ram in IDLE:
        for resource, cost in (("cpu", cpu), ("ram", ram)):
            yield (cluster, node, None, None, None, resource, cost, "idle")


USAGE = pl.DataFrame([*containers(), *idle()], schema=list(COLUMNS), orient="row")
OVERHEAD = pl.DataFrame([(None,) * 6 + (7.0 * 24, "system")], schema=USAGE.schema, orient="row")
IS_IDLE = pl.col("residual") == "idle"
IS_OVERHEAD = pl.col("residual") == "system"
PER_RESOURCE = ("cluster", "resource")


def by(frame, *names):
    """Sum what the rows come to; rows of no workload under the name of their residual."""
    total = pl.col("effective_cost") + (pl.col("shared_cost") if "shared_cost" in frame.columns else 0.0)
    keys = [pl.coalesce("residual", name).alias(name) for name in names]
    sums = frame.group_by(keys).agg(total.sum().alias("cost"))
    return {row[0] if len(row) == 2 else row[:-1]: row[-1] for row in sums.iter_rows() if abs(row[-1]) > 1e-12}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cluster", {"c1": 46, "c2": 36, "idle": 30}),  # 1a
        ("namespace", {"ns1": 28, "ns2": 36, "ns3": 18, "idle": 30}),  # 1b
        ("kind", {"daemonset": 12, "deployment": 42, "statefulset": 12, "idle": 30, None: 16}),  # 1e
        ("app", {"app1": 16, "app2": 24, "idle": 30, None: 42}),  # 1h
    ],
)
def test_separate(name, expected):
    assert by(share_out(USAGE, IS_IDLE), name) == pytest.approx(expected)


def weighted_idle(frame=USAGE):
    return share_out(frame, IS_IDLE, how="weighted", within=PER_RESOURCE)


def test_3a_idle_weighted():
    assert by(weighted_idle(), "namespace") == pytest.approx({"ns1": 42.6875, "ns2": 46.3125, "ns3": 23.0})


def test_4a_a_namespace_shared_evenly():
    """A comment in the source says 37.5 and 45.5; its test, and the sum, say 37 and 45."""
    shared = share_out(USAGE, pl.col("namespace") == "ns3", how="even", among=["namespace"])
    assert by(shared, "namespace") == pytest.approx({"ns1": 37, "ns2": 45, "idle": 30})


def test_4b_a_namespace_shared_by_weight():
    shared = share_out(USAGE, pl.col("namespace") == "ns3", how="weighted")
    assert by(shared, "namespace") == pytest.approx({"ns1": 35.875, "ns2": 46.125, "idle": 30})


def test_4c_a_label_shared_evenly():
    shared = share_out(USAGE, pl.col("app") == "app1", how="even", among=["namespace"])
    expected = {"ns1": 17.3333, "ns2": 41.3333, "ns3": 23.3333, "idle": 30}
    assert by(shared, "namespace") == pytest.approx(expected, abs=1e-4)


def test_4d_overhead_by_weight():
    shared = share_out(pl.concat([USAGE, OVERHEAD]), IS_OVERHEAD, how="weighted")
    expected = {"ns1": 85.366, "ns2": 109.756, "ns3": 54.878, "idle": 30}
    assert by(shared, "namespace") == pytest.approx(expected, abs=1e-3)


def test_5b_one_cluster_with_its_idle():
    assert by(weighted_idle().filter(pl.col("cluster") == "c1"), "cluster") == pytest.approx({"c1": 66})


def test_5d_the_idle_that_goes_with_a_namespace():
    rows = weighted_idle().filter(pl.col("namespace") == "ns2")
    assert by(rows.drop("shared_cost"), "cluster") == {"c1": 18, "c2": 18}
    assert rows["shared_cost"].sum() == pytest.approx(10.3125)


def test_6a_and_6k_idle_by_cluster_and_by_node():
    idle_rows = USAGE.filter(IS_IDLE).drop("residual").with_columns(residual=pl.lit(None, pl.String))
    assert by(idle_rows, "cluster") == pytest.approx({"c1": 20, "c2": 10})
    nodes = by(idle_rows, "node")
    assert nodes == pytest.approx({"c1nodes": 20, "node1": 3.333333, "node2": 3.333333, "node3": 3.333333}, abs=1e-6)


def test_6g_a_shared_namespace_hands_on_its_idle():
    shared = share_out(weighted_idle(), pl.col("namespace") == "ns1", how="weighted")
    assert by(shared, "namespace") == pytest.approx({"ns2": 74.7708, "ns3": 37.2292}, abs=1e-4)


def test_6i_idle_and_overhead():
    shared = share_out(weighted_idle(pl.concat([USAGE, OVERHEAD])), IS_OVERHEAD, how="weighted")
    assert by(shared, "namespace")["ns2"] == pytest.approx(120.0686, abs=1e-4)


@pytest.mark.parametrize("how", ["separate", "weighted", "even"])
@pytest.mark.parametrize("within", [(), ("cluster",), ("node", "resource")])
def test_the_whole_stays_the_same(how, within):
    shared = share_out(USAGE, IS_IDLE, how=how, within=within, among=["namespace"])
    assert (shared["effective_cost"] + shared["shared_cost"]).sum() == pytest.approx(112)
    assert shared.select(USAGE.columns).equals(USAGE)


@pytest.mark.parametrize("how", ["weighted", "even"])
def test_what_nobody_can_receive_stays(how):
    """Costs that cancel to 0 give a share of 0, never infinity (OpenCost's TestComputeIdleCoefficients)."""
    rows = pl.DataFrame(
        {"cluster": ["a", "a", "b"], "residual": [None, "idle", "idle"], "effective_cost": [0.0, 5.0, 7.0]}
    )
    shared = share_out(rows, IS_IDLE, how=how, within=["cluster"], among=["cluster"])
    assert shared["shared_cost"].to_list() == [0, 0, 0]
