"""The present put together: no hour counts twice, no credentials are shown, and a past says that it is one."""

import sys
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import app.live.source as sources
from app.diagnostics import UsageError
from app.live.choosing import feed_of
from app.live.feed import Feed
from app.live.merging import end_of, fitted, newer, together
from app.live.names import address, is_live
from app.live.past import BillFeed, ReplayFeed
from app.live.source import hours_since
from app.live.state import SourceState, ages, ago, months_and_days
from app.session import Request, load
from providers.tables import USAGE, InputError, checked

pytestmark = pytest.mark.thorough

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
NOW = NOON + timedelta(hours=2, minutes=5)
GPU = "H100-SXM-80GB"
SLOTS = range(3)


def _helper(name: str) -> Any:
    spec = spec_from_file_location(name, Path(__file__).parents[1] / "providers" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


prometheus_server = _helper("prometheus_server")


def clock() -> datetime:
    return NOW


def used(rows: Sequence[tuple[datetime, str | None, float]], **more: Any) -> pl.DataFrame:
    """A Usage table of an hour, a cluster and GPU-hours a row; each row is a workload of its own."""
    own = {"gpu_model": GPU, "source": "focus", **more}
    table = [{"hour": t, "cluster": c, "gpu_hours": n, "workload": f"w{i}", **own} for i, (t, c, n) in enumerate(rows)]
    return checked(pl.DataFrame(table, infer_schema_length=None), USAGE, where="test")


CELLS = st.tuples(st.sampled_from(SLOTS), st.sampled_from(["a", "b", None]), st.integers(1, 50))
ANSWERS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.lists(CELLS, min_size=1, max_size=6)), max_size=8)
HISTORY = st.lists(st.tuples(CELLS, st.sampled_from(["focus", "opencost"])), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(history=HISTORY, answers=ANSWERS)
def test_an_hour_is_the_sum_over_clusters_of_the_newest_answer(history: Any, answers: Any) -> None:
    """The same, cell by cell: a later answer replaces an earlier one, the first of two sources at once the second."""
    past = pl.concat(
        used([(NOON + slot * HOUR, cluster, n)], source=source).with_columns(workload=pl.lit(f"h{index}"))
        for index, ((slot, cluster, n), source) in enumerate(history)
    )
    kept: dict[int, pl.DataFrame] = {}
    cells: dict[Any, dict[Any, tuple[datetime, float]]] = {}
    time = NOW
    for passed, source, rows in answers:
        time += passed * HOUR
        table = used([(NOON + slot * HOUR, cluster, n) for slot, cluster, n in rows], source="opencost")
        kept[source] = newer(kept.get(source), fitted(table, past.schema, "USD"), answered=time)
        for slot, cluster in {(slot, cluster) for slot, cluster, _ in rows}:
            gpu_hours = sum(n for s, c, n in rows if (s, c) == (slot, cluster))
            cells.setdefault((slot, cluster), {})[source] = (time, gpu_hours)
    expected = dict.fromkeys(SLOTS, 0.0)
    for (slot, cluster), told in cells.items():
        winner = max(told, key=lambda source: (told[source][0], -source))
        expected[slot] += sum(n for _, n in told.values()) if cluster is None else told[winner][1]
    for (slot, cluster, n), source in history:
        replaced = (slot, cluster) in cells and (cluster is not None or source == "opencost")
        expected[slot] += 0 if replaced else n
    found = together(past, [kept[source] for source in sorted(kept)])
    sums = {slot: found.filter(hour=NOON + slot * HOUR)["gpu_hours"].sum() for slot in SLOTS}
    assert sums == expected
    assert found["hour"].is_sorted()
    assert found.columns == past.columns


def test_a_day_of_a_bill_keeps_the_hours_that_nothing_live_is_about() -> None:
    day = NOON.replace(hour=0)
    past = used([(day, "a", 48.0), (day, "b", 24.0), (day - DAY, "a", 12.0)], granularity="day", effective_cost=240.0)
    live = used([(NOON, "a", 8.0), (NOON + HOUR, "a", 8.0)], source="opencost")
    found = together(past, [newer(None, fitted(live, past.schema, "USD"), answered=NOW)])
    of_a = found.filter(pl.col("cluster") == "a", pl.col("hour") >= day)
    assert of_a["gpu_hours"].sum() == pytest.approx(48 * 22 / 24 + 16)
    assert of_a["effective_cost"].sum() == pytest.approx(240 * 22 / 24)
    assert of_a["hour"].n_unique() == of_a.height == 24
    kept = found.filter(granularity="day").select("hour", "cluster", "gpu_hours").rows()
    assert kept == [(day - DAY, "a", 12.0), (day, "b", 24.0)]


def test_what_concerns_no_gpu_is_left_alone() -> None:
    day = NOON.replace(hour=0)
    rest = {"granularity": "day", "residual": "other", "list_cost": 5.0}
    past = used([(day, "a", 0.0)], **rest)
    live = pl.concat([used([(day, "a", 0.0)], **rest), used([(day, "a", 8.0)])])
    found = together(past, [newer(None, fitted(live, past.schema, "USD"), answered=NOW)])
    assert found.select("granularity", "gpu_hours").rows() == [("day", 0.0), ("hour", 8.0)]


def test_the_end_of_a_history() -> None:
    day = NOON.replace(hour=0)
    daily = used([(day, "a", 24.0)], granularity="day")
    assert end_of(used([(NOON, "a", 1.0), (NOON + 5 * HOUR, "a", 0.0)]), NOW) == NOON + HOUR
    assert end_of(daily, NOW) == NOON + 2 * HOUR  # the day is not over
    assert end_of(daily, NOW + DAY) == day + DAY
    assert end_of(daily.clear(), NOW) is None


@given(st.integers(-100, 100))
def test_a_window_holds_the_hours_since_the_last_one(hours: int) -> None:
    since = NOW.replace(minute=0) - hours * HOUR
    assert hours_since(since, NOW) == (2 if hours < 2 else min(hours, 26))
    assert hours_since(None, NOW) == 26


MARK = "Zq7"  # stands at the start of every secret and in nothing else
WORDS = st.text(max_size=8).map(lambda text: f"{MARK}{text}")


@settings(max_examples=150, deadline=None)
@given(user=WORDS, password=WORDS, query=WORDS, is_quoted=st.booleans())
def test_no_text_holds_a_secret(user: str, password: str, query: str, is_quoted: bool) -> None:
    pair = f"{quote(user, safe='')}:{quote(password, safe='')}" if is_quoted else f"{user}:{password}"
    given_ = f"opencost+http://{pair}@db:9003/model?token={quote(query, safe='')}"
    spelt = (given_, pair, user, password, unquote(pair), quote(query, safe=""), query, f"{user}:{password}")

    def echo(one: Any, *_: Any, **__: Any) -> None:
        encoded = b64encode(f"{user}:{password}".encode()).decode() if is_quoted else ""
        assert encoded == "" or encoded in one.secrets
        raise InputError(f"http://{pair}@db", f"says {' '.join(spelt)} {encoded}", "try again")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "ask", echo)
        feed = Feed(used([(NOON, "a", 1.0)]), [], [given_], config=None, clock=clock)
        found = feed.refresh()
    texts = [
        *ages(found, NOW),
        *(text for one in found.sources for text in (one.name, one.problem)),
        repr(found.sources),
    ]
    assert not any(MARK in text or "\n" in text for text in texts)
    assert found.sources[0].name == "opencost db:9003/model"
    assert MARK not in repr(address(given_))


