"""What ships: the price book agrees with its sources, and the demo with its generator and its targets."""

import re
import tomllib
from importlib.resources import files
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from data import demo
from providers.accelerators import instance_gpus, known

FOLDER = Path(str(files("data")))
PRICES = Path(__file__).parents[2].parent / "shared" / "data" / "prices"
PAY_AS_YOU_GO = ["on_demand", "spot"]
HOLDING, USAGE = "holding_usd_per_gpu_hour", "usage_usd_per_gpu_hour"
# Provider, GPU model: mean, variation, mean of the first and last 30 days, weekend, interruptible share.
TARGETS = {
    ("aws", "A100-40GB"): (83.7, 0.46, 81.8, 76.7, 0.95, 0.03),
    ("aws", "A10G-24GB"): (4.9, 1.15, 4.7, 4.7, 0.86, 0.02),
    ("aws", "H100-SXM-80GB"): (197.1, 0.26, 189.0, 205.6, 0.86, 0.01),
    ("aws", "L40S-48GB"): (11.8, 1.47, 24.8, 0.0, 0.61, 0.04),
    ("azure", "A100-80GB"): (72.6, 0.33, 77.4, 43.1, 0.89, 0.01),
    ("azure", "H100-SXM-80GB"): (27.2, 0.82, 36.7, 24.2, 0.57, 0.81),
    ("coreweave", "H100-SXM-80GB"): (50.2, 0.24, 50.9, 48.9, 0.86, 0.24),
    ("gcp", "A100-80GB"): (46.4, 0.74, 45.6, 48.6, 0.87, 0.27),
    ("gcp", "H100-SXM-80GB"): (35.0, 0.58, 22.6, 38.4, 0.84, 0.20),
    ("gcp", "L4-24GB"): (46.2, 0.28, 42.3, 58.1, 1.02, 0.25),
    ("lambda", "H100-SXM-80GB"): (39.7, 0.47, 36.1, 53.7, 0.95, 0.12),
}


@pytest.fixture(scope="module")
def offers():
    return pl.read_csv(FOLDER / "offers.csv", infer_schema_length=None)


@pytest.fixture(scope="module")
def quotes():
    return pl.read_csv(FOLDER / "demo_offers.csv", infer_schema_length=None)


@pytest.fixture(scope="module")
def commitments():
    return pl.read_csv(FOLDER / "demo_commitments.csv", infer_schema_length=None)


@pytest.fixture(scope="module")
def usage():
    return pl.read_parquet(FOLDER / "demo_usage.parquet")


def pool_hours(usage, provider, gpu_model):
    """Return a pool's GPUs in every hour, the empty hours too."""
    pool = usage.filter(pl.col("provider") == provider, pl.col("gpu_model") == gpu_model)
    sums = pool.group_by("hour").agg(pl.col("gpu_hours").sum())
    hours = usage.select("hour").unique()
    return hours.join(sums, on="hour", how="left").fill_null(0).sort("hour")


# --- the price book ---


def test_offers_are_unique_complete_and_sorted(offers):
    assert offers["offer_id"].is_unique().all()
    assert offers["status"].unique().to_list() == ["list"]
    for name in ("provider", "gpu_model", "purchase_option", "as_of", "source", HOLDING, USAGE, "lot_gpus"):
        assert offers[name].null_count() == 0, name
    assert offers["as_of"].str.contains(r"^\d{4}-\d\d-\d\d$").all()
    assert all(re.fullmatch(r"[a-z0-9._-]+", offer_id) for offer_id in offers["offer_id"])
    keys = ["gpu_model", "provider", "purchase_option", "term_months", "offer_id"]
    assert_frame_equal(offers, offers.sort(keys, nulls_last=False))


def test_pay_as_you_go_has_a_usage_price_and_no_term(offers):
    rows = offers.filter(pl.col("purchase_option").is_in(PAY_AS_YOU_GO))
    assert (rows[HOLDING] == 0).all()
    assert (rows[USAGE] > 0).all()
    assert (rows["lot_gpus"] == 1).all()
    assert rows["term_months"].null_count() == rows.height


def test_held_capacity_has_a_holding_price_a_term_and_whole_nodes(offers):
    rows = offers.filter(~pl.col("purchase_option").is_in(PAY_AS_YOU_GO))
    assert (rows[USAGE] == 0).all()
    assert (rows[HOLDING] > 0).all()
    assert (rows["term_months"] > 0).all()
    assert (rows["lot_gpus"] == rows["gpus_per_node"]).all()
    prepaid = (rows["purchase_option"] == "capacity_block").cast(pl.Float64)
    assert (rows["upfront_share"] == prepaid).all()


