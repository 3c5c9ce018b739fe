"""Random bills and claims against the same rules written as loops in plain Python, and laws that hold for any."""

import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from optimizer.allocation import allocate
from optimizer.policies import POLICIES
from providers.accelerators import instance_capacity, instance_gpus
from providers.charges import CHARGES, CLAIMS
from providers.tables import USAGE, checked

START = datetime(2026, 3, 1, tzinfo=UTC)
TYPES = {"a": "p5.48xlarge", "b": "g6.xlarge", "c": "mystery-8x", "d": "p5.48xlarge"}
MODELS = {"a": "H100-SXM-80GB", "b": "L4-24GB", "c": "B200-180GB", "d": "H100-SXM-80GB"}
DIMENSIONS = ("team",)
COSTS = ("list_cost", "billed_cost", "effective_cost")
LIVE = ("prometheus", "opencost")
RANKS = ("aws_cur", "gcp_detailed", "azure_cost", "focus", "prometheus", "opencost")
RESOURCES = ("gpu", "vcpu", "gb")
KEY = ("hour", *(name for name, dtype in CHARGES.items() if dtype == pl.String and name != "node"), *DIMENSIONS)

amount = st.sampled_from([None, 0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 4.0, 8.0, 12.0])
cost = st.one_of(st.none(), st.floats(0, 100, allow_nan=False).map(lambda value: round(value, 4)))


@st.composite
def charges(draw):
    node = draw(st.sampled_from([None, "a", "b", "c", "d"]))
    daily = node is not None and draw(st.integers(0, 3)) == 0
    hour = START + timedelta(hours=draw(st.integers(0, 3)), days=draw(st.integers(0, 1)))
    live = draw(st.integers(0, 5)) == 0
    priced = [draw(cost) for _ in COSTS]
    if draw(st.integers(0, 9)) == 0:
        priced[2] = -3.25  # a correction
    return dict.fromkeys((*CHARGES, *DIMENSIONS)) | {
        "hour": hour.replace(hour=0) if daily else hour,
        "granularity": "day" if daily else "hour",
        "provider": "aws",
        "node": node,
        "instance_type": TYPES.get(node),
        "gpu_model": draw(st.sampled_from([MODELS.get(node), MODELS.get(node), None])),
        "gpu_hours": draw(amount),
        "purchase_option": draw(st.sampled_from(["on_demand", "savings_plan"])),
        "workload": draw(st.sampled_from([None, "outside"])),
        "residual": draw(st.sampled_from([None, None, "tax", "other"])) if node is None else None,
        "cluster": draw(st.sampled_from([None, "k8s"])),
        "list_cost": priced[0],
        "billed_cost": None if live else priced[1],
        "effective_cost": None if live else priced[2],
        "currency": "USD",
        "source": draw(st.sampled_from(LIVE)) if live else "aws_cur",
        "team": draw(st.sampled_from([None, "platform"])),
    }


@st.composite
def claims(draw):
    split = draw(st.booleans())
    numbers = {f"{name}_hours{use}": draw(amount) for name in RESOURCES for use in ("", "_used")}
    return dict.fromkeys((*CLAIMS, *DIMENSIONS)) | numbers | {
        "hour": START + timedelta(hours=draw(st.integers(0, 3)), days=draw(st.integers(0, 1))),
        "node": draw(st.sampled_from([None, "a", "a", "b", "b", "c", "d", "elsewhere"])),
        "cluster": "claimed",
        "namespace": "ns",
        "workload": draw(st.sampled_from(["ns/train", "ns/serve", "ns/batch"])),
        "residual": draw(st.sampled_from([None, None, None, "system"])),
        "split_cost": draw(cost) if split else None,
        "unused_cost": draw(cost) if split else None,
        "estimated": draw(st.booleans()),
        "source": draw(st.sampled_from(["aws_cur", "aws_cur", "prometheus"])),
        "team": draw(st.sampled_from([None, "search"])),
    }  # fmt: skip