def test_a_password_that_ends_nowhere_is_sent_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "accounts_of", lambda *_, **__: pytest.fail("it was asked"))
    feed = Feed(used([(NOON, "a", 1.0)]), [], ["opencost+http://evil/x:pass@db:9003"], config=None, clock=clock)
    [problem] = feed.refresh().problems
    assert problem.startswith("opencost at db:9003: cannot be asked; its address has an @ behind a /, ? or #")
    assert "pass" not in problem.replace("password", "")


@pytest.mark.parametrize(
    ("source", "live"),
    [
        ("opencost+http://h:9003", True),
        ("prometheus+https://h", True),
        ("bq://p.d.t", False),
        ("aws-cost-explorer:", False),
        ("s3://bucket", False),
        ("opencost", False),
        ("usage.parquet", False),
    ],
)
def test_what_is_live(source: str, live: bool) -> None:
    assert is_live(source) is live


ORIGIN = SourceState(name="usage.csv", kind="bill", until=NOON + HOUR, asked=None)
PRICES = SourceState(name="offers.csv", kind="prices", until=NOON - 12 * DAY, asked=None)


def test_a_replay_goes_round() -> None:
    hours = [(NOON - n * HOUR, "a", float(n + 1)) for n in range(20 * 24)]
    replay = ReplayFeed(used(hours), [ORIGIN, PRICES], clock=clock)
    found = [replay.refresh() for _ in range(25)]
    assert [one.at for one in found] == [NOON - n * HOUR for n in range(23, -1, -1)] + [NOON - 23 * HOUR]
    assert all(one.usage["hour"].max() == one.at for one in found)
    assert all(one.usage.height == 15 * 24 for one in found)
    assert {one.how for one in found} == {"replay"}
    assert ages(found[0], NOW) == ["usage.csv 2026-03-31 14:00, replayed", "offers.csv 2026-03-20, 12 days ago"]