def test_spot_says_how_often_it_is_interrupted_and_on_what_evidence(offers):
    spot = offers.filter(pl.col("purchase_option") == "spot")
    assert (spot["mean_hours_between_interruptions"] >= 24).all()
    assert spot["note"].str.contains("24 h assumed|advisor band").all()
    assert spot.select("restart_hours", "checkpoint_hours", "checkpoint_cost_hours").unique().rows() == [
        (0.25, 0.5, 0.02)
    ]


def test_offers_name_known_models_and_agree_with_the_instance_types(offers, quotes, commitments):
    for frame in (offers, quotes, commitments):
        for row in frame.iter_rows(named=True):
            assert known(row["gpu_model"]), row
            if row["instance_type"]:
                expected = (row["gpu_model"], row["gpus_per_node"])
                assert instance_gpus(row["provider"], row["instance_type"]) == expected, row


def test_prices_of_one_model_stay_within_reason(offers):
    """An error of 8 (node for GPU) or 8,760 (term for hour) would stand out."""
    price = offers.select("gpu_model", "purchase_option", price=pl.col(HOLDING) + pl.col(USAGE))
    on_demand = price.filter(pl.col("purchase_option") == "on_demand")
    spread = on_demand.group_by("gpu_model").agg((pl.col("price").max() / pl.col("price").min()).alias("ratio"))
    assert spread["ratio"].max() < 6
    assert price["price"].is_between(0.1, 20).all()


def test_a_commitment_of_a_product_is_cheaper_the_longer_it_is(offers):
    product = ["provider", "region", "gpu_model", "instance_type"]
    terms = offers.filter(pl.col("purchase_option").is_in(["reserved", "cud"])).sort(*product, "term_months")
    falling = terms.group_by(product, maintain_order=True).agg((pl.col(HOLDING).diff() < 0).all().alias("ok"))
    assert falling["ok"].all()
    listed = offers.filter(pl.col("purchase_option") == "on_demand").select(*product, list_price=USAGE)
    both = terms.join(listed, on=product, nulls_equal=True)
    assert both.height == terms.height
    assert (both[HOLDING] < both["list_price"]).all()


HISTORY = "hyperscaler_price_history.parquet"
RATE_CARDS = "gpu_cloud_rate_cards_2026H2.csv"
RESERVED = "aws_gpu_ondemand_ri1y_by_region_2026-01-21.parquet"
BLOCKS = "aws_capacity_block_prices.csv"
SNAPSHOT = "gpu_list_and_spot_prices_2026_05_28_30.parquet"
CANDIDATES = "offers_us_2026H2_candidates.csv"


def history(region, instance_type, option):
    return (HISTORY, {"region": region, "instance_type": instance_type, "option": option}, "price_gpu_hour")


def rate_card(provider, model, option="on_demand", **more):
    chosen = {"provider": provider, "gpu_model": model, "option": option, **more}
    return (RATE_CARDS, chosen, "usd_per_gpu_hour")


def candidate(instance_type, option):
    return (CANDIDATES, {"instance_type": instance_type, "option": option}, "usd_gpu_hour")


