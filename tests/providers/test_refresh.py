"""Feeds are read beside each other; each replaces its own prices or leaves them, and the book stays whole."""

import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from threading import Event
from types import ModuleType

import polars as pl
import pytest

from providers import book
from providers.asking import Ask, NoCredentialsError
from providers.feeds import Feed
from providers.listings import Harvest, Listing
from providers.refresh import refresh
from providers.store import COMMITMENTS, OFFERS, Workspace
from providers.tables import InputError

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
P5 = Listing(
    provider="aws", region="us-east-1", instance_type="p5.48xlarge", purchase_option="on_demand", hourly=55.04,
    as_of="2026-11-20", source="test",
)  # fmt: skip
WEST = replace(P5, region="us-west-2", hourly=60.0)


@pytest.fixture
def feeds(monkeypatch):
    """Return how functions become feeds."""

    def made(*, table=OFFERS, **readers):
        module = ModuleType("feeds_of_a_test")
        for name, reader in readers.items():
            setattr(module, name, reader)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return {name: Feed(module.__name__, name, "a test", table=table) for name in readers}

    return made


def run(feeds, workspace, *, now=NOW, regions=()):
    outcomes = refresh(feeds, lambda _: Ask(now=now, regions=regions), Workspace(workspace), usual={})
    return {outcome.feed: outcome for outcome in outcomes}


def prices(workspace):
    offers = book.current(Workspace(workspace)).offers
    return {row["offer_id"]: row["usage_usd_per_gpu_hour"] for row in offers.iter_rows(named=True)}


def gives(*listings, **more):
    return lambda _: Harvest(listings=listings, **more)


def fails(error):
    def reader(_):
        raise error

    return reader


def test_what_was_fetched_stands_before_what_ships_and_only_for_its_seller_and_option(feeds, workspace):
    shipped = book.current(Workspace(workspace))
    assert shipped.days == {}
    assert shipped.offers["feed"].unique().to_list() == ["bundled"]
    run(feeds(one=gives(P5)), workspace)
    current = book.current(Workspace(workspace))
    assert current.days == {"one": date(2026, 11, 20)}
    sold = current.offers.filter(pl.col("provider") == "aws", pl.col("purchase_option") == "on_demand")
    assert sold["offer_id"].to_list() == ["aws-us-east-1-p5.48xlarge-on-demand"]
    others = shipped.offers.filter(~((pl.col("provider") == "aws") & (pl.col("purchase_option") == "on_demand")))
    assert current.offers.filter(pl.col("feed") == "bundled")["offer_id"].to_list() == others["offer_id"].to_list()


def test_one_feed_that_fails_leaves_its_old_prices_and_the_others_are_refreshed(feeds, workspace):
    gpu = replace(P5, provider="lambda", region=None, instance_type="gpu_1x_a10", hourly=1.29)
    run(feeds(aws=gives(P5), other=gives(gpu)), workspace)
    later = datetime(2026, 11, 21, tzinfo=UTC)
    failed = fails(InputError("aws", "answers 500", "try again later"))
    outcomes = run(feeds(aws=failed, other=gives(replace(gpu, hourly=1.5))), workspace, now=later)
    assert (outcomes["aws"].state, outcomes["aws"].message) == ("failed", "aws: answers 500; try again later")
    assert (outcomes["other"].state, outcomes["other"].changed) == ("refreshed", 1)
    now = prices(workspace)
    assert now["aws-us-east-1-p5.48xlarge-on-demand"] == pytest.approx(6.88)
    assert now["lambda-gpu-1x-a10-on-demand"] == 1.5


def test_a_feed_without_credentials_is_skipped(feeds, workspace):
    outcomes = run(feeds(aws=fails(NoCredentialsError("aws", "has no credentials", "log in"))), workspace)
    assert outcomes["aws"].state == "skipped"
    assert Workspace(workspace).days(OFFERS) == []