def test_a_replay_of_two_hours_plays_two() -> None:
    replay = ReplayFeed(used([(NOON - HOUR, "a", 1.0), (NOON, "a", 2.0)]), [], clock=clock)
    assert [replay.refresh().at for _ in range(3)] == [NOON - HOUR, NOON, NOON - HOUR]


def test_a_bill_that_has_ended_says_when() -> None:
    times = [NOW]
    feed = BillFeed(used([(NOON, "a", 1.0), (NOON - 16 * DAY, "a", 1.0)]), [ORIGIN], clock=lambda: times[0])
    found = feed.refresh()
    assert (found.at, found.how, found.usage.height, found.problems) == (NOON, "bill", 1, ())
    assert ages(found, NOW) == ["usage.csv 13:00, 1 h ago"]
    times[0] = datetime(2026, 6, 4, 14, tzinfo=UTC)
    [problem] = feed.refresh().problems
    assert problem.startswith("usage.csv: the bill ends 2 months, 3 days ago; to see the present, name a live source")
    assert ages(feed.refresh(), times[0]) == ["usage.csv 2026-04-01 13:00, 2 months, 3 days ago"]


TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(TIMES, TIMES)
def test_months_and_days_lead_from_one_time_to_the_other(one: datetime, other: datetime) -> None:
    """Count the months by trying them: the month after is beyond the end, and so is the day after."""
    since, until = sorted((one, other))
    months, days = months_and_days(since, until)
    ends = _month_by_month(since, months + 1)
    assert ends[months] + days * DAY <= until < ends[months] + (days + 1) * DAY
    assert ends[months + 1] > until
    assert 0 <= days <= 31


def _month_by_month(since: datetime, months: int) -> list[datetime]:
    found = []
    year, month = since.year, since.month
    for _ in range(months + 1):
        day = since.day
        while True:
            try:
                found.append(since.replace(year=year, month=month, day=day))
                break
            except ValueError:
                day -= 1
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return found