@pytest.mark.skipif(not PRICES.exists(), reason="the collected sources are not on this machine")
@pytest.mark.parametrize(
    ("offer_id", "raw"),
    [
        ("aws-us-east-1-h100-on-demand", history("us-east-1", "p5.48xlarge", "on_demand")),
        ("aws-us-east-1-a100-40gb-on-demand", history("us-east-1", "p4d.24xlarge", "on_demand")),
        ("aws-us-east-1-l4-on-demand-g6.xlarge", history("us-east-1", "g6.xlarge", "on_demand")),
        ("aws-us-east-1-v100-32gb-on-demand", history("us-east-1", "p3dn.24xlarge", "on_demand")),
        ("gcp-us-central1-h100-cud-3y", history("us-central1", "a3-highgpu-8g", "cud_3y")),
        ("gcp-us-central1-h100-spot", history("us-central1", "a3-highgpu-8g", "spot")),
        ("gcp-us-central1-a100-80gb-on-demand", history("us-central1", "a2-ultragpu-8g", "on_demand")),
        ("gcp-us-central1-l4-cud-1y-g2-standard-4", history("us-central1", "g2-standard-4", "cud_1y")),
        ("azure-eastus-h100-on-demand", history("eastus", "Standard_ND96isr_H100_v5", "on_demand")),
        ("azure-eastus-p100-on-demand", history("eastus", "Standard_NC6s_v2", "on_demand")),
        ("coreweave-h100-on-demand", rate_card("coreweave", "H100-SXM-80GB")),
        ("coreweave-h200-spot", rate_card("coreweave", "H200-141GB", "spot")),
        ("lambda-h100-on-demand-8x", rate_card("lambda", "H100-SXM-80GB", notes="8x")),
        ("crusoe-h100-on-demand", rate_card("crusoe", "H100-SXM-80GB")),
        ("nebius-h100-on-demand", rate_card("nebius", "H100-SXM-80GB", notes="from 2026-10-01")),
        ("runpod-h200-on-demand", rate_card("runpod", "H200-141GB", "on_demand_secure")),
        ("azure-eastus-h100-reserved-1y", candidate("Standard_ND96isr_H100_v5", "reservation_1y")),
        ("azure-eastus-h100-reserved-5y", candidate("Standard_ND96isr_H100_v5", "reservation_5y")),
        ("azure-eastus-h100-spot", candidate("Standard_ND96isr_H100_v5", "spot")),
        ("azure-eastus-a100-80gb-reserved-3y", candidate("Standard_ND96amsr_A100_v4", "reservation_3y")),
        (
            "aws-us-east-1-h100-capacity-block",
            (BLOCKS, {"effective": "2026-10-07", "instance_type": "p5.48xlarge"}, "usd_per_accelerator_hour"),
        ),
        (
            "aws-us-east-1-l40s-spot",
            (SNAPSHOT, {"provider": "aws", "gpu_type": "L40S", "region": "us-east-1", "is_spot": True},
             "price_per_gpu_hour_usd"),
        ),
    ],
)  # fmt: skip
def test_a_price_is_the_one_in_its_source(offers, offer_id, raw):
    name, chosen, column = raw
    read = pl.read_parquet if name.endswith("parquet") else pl.read_csv
    table = read(PRICES / name).filter(**chosen)
    day = next(name for name in ("date", "snapshot_date", "effective", "as_of", "region") if name in table.columns)
    expected = table.sort(day)[column][-1]
    row = offers.row(by_predicate=pl.col("offer_id") == offer_id, named=True)
    assert row[HOLDING] + row[USAGE] == pytest.approx(expected, abs=6e-5)


@pytest.mark.skipif(not PRICES.exists(), reason="the collected sources are not on this machine")
def test_every_aws_reserved_price_is_the_one_in_its_source(offers):
    raw = pl.read_parquet(PRICES / RESERVED).filter(pl.col("region") == "us-east-1")
    rows = offers.filter(pl.col("provider") == "aws", pl.col("purchase_option") == "reserved")
    both = rows.join(raw.drop("region"), on="instance_type")
    assert both.height == rows.height > 0
    assert (both[HOLDING] - both["ri_1y_standard_no_upfront"] / both["gpu_count"]).abs().max() < 1e-6


# --- the demo ---


def test_the_generator_writes_the_bundled_history(usage):
    assert_frame_equal(demo.usage(), usage)


def test_every_hour_is_there_and_the_key_is_unique(usage):
    hours = usage["hour"].unique().sort()
    assert len(hours) == demo.HOURS == 4344
    assert (hours[0], hours[-1]) == (demo.START, pl.Series([demo.END]).dt.offset_by("-1h")[0])
    key = ["hour", "workload", "gpu_model", "provider", "region", "purchase_option"]
    assert not usage.select(key).is_duplicated().any()
    assert_frame_equal(usage, usage.sort("hour", "workload", "purchase_option"))


def test_the_demo_says_that_it_is_fictional(usage, quotes, commitments):
    for frame in (usage, quotes, commitments):
        assert frame["source"].unique().to_list() == ["demo (fictional)"]


def test_quantities_are_rounded_and_used_is_within_allocated(usage):
    assert (usage["gpu_hours"] > 0).all()
    assert (usage["gpu_hours"].round(2) == usage["gpu_hours"]).all()
    serving = usage.filter(pl.col("environment") == "production").group_by("hour", "workload")
    whole = serving.agg(pl.col("gpu_hours").sum().round(2))["gpu_hours"]
    assert (whole == whole.round()).all()
    assert (usage["gpu_hours_used"] <= usage["gpu_hours"]).all()


def test_costs_are_the_price_book_and_the_commitments(usage, offers, commitments):
    on_demand = usage.filter(pl.col("purchase_option") == "on_demand")
    assert (on_demand["effective_cost"] == on_demand["list_cost"]).all()
    others = usage.filter(pl.col("purchase_option") != "on_demand")
    assert (others["effective_cost"] < others["list_cost"]).all()
    assert usage.filter(pl.col("purchase_option") == "spot")["interruptible"].all()
    azure = usage.filter(pl.col("purchase_option") == "spot", pl.col("provider") == "azure")
    price = offers.row(by_predicate=pl.col("offer_id") == "azure-eastus-h100-spot", named=True)[USAGE]
    assert (azure["effective_cost"] - azure["gpu_hours"] * price).abs().max() < 1e-4
    held = usage.filter(pl.col("commitment_id").is_not_null()).join(commitments, on="commitment_id")
    assert (held["effective_cost"] - held["gpu_hours"] * held[HOLDING]).abs().max() < 1e-4


