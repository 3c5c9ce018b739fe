"""Reports in every spelling, and what is dirty in them: correct, or an error that says what to do."""

import gzip
from pathlib import Path

import polars as pl
import pytest

from providers.aws.columns import squeezed
from providers.aws.tags import Lookup, owner, plain
from providers.charges import DEFAULT_TAGS
from providers.tables import InputError

SAMPLES = Path(__file__).parents[3] / "../shared/data/billing/aws"
PAIRS = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))
TAGS = {"user_team": "search", "user_name": "trainer"}


def same(paths, Told):
    tables = [Told(path) for path in paths]
    for one in tables[1:]:
        assert one.charges.equals(tables[0].charges)
        assert one.usage.equals(tables[0].usage)
        assert one.claims.sort("pod", "gpu_hours").equals(tables[0].claims.sort("pod", "gpu_hours"))
    return tables[0]


def rows_of(cur):
    claim = cur.pod(
        "ns/a-x2vkq", "Accelerator", split=20.0, split_line_item_split_usage=4.0, resource_tags={"user_team": "ads"}
    )
    tax = {"line_item_line_item_type": "Tax", "line_item_unblended_cost": 3.0, "resource_tags": {}}
    return [cur.machine(resource_tags=TAGS), claim, tax]


def test_maps_lists_json_and_columns_of_tags_give_the_same(tmp_path, cur):
    data = cur.table(*rows_of(cur))
    texts = ['{"user_team": "search", "user_name": "trainer"}', '{"user_team": "ads"}', ""]
    written = data.with_columns(
        tags=pl.Series([[{"key": "user:Team", "value": "search"}, {"key": "user:Name", "value": "trainer"}],
                        [{"key": "user:Team", "value": "ads"}], []], dtype=PAIRS)
    ).drop("resource_tags")  # fmt: skip
    flat = data.with_columns(pl.col("resource_tags").map.get(key).alias(f"resource_tags_{key}") for key in TAGS).drop(
        "resource_tags"
    )
    shapes = {
        "map": data,
        "list": data.with_columns(pl.col("resource_tags").cast(PAIRS)),
        "json": data.with_columns(resource_tags=pl.Series(texts)),
        "as written": written,
        "athena": flat,
    }
    for name, frame in shapes.items():
        frame.write_parquet(tmp_path / f"{name}.parquet")
    (tmp_path / "legacy.csv.gz").write_bytes(cur.legacy_csv(data))
    one = same([tmp_path / f"{name}.parquet" for name in shapes] + [tmp_path / "legacy.csv.gz"], cur.Told)
    assert set(one.usage["team"].drop_nulls()) == {"search", "ads"}
    assert set(one.usage["workload"].drop_nulls()) == {"ns/a"}


@pytest.mark.parametrize("engine", ["streaming", "in-memory"])
@pytest.mark.parametrize("texts", [["", '{"user_team": "a"}', None], ["", ""], ["{}", "{}"], [None, None]])
def test_tags_as_json_may_be_empty_anywhere(texts, engine):
    frame = pl.LazyFrame({"resource_tags": texts}, schema={"resource_tags": pl.String})
    look = Lookup(frame.collect_schema(), DEFAULT_TAGS)
    told = frame.with_columns(look.opened()).select(look.described()).collect(engine=engine)
    assert told["team"].to_list() == ["a" if text and "user_team" in text else None for text in texts]


def test_null_as_text_is_null(tmp_path, cur):
    text = gzip.decompress(cur.legacy_csv(cur.table(*rows_of(cur)))).decode()
    for name in ("empty", "null"):
        (tmp_path / f"{name}.csv").write_text(
            text if name == "empty" else text.replace(",,", ",NULL,").replace(",,", ",NULL,")
        )
    same([tmp_path / "empty.csv", tmp_path / "null.csv"], cur.Told)