def test_what_is_no_longer_sold_is_gone_and_what_changed_is_counted(feeds, workspace):
    run(feeds(aws=gives(P5, WEST)), workspace)
    new = replace(P5, region="eu-west-1")
    outcome = run(feeds(aws=gives(replace(P5, hourly=50.0), new)), workspace)["aws"]
    assert (outcome.rows, outcome.new, outcome.changed, outcome.gone) == (2, 1, 1, 1)


def test_regions_that_were_lost_or_not_asked_for_keep_what_was_known(feeds, workspace):
    run(feeds(aws=gives(P5, WEST)), workspace)
    run(feeds(aws=gives(replace(P5, hourly=50.0), lost=["us-west-2"])), workspace)
    west, east = "aws-us-west-2-p5.48xlarge-on-demand", "aws-us-east-1-p5.48xlarge-on-demand"
    assert (prices(workspace)[west], prices(workspace)[east]) == (7.5, 6.25)
    run(feeds(aws=gives(replace(WEST, hourly=64.0))), workspace, regions=("us-west-*",))
    assert (prices(workspace)[west], prices(workspace)[east]) == (8.0, 6.25)


def test_sellers_that_an_importer_lost_keep_what_was_known(feeds, workspace):
    others = [
        replace(P5, provider=one, region="x", gpu_model="L4", gpus=1.0, hourly=1.0) for one in ("nebius", "verda")
    ]
    run(feeds(catalogue=gives(*others)), workspace)
    run(feeds(catalogue=gives(replace(others[1], hourly=2.0), lost=["nebius"])), workspace)
    known = book.current(Workspace(workspace)).offers.filter(pl.col("feed") == "catalogue")
    assert dict(known.select("provider", "usage_usd_per_gpu_hour").iter_rows()) == {"nebius": 1.0, "verda": 2.0}


def test_prices_none_of_which_can_be_used_are_a_failure(feeds, workspace):
    run(feeds(aws=gives(P5)), workspace)
    outcome = run(feeds(aws=gives(replace(P5, hourly=None))), workspace)["aws"]
    assert outcome.state == "failed"
    assert "1 offers without a price: aws p5.48xlarge on_demand in us-east-1" in outcome.message
    assert prices(workspace)["aws-us-east-1-p5.48xlarge-on-demand"] == pytest.approx(6.88)


def test_a_fault_of_the_program_in_one_feed_is_raised_when_the_others_are_done(feeds, workspace):
    with pytest.raises(ZeroDivisionError):
        run(feeds(bad=fails(ZeroDivisionError()), aws=gives(P5)), workspace)
    assert "aws-us-east-1-p5.48xlarge-on-demand" in prices(workspace)