def test_commitments_carry_no_more_than_they_hold(usage, commitments):
    drawn = usage.group_by("commitment_id", "hour").agg(pl.col("gpu_hours").sum()).drop_nulls()
    full = drawn.join(commitments, on="commitment_id")
    assert (full["gpu_hours"] <= full["gpus"] + 1e-6).all()
    recent = full.filter(pl.col("hour") >= pl.datetime(2026, 8, 30, time_zone="UTC"))
    used = dict(recent.group_by("commitment_id").agg(pl.col("gpu_hours").sum() / 720 / pl.col("gpus").first()).rows())
    assert used["aws-a100-40gb-2026"] > 0.85
    assert used["azure-a100-80gb-2026"] < 0.7
    ends = commitments.filter(pl.col("commitment_id") == "coreweave-h100-2025")["end"].str.slice(0, 10).item()
    assert "2026-11-21" < ends < "2027-01-20"


@pytest.mark.parametrize(("pool", "target"), TARGETS.items(), ids=lambda value: "-".join(map(str, value[:2])))
def test_a_pool_has_the_measured_shape(usage, pool, target):
    mean, variation, first, last, weekend, interruptible = target
    hours = pool_hours(usage, *pool)
    gpus, is_weekend = hours["gpu_hours"], hours["hour"].dt.weekday() >= 6
    assert gpus.mean() == pytest.approx(mean, rel=0.05)
    assert gpus.std() / gpus.mean() == pytest.approx(variation, rel=0.15)
    assert gpus[:720].mean() == pytest.approx(first, rel=0.12)
    assert gpus[-720:].mean() == pytest.approx(last, rel=0.12)
    assert gpus.filter(is_weekend).mean() / gpus.filter(~is_weekend).mean() == pytest.approx(weekend, abs=0.04)
    rows = usage.filter(pl.col("provider") == pool[0], pl.col("gpu_model") == pool[1])
    share = rows.filter("interruptible")["gpu_hours"].sum() / gpus.sum()
    assert share == pytest.approx(interruptible, abs=0.035)


def test_the_whole_demo_has_the_measured_size(usage):
    gpus = usage.group_by("hour").agg(pl.col("gpu_hours").sum())["gpu_hours"]
    assert gpus.mean() == pytest.approx(615, rel=0.02)
    assert gpus.std() / gpus.mean() == pytest.approx(0.245, rel=0.15)
    assert 40 <= usage["workload"].n_unique() <= 50
    assert (FOLDER / "demo_usage.parquet").stat().st_size < 1_500_000


def test_chat_follows_the_day_and_notebooks_idle(usage):
    by_hour = (
        usage.filter(pl.col("workload") == "assistant/serve-chat")
        .group_by(pl.col("hour").dt.hour())
        .agg(pl.col("gpu_hours").sum())["gpu_hours"]
    )
    assert by_hour.max() / by_hour.min() > 2.5
    lab = usage.filter(pl.col("workload") == "lab/notebooks")
    assert lab["gpu_hours_used"].sum() / lab["gpu_hours"].sum() == pytest.approx(0.06, abs=0.01)


def test_quotes_are_quotes_with_limits_in_whole_lots(quotes):
    assert 4 <= quotes.height <= 6
    assert quotes["status"].unique().to_list() == ["quote"]
    assert (quotes["min_gpus"] % quotes["lot_gpus"] == 0).all()
    assert (quotes["max_gpus"] % quotes["lot_gpus"] == 0).all()
    assert (quotes["min_gpus"] <= quotes["max_gpus"]).all()
    two_part = quotes["purchase_option"] == "flex"
    assert (two_part == (quotes[USAGE] > 0)).all()
    assert (quotes[HOLDING] > 0).all()


def test_quotes_stand_beside_the_price_book(quotes, offers):
    assert not quotes["offer_id"].is_in(offers["offer_id"].to_list()).any()


def test_the_demo_rules_match_workloads_and_known_keys(usage):
    rules = tomllib.loads((FOLDER / "demo.toml").read_text(encoding="utf-8"))
    assert rules["plan"] == {"horizon": "12mo"}
    names = usage["workload"].unique().to_list()
    for pattern, rule in rules["workloads"].items():
        assert set(rule) <= {"interruptible", "movable", "providers", "regions", "runs_on"}
        glob = re.compile(re.escape(pattern).replace(r"\*", ".*"))
        assert any(glob.fullmatch(name) for name in names), pattern
        assert all(known(model) for model in rule.get("runs_on", {}))