def test_columns_that_come_and_go_within_a_period(told, cur):
    plan = {"savings_plan_savings_plan_a_r_n": "arn:sp", "savings_plan_savings_plan_effective_cost": 30.0,
            "line_item_line_item_type": "SavingsPlanCoveredUsage"}  # fmt: skip
    one = told(
        cur.machine(), also=(cur.machine(**plan, line_item_resource_id="i-0b", resource_tags={"user_team": "x"}),)
    )
    assert one.sums() == (110.08, 85.04, 0.0)
    assert one.totals.select("rows", "billed_cost").rows() == [(2, 110.08)]
    assert set(one.charges["team"]) == {None, "x"}


@pytest.mark.parametrize("value", ["x" * 5_000, "\x1b[31mred\x1b[0m", "=1+1", "[/bold]"])
def test_any_text_passes_through_as_data(told, cur, value):
    one = told(cur.machine(resource_tags={"user_team": value, "user_name": value}))
    assert one.charges.select("team", "workload").row(0) == (value, value)


def test_a_negative_correction_has_its_cost_and_no_hours(told, cur):
    one = told(cur.machine(), cur.machine(line_item_unblended_cost=-10.0))
    assert (one.charges["gpu_hours"].sum(), one.sums()) == (8.0, (45.04, 45.04, 0.0))


@pytest.mark.parametrize("cost", ["1,234.50", "twelve", "NaN"])
def test_a_cost_that_is_no_number_is_an_error(tmp_path, cur, cost):
    path = tmp_path / "cur.csv"
    path.write_text(cur.table(cur.machine()).write_csv().replace("55.04", f'"{cost}"'))
    with pytest.raises(InputError, match="1 rows whose cost is no number"):
        cur.Told(path).found()


def test_rows_without_a_type_or_a_time_are_an_error(told):
    with pytest.raises(InputError, match="line item type"):
        told({"line_item_line_item_type": None}).found()


def test_days_and_months_have_their_granularity(told, cur):
    start = {"line_item_usage_start_date": "2026-04-01T00:00:00Z"}
    day = cur.machine(**start, line_item_usage_end_date="2026-04-02T00:00:00Z", line_item_usage_amount=24.0)
    month = cur.machine(**start, line_item_usage_end_date="2026-05-01T00:00:00Z", line_item_usage_amount=720.0)
    one = told(day, month)
    assert set(one.charges.select("granularity", "gpu_hours", "residual").rows()) == {
        ("day", 192.0, None),
        ("day", 0.0, "unsupported"),
    }
    assert "long-charge-period" in one.codes


def test_currencies_have_totals_of_their_own(told, cur):
    one = told(cur.machine(), cur.machine(line_item_currency_code="EUR", line_item_unblended_cost=40.0))
    assert set(one.totals.select("currency", "rows", "billed_cost").rows()) == {("USD", 1, 55.04), ("EUR", 1, 40.0)}


def test_a_published_report_sums_to_itself(cur):
    path = SAMPLES / "focus_converters_sample_aws_legacy_cur.csv"
    if not path.exists():
        pytest.skip("the shared sample is not here")
    one = cur.Told(path)
    plain_sum = pl.read_csv(path, infer_schema=False)["lineItem/UnblendedCost"].cast(pl.Float64).sum()
    assert one.totals.select("rows", "billed_cost").row(0) == (1281, pytest.approx(plain_sum))
    assert one.sums()[:2] == pytest.approx((plain_sum, plain_sum))
    assert one.found() == []


@pytest.mark.parametrize("legacy", ["lineItem/UnblendedCost", "LineItem/unblendedcost", "line_item_unblended_cost"])
def test_column_names_are_known_by_their_letters(legacy):
    assert squeezed(legacy) == "lineitemunblendedcost"


@pytest.mark.parametrize("key", ["user:CostCenter", "user_cost_center", "cost-center", "Cost Center"])
def test_tags_are_known_by_their_letters(key):
    assert plain(key) == "costcenter"


def test_a_tag_that_marks_a_clusters_machines_names_it(told, cur):
    assert owner("resourceTags/user:kubernetes.io/cluster/prod".removeprefix("resourceTags/")) == "prod"
    one = told(cur.machine(resource_tags={"user_kubernetes_io_cluster_prod": "owned", "user_name": "x"}))
    assert one.charges.select("cluster", "workload").row(0) == ("prod", None)
    assert one.usage["residual"].to_list() == ["idle"]