bills = st.lists(charges(), min_size=1, max_size=14)
pods = st.lists(claims(), max_size=14)
policies = st.sampled_from([None, *POLICIES])
FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FEWER = settings(FEW, max_examples=12)


def frame(rows, schema):
    return pl.DataFrame(rows, schema={**schema, **dict.fromkeys(DIMENSIONS, pl.String())}, orient="row").lazy()


def shared(bill, wanted, policy):
    return allocate(frame(bill, CHARGES), frame(wanted, CLAIMS), policy=policy, dimensions=DIMENSIONS)


def number(value):
    return 0.0 if value is None else value


def total(rows, name):
    return math.fsum(number(row[name]) for row in rows)


def day_of(row):
    return row["node"], row["hour"].date()


class Ledger:
    """The Usage table as a dictionary."""

    def __init__(self):
        self.rows = defaultdict(lambda: dict.fromkeys((*COSTS, "gpu_hours", "gpu_hours_used")))

    def book(self, row, *, gpu_hours, part, used=None, **changes):
        row = {**row, **changes}
        if row["residual"] is None and row["workload"] is None:
            row["residual"] = "idle"
        if row["residual"] is None and row["gpu_model"] is None:
            row["residual"] = "other"
        if row["residual"] is not None:
            row["workload"] = None
        cell = self.rows[tuple(row[name] for name in KEY)]
        amounts = {name: None if row[name] is None else row[name] * part for name in COSTS}
        for name, value in {**amounts, "gpu_hours": gpu_hours, "gpu_hours_used": used}.items():
            if value is not None:
                cell[name] = number(cell[name]) + value


def seen_with_a_price_by_another(row, bill):
    """Whether another live source has a price of the machine in that hour, and the row's own has none."""
    if row["node"] is None or row["source"] not in LIVE:
        return False
    there = [one for one in bill if (one["node"], one["hour"]) == (row["node"], row["hour"]) and one["source"] in LIVE]
    priced = {one["source"] for one in there if one["list_cost"] is not None}
    return bool(priced) and row["source"] not in priced


def reference(bill, wanted, policy):
    """The rules of providers.charges and optimizer.allocation, one machine-hour after the other."""
    ledger = Ledger()
    billed = {day_of(row) for row in bill if row["node"] and row["source"] not in LIVE}
    kept = [row for row in bill if row["node"] is None or row["source"] not in LIVE or day_of(row) not in billed]
    kept = [row for row in kept if not seen_with_a_price_by_another(row, bill)]
    nodes = {row["node"] for row in kept if row["node"]}
    asked = defaultdict(list)
    for claim in wanted:
        asked[claim["node"], claim["hour"]].append(claim)
    machines = defaultdict(list)
    for row in hourly(kept, {place for place in asked if place[0] in nodes}):
        place = (row["node"], row["hour"])
        if row["node"] and row["granularity"] == "hour" and place in asked:
            machines[place].append(row)
        else:
            plain = row["node"] is None and row["residual"] and row["gpu_model"] is None and not row["gpu_hours"]
            by_day = {"hour": row["hour"].replace(hour=0), "granularity": "day"} if plain else {}
            ledger.book(row, gpu_hours=number(row["gpu_hours"]), part=1, **by_day)
    for place, rows in machines.items():
        share(ledger, rows, asked[place], policy)
    for place, some in asked.items():
        if place not in machines:
            lost(ledger, some)
    return ledger.rows


def hourly(kept, places):
    days = defaultdict(list)
    for row in kept:
        if row["granularity"] == "day" and row["node"]:
            days[day_of(row)].append(row)
        else:
            yield row
    for (node, day), rows in days.items():
        hours = [hour for name, hour in places if name == node and hour.date() == day]
        known = instance_gpus("aws", TYPES[node])
        taken = max(len(hours), total(rows, "gpu_hours") / known[1] if known else 0)
        rest = 1 - len(hours) / taken if hours else 1
        for row in rows:
            for hour in hours:
                yield {**times(row, 1 / taken), "hour": hour, "granularity": "hour"}
            if rest > 1e-12:
                yield times(row, rest)