@pytest.mark.parametrize(
    ("past", "says"),
    [
        (-HOUR, "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=2), "2 min ago"),
        (HOUR, "1 h ago"),
        (47 * HOUR, "47 h ago"),
        (12 * DAY, "12 days ago"),
        (31 * DAY, "1 month ago"),
    ],
)
def test_ages_have_the_detail_that_matters(past: timedelta, says: str) -> None:
    now = datetime(2026, 4, 1, tzinfo=UTC)
    assert ago(now - past, now) == says


def test_a_session_chooses_its_feed(files: Any) -> None:
    given_ = Request(now=NOW, usage=(files.usage,), offers=(files.offers,))
    session = load(given_)
    bill = feed_of(session, given_, clock=clock)
    assert isinstance(bill, BillFeed)
    [usage, prices] = bill.refresh().sources
    assert (usage.name, usage.kind, usage.until) == (Path(files.usage).name, "bill", NOON.replace(hour=8))
    assert (prices.name, prices.kind) == (Path(files.offers).name, "prices")
    assert isinstance(feed_of(session, given_, sources=["opencost+http://h"], clock=clock), Feed)
    files.text("tranche.toml", '[sources]\nusage = ["bill.csv", "prometheus+http://h"]\n')
    assert isinstance(feed_of(session, given_, clock=clock), Feed)
    with pytest.raises(UsageError, match=r"h/x is no live source; write opencost\+http://HOST:9003"):
        feed_of(session, given_, sources=["https://me:secret@h/x"], clock=clock)


def test_the_demo_is_played_and_never_mixed_with_what_is_live(files: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    request = Request(now=NOW)
    session = load(request)
    replay = feed_of(session, request, clock=clock)
    assert isinstance(replay, ReplayFeed)
    found = replay.refresh()
    assert found.usage.filter(hour=found.at)["gpu_hours"].sum() > 0
    assert found.sources[0].kind == "replay"
    monkeypatch.setattr(sources, "ask", lambda *_, **__: 1 / 0)
    found = feed_of(session, request, sources=["opencost+http://h"], clock=clock).refresh()
    assert found.usage.is_empty()
    assert [one.kind for one in found.sources] == ["live", "prices", "prices"]
    assert found.at == NOW.replace(minute=0) - HOUR


def test_a_real_prometheus_is_shown_and_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with eight GPUs and a pod that asks for six of them; then nobody is there any more."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("PROMETHEUS_TOKEN", raising=False)
    monkeypatch.chdir(tmp_path)
    start, end = NOON - HOUR, NOON + 2 * HOUR
    own = {"cluster": "prod", "node": "gpu-1"}
    pod = {"cluster": "prod", "namespace": "team-a", "pod": "train-0", "uid": "u"}
    asks = {**pod, "container": "main", "node": "gpu-1", "resource": "nvidia_com_gpu"}
    labels = {"label_node_kubernetes_io_instance_type": "p5.48xlarge"}
    sample = prometheus_server.sample
    samples = [
        sample("kube_node_info", 1, start, end, **own, provider_id="aws:///us-east-1a/i-0abc12345"),
        sample("kube_node_labels", 1, start, end, **own, **labels),
        sample("kube_node_status_allocatable", 8, start, end, **own, resource="nvidia_com_gpu"),
        sample("kube_pod_container_resource_requests", 6, start, end, **asks),
        sample("kube_pod_status_phase", 1, start, end, **pod, phase="Running"),
    ]
    now = [NOW]
    with prometheus_server.prometheus(tmp_path, samples) as url:
        feed = Feed(
            used([(start, "prod", 1.0)]), [], [f"prometheus+{url}"], config=None, clock=lambda: now[0], limit_s=60
        )
        found = feed.refresh()
    now[0] += timedelta(minutes=1)
    missed = feed.refresh()
    hour = found.usage.filter(hour=found.at)
    assert (found.at, found.problems) == (NOON + HOUR, ())
    assert hour.select("residual", "gpu_hours", "gpu_model", "cluster").sort("gpu_hours").rows() == [
        ("idle", 2.0, GPU, "prod"),
        (None, 6.0, GPU, "prod"),
    ]
    place = url.removeprefix("http://")
    assert ages(found, NOW) == [f"prometheus {place} 14:00, just now"]
    [problem] = missed.problems
    assert problem.startswith(f"prometheus at {place}: cannot be reached (Connection refused); check the address")
    assert problem.endswith("; its figures end at 14:00; asked again in 60 s")
    assert missed.usage.equals(found.usage)