def test_ctrl_c_stops_feeds_that_still_run_and_keeps_those_that_are_done(feeds, workspace, monkeypatch):
    ended = Event()

    def slow(ask):
        ended.wait(5)
        ask.stop.wait(5)
        ask.advance()
        return Harvest(listings=[WEST])

    def interrupted(done, _):
        outcome = done.get(timeout=5)
        ended.set()
        assert outcome.state == "refreshed"
        raise KeyboardInterrupt

    monkeypatch.setattr("providers.refresh._next", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(feeds(aws=gives(P5), slow=slow), workspace)
    assert [day.feed for day in Workspace(workspace).days(OFFERS)] == ["aws"]


def test_the_history_keeps_a_price_a_day(feeds, workspace):
    for day, price in ((20, 55.04), (21, 48.0), (23, 50.0)):
        run(feeds(aws=gives(replace(P5, hourly=price))), workspace, now=datetime(2026, 11, day, tzinfo=UTC))
    run(feeds(aws=gives(replace(P5, hourly=51.2))), workspace, now=datetime(2026, 11, 23, 18, tzinfo=UTC))
    known = book.history(Workspace(workspace), "H100-SXM-80GB", since=date(2026, 11, 21))
    assert known.select("day", "usage_usd_per_gpu_hour").rows() == [
        (date(2026, 11, 21), 6.0),
        (date(2026, 11, 23), 6.4),
    ]


def test_a_damaged_day_is_passed_over_for_the_one_before_and_said(feeds, workspace):
    run(feeds(aws=gives(P5)), workspace)
    run(feeds(aws=gives(WEST)), workspace, now=datetime(2026, 11, 21, tzinfo=UTC))
    newest = Workspace(workspace).days(OFFERS)[-1]
    newest.path.write_bytes(newest.path.read_bytes()[:-20])
    current = book.current(Workspace(workspace))
    assert current.days == {"aws": date(2026, 11, 20)}
    assert "aws, 2026-11-21: cannot be read" in current.found[0].message
    assert "aws-us-east-1-p5.48xlarge-on-demand" in current.offers["offer_id"]
    known = book.history(Workspace(workspace), "H100-SXM-80GB", since=date(2026, 11, 1))
    assert known["day"].to_list() == [date(2026, 11, 20)]


def test_a_spot_price_above_on_demand_is_kept_and_flagged(feeds, workspace):
    spot = replace(P5, purchase_option="spot", hourly=60.0, zone="us-east-1a")
    run(feeds(prices=gives(P5), spot=gives(spot)), workspace)
    current = book.current(Workspace(workspace))
    (row,) = current.offers.filter(pl.col("zone") == "us-east-1a").rows(named=True)
    assert row["usage_usd_per_gpu_hour"] == 7.5
    assert row["note"].endswith("above on-demand")
    assert "aws-us-east-1a-p5.48xlarge-spot" in current.found[0].message


def test_machines_of_sagemaker_are_listed_and_not_planned_with(feeds, workspace):
    train = replace(
        P5,
        instance_type="ml.p5.48xlarge",
        gpu_model="H100-SXM-80GB",
        gpus=8.0,
        purchase_option="savings_plan",
        term_months=12,
    )
    run(feeds(aws=gives(P5, train)), workspace)
    offers = book.current(Workspace(workspace)).offers
    left = set(offers["offer_id"]) - set(book.plannable(offers)["offer_id"])
    assert left == {"aws-us-east-1-8x-ml.p5.48xlarge-savings-plan-12mo"}


@pytest.mark.parametrize(
    ("used", "left"), [((), 1), (("us-east-1", None), 1), (("us-gov-west-1",), 2), (("cn-north-1",), 2)]
)
def test_regions_apart_count_only_where_something_runs_there(feeds, workspace, used, left):
    run(feeds(aws=gives(P5, replace(P5, region="us-gov-east-1"), replace(P5, region="cn-north-1"))), workspace)
    offers = book.current(Workspace(workspace)).offers.filter(pl.col("feed") == "aws")
    assert book.plannable(offers, used=used).height == left


def test_what_is_owned_is_kept_apart(feeds, workspace):
    row = {
        "commitment_id": "ri-1", "provider": "aws", "gpu_model": "H100-SXM-80GB", "purchase_option": "reserved",
        "holding_usd_per_gpu_hour": 4.0, "usage_usd_per_gpu_hour": 0.0, "gpus": 16.0,
    }  # fmt: skip
    run(feeds(owned=lambda _: Harvest(commitments=pl.DataFrame([row])), table=COMMITMENTS), workspace)
    assert Workspace(workspace).days(OFFERS) == []
    assert [day.feed for day in Workspace(workspace).days(COMMITMENTS)] == ["owned"]
    assert book.owned(Workspace(workspace))["commitment_id"].to_list() == ["ri-1"]
    run(feeds(owned=lambda _: Harvest(), table=COMMITMENTS), workspace, now=datetime(2026, 11, 21, tzinfo=UTC))
    assert book.owned(Workspace(workspace)) is None


def test_only_the_owner_may_look_into_the_workspace(feeds, tmp_path):
    run(feeds(aws=gives(P5)), tmp_path / "new" / "workspace")
    assert (tmp_path / "new" / "workspace").stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_written_is_named(feeds, tmp_path):
    (tmp_path / "file").write_text("")
    outcome = run(feeds(aws=gives(P5)), tmp_path / "file")["aws"]
    assert outcome.state == "failed"
    assert "file: cannot be written" in outcome.message