def times(row, part):
    return row | {name: row[name] * part for name in (*COSTS, "gpu_hours") if row[name] is not None}


def held(claim, resource, policy):
    requested, used = claim[f"{resource}_hours"], claim[f"{resource}_hours_used"]
    if policy.basis == "larger":
        return max(number(requested), number(used))
    return number(used if policy.basis == "used" and used is not None else requested)


def share(ledger, rows, some, policy):
    rule = POLICIES[policy or "gpu_weighted"]
    first = min(some, key=lambda claim: (not splits(some, claim["source"]), RANKS.index(claim["source"])))["source"]
    owners = [claim for claim in some if claim["source"] == first]
    gpus = total(rows, "gpu_hours")
    asked = total(owners, "gpu_hours")
    scale = min(1.0, gpus / asked) if asked else 1.0
    parts = parts_of(rows, owners, rule, own_split=policy is None)
    model = max((row["gpu_model"] for row in rows if row["gpu_model"]), default=None)
    for row in rows:
        of_row = number(row["gpu_hours"]) / gpus if gpus else 0.0
        known = row | {"gpu_model": model}
        for claim, part in zip(owners, parts, strict=True):
            names = {name: claim[name] for name in ("workload", "residual", "namespace")}
            names["cluster"] = row["cluster"] or claim["cluster"]
            names["team"] = claim["team"] or row["team"]
            used = claim["gpu_hours_used"]
            used = None if used is None else used * scale * of_row
            ledger.book(known, gpu_hours=number(claim["gpu_hours"]) * scale * of_row, part=part, used=used, **names)
        left = 1 - asked * scale / gpus if gpus else 1.0
        rest = {"residual": "idle", "workload": None}
        ledger.book(known, gpu_hours=number(row["gpu_hours"]) * left, part=1 - math.fsum(parts), **rest)


def splits(some, source):
    return any(claim["split_cost"] is not None for claim in some if claim["source"] == source)


def parts_of(rows, owners, rule, *, own_split):
    costs = [row["effective_cost"] for row in rows if row["effective_cost"] is not None]
    price, given = math.fsum(costs), total(owners, "split_cost")
    if own_split and given > 0 and price > 0:
        whole = max(price, given + total(owners, "unused_cost"))
        return [number(claim["split_cost"]) / whole for claim in owners]
    sums = {name: math.fsum(held(claim, name, rule) for claim in owners) for name in RESOURCES}
    there = available(rows, sums)
    weight = math.fsum(getattr(rule, name) * there[name] for name in RESOURCES)
    if not weight:
        return [0.0] * len(owners)
    price_of = {name: getattr(rule, name) * there[name] / weight for name in RESOURCES}
    most = {name: max(there[name], sums[name]) for name in RESOURCES}
    return [
        math.fsum(held(claim, name, rule) / most[name] * price_of[name] for name in RESOURCES if most[name])
        for claim in owners
    ]


def available(rows, sums):
    kind = rows[0]["instance_type"]
    gpus, counted, capacity = total(rows, "gpu_hours"), instance_gpus("aws", kind), instance_capacity("aws", kind)
    if not counted or not capacity:
        return {**sums, "gpu": gpus}
    up = gpus / counted[1]
    return {"gpu": gpus, "vcpu": capacity[0] * up, "gb": capacity[1] * up}


def lost(ledger, some):
    for claim in some:
        if number(claim["gpu_hours"]) > 0:
            nothing = dict.fromkeys((*CHARGES, *DIMENSIONS))
            names = {name: claim[name] for name in ("hour", "cluster", "namespace", "source", "team")}
            row = nothing | names | {"residual": "unmatched", "granularity": "hour", "currency": "USD"}
            ledger.book(row, gpu_hours=claim["gpu_hours"], part=1, used=claim["gpu_hours_used"])


@FEW
@given(bills, pods, policies)
def test_the_loops_agree(bill, wanted, policy):
    wanted = one_source_a_place(wanted)
    expected = reference(bill, wanted, policy)
    usage = shared(bill, wanted, policy).usage
    found = {tuple(row[name] for name in KEY): row for row in usage.iter_rows(named=True)}
    for key in {*expected, *found}:
        for name in (*COSTS, "gpu_hours", "gpu_hours_used"):
            value, other = expected[key][name] if key in expected else None, found.get(key, {}).get(name)
            assert number(other) == pytest.approx(number(value), rel=1e-9, abs=1e-9), (key, name)
    assert_sums_to_the_bill(usage, bill)
    assert checked(usage.with_columns(pl.col("list_cost").clip(0)), USAGE, where="test").height == usage.height


def assert_sums_to_the_bill(usage, bill):
    of_bill = [row for row in bill if row["source"] not in LIVE]
    of_table = usage.filter(pl.col("source") == "aws_cur", pl.col("residual").ne_missing("unmatched"))
    for name in (*COSTS, "gpu_hours"):
        assert of_table[name].sum() == pytest.approx(total(of_bill, name), rel=1e-9, abs=1e-9)


def one_source_a_place(wanted):
    """Keep of each place only the claims of its first source: what a second one lends has a test of its own."""
    first = {}
    for claim in wanted:
        first.setdefault((claim["node"], claim["hour"]), claim["source"])
    return [claim for claim in wanted if first[claim["node"], claim["hour"]] == claim["source"]]


@FEWER
@given(bills, pods, policies)
def test_a_machine_hour_is_its_pods_and_what_is_idle(bill, wanted, policy):
    """Each machine and hour alone, with a region of its own to find it by."""
    bill = [row | {"region": f"{row['node']} {row['hour']}"} for row in bill if row["granularity"] == "hour"]
    usage = shared(bill, wanted, policy).usage.filter(pl.col("residual").ne_missing("unmatched"))
    for place in {row["region"] for row in bill if row["node"] and row["source"] not in LIVE}:
        rows = [row for row in bill if row["region"] == place and row["source"] not in LIVE]
        there = usage.filter(pl.col("region") == place)
        assert there["effective_cost"].sum() == pytest.approx(total(rows, "effective_cost"), rel=1e-9, abs=1e-9)
        pods_hours = there.filter(pl.col("residual").is_null())["gpu_hours"].sum()
        assert pods_hours <= total(rows, "gpu_hours") * (1 + 1e-9)


@FEWER
@given(bills, pods, policies, st.randoms(use_true_random=False))
def test_the_order_of_rows_means_nothing(bill, wanted, policy, random):
    usage = shared(bill, wanted, policy).usage
    again = shared(random.sample(bill, len(bill)), random.sample(wanted, len(wanted)), policy).usage
    assert_same(usage, again)


@FEWER
@given(bills, pods, policies, st.integers(1, 4))
def test_a_claim_in_two_parts_is_one_claim(bill, wanted, policy, quarters):
    part = quarters / 5
    numbers = [name for name, dtype in CLAIMS.items() if dtype == pl.Float64]
    halves = [
        claim | {name: claim[name] * share for name in numbers if claim[name] is not None}
        for claim in wanted
        for share in (part, 1 - part)
    ]
    assert_same(shared(bill, wanted, policy).usage, shared(bill, halves, policy).usage)


def assert_same(one, other):
    numbers = [*COSTS, "gpu_hours", "gpu_hours_used"]
    assert one.drop(numbers).equals(other.drop(numbers), null_equal=True)
    for name in numbers:
        assert one[name].fill_null(0).to_list() == pytest.approx(other[name].fill_null(0).to_list(), rel=1e-9, abs=1e-9)
