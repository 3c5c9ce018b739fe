"""The present from live servers: what they say is counted once, and nothing that they do loses what is known."""

import gc
import json
import socket
import struct
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import quote

import polars as pl
import pytest

import app.live.source as sources
from app.live.feed import Feed
from app.live.source import Answer
from app.live.state import Live, SourceState, ages
from providers.tables import USAGE, checked

pytestmark = pytest.mark.thorough


def _helper(name: str) -> Any:
    spec = spec_from_file_location(name, Path(__file__).parents[1] / "providers" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


loopback = _helper("loopback_server")
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NOW = datetime(2026, 4, 1, 14, 5, tzinfo=UTC)
LAST = datetime(2026, 4, 1, 13, tzinfo=UTC)
SECRET = "s3cr%t/word"  # noqa: S105 - of nobody
GPU = "H100-SXM-80GB"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("OPENCOST_TOKEN", raising=False)
    monkeypatch.delenv("PROMETHEUS_TOKEN", raising=False)
    monkeypatch.chdir(tmp_path)


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def after(self, time: timedelta) -> "Clock":
        self.now += time
        return self


def used(*rows: tuple[datetime, str | None, float], **more: Any) -> pl.DataFrame:
    """A Usage table of an hour, a cluster and GPU-hours a row."""
    columns = {"workload": "w", "gpu_model": GPU, "source": "focus", **more}
    table = [{"hour": at, "cluster": cluster, "gpu_hours": n, **columns} for at, cluster, n in rows]
    return checked(pl.DataFrame(table, infer_schema_length=None), USAGE, where="test")


def step(start: datetime, cluster: str = "c", gpus: float = 8) -> dict[str, Any]:
    """One step of OpenCost with one pod that has GPUs of one machine."""
    window = {"start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{start + HOUR:%Y-%m-%dT%H:%M:%SZ}"}
    labels = {"node_kubernetes_io_instance_type": "p5.48xlarge"}
    own = {"cluster": cluster, "node": "n", "namespace": "ns", "controllerKind": "deployment", "controller": "train"}
    of = {**own, "pod": "train-0", "providerID": "aws:///us-east-1a/i-0abc12345", "labels": labels}
    cost = {"gpuHours": gpus, "gpuCost": 3 * gpus, "totalCost": 3 * gpus + 1}
    return {f"{cluster}/n/ns/train-0": {"properties": of, "window": window, **window, "minutes": 60, **cost}}


def hours(asked: Any, **more: Any) -> tuple[int, Any]:
    since, until = window_of(asked)
    return 200, {"code": 200, "data": [step(since + n * HOUR, **more) for n in range((until - since) // HOUR)]}


def window_of(asked: Any) -> tuple[datetime, datetime]:
    since, until = asked.parameters["window"].split(",")
    return datetime.fromisoformat(since), datetime.fromisoformat(until)


def live(url: str, clock: Clock, history: pl.DataFrame | None = None, *more: str, limit_s: float = 5) -> Feed:
    past = used((LAST - 3 * HOUR, "old", 1.0)) if history is None else history
    address = url.replace("http://", f"opencost+http://reader:{quote(SECRET, safe='')}@")
    return Feed(past, [], [address, *more], config=None, clock=clock, limit_s=limit_s)


def totals(found: Live) -> dict[tuple[datetime, str | None], float]:
    sums = found.usage.group_by("hour", "cluster").agg(pl.col("gpu_hours").sum())
    return {(hour, cluster): gpu_hours for hour, cluster, gpu_hours in sums.iter_rows()}


def test_a_server_is_asked_for_what_is_missing_and_shown_with_its_age() -> None:
    clock = Clock()
    with loopback.answering(hours) as (url, asked):
        feed = live(url, clock)
        found = feed.refresh()
        assert feed.refresh().taken == NOW  # a minute is not over: nobody is asked
        assert len(asked) == 1
        later = live(url, clock.after(2 * MINUTE), used((LAST - 100 * HOUR, "old", 1.0)))
        later.refresh()
        clock.after(MINUTE)
        later.refresh()
    assert [window_of(one) for one in asked] == [
        (LAST - 2 * HOUR, LAST + HOUR),  # since the end of the history
        (LAST - 25 * HOUR, LAST - HOUR),  # at most 26 hours, a day at a time
        (LAST - HOUR, LAST + HOUR),
        (LAST - HOUR, LAST + HOUR),  # at least two
    ]
    assert totals(found) == {(LAST - 3 * HOUR, "old"): 1.0, **{(LAST - n * HOUR, "c"): 8.0 for n in range(3)}}
    assert (
        found.usage.filter(cluster="c").select("workload", "gpu_model", "list_cost").rows()
        == [("ns/train", GPU, 25.0)] * 3
    )
    assert (found.at, found.how, found.problems) == (LAST, "live", ())
    place = url.removeprefix("http://")
    assert found.sources == (SourceState(name=f"opencost {place}", kind="live", until=LAST + HOUR, asked=NOW),)
    assert ages(found, NOW + 2 * MINUTE) == [f"opencost {place} 14:00, 2 min ago"]


REFUSALS = {
    "401": (401, {}, "denies access (401); set OPENCOST_TOKEN to a valid token"),
    "403": (403, {}, "denies access (403)"),
    "500": (500, {"code": 500, "message": f"no {SECRET} {quote(SECRET, safe='')}\n\x1b[31m"}, "answers 500 (no … …"),
    "cut secret": (500, {"code": 500, "message": f"{'x' * 194} {SECRET}"}, f"answers 500 ({'x' * 194} …); check"),
    "login page": (200, b"<html>Login</html>", "answers 200 (no allocation); check that it is the address"),
    "redirect": (302, None, "sends its callers elsewhere (302)"),
    "cut JSON": (200, b'{"code": 200, "data": [{"a":', "answers 200 (no allocation)"),
    "no time": (
        200,
        {"code": 200, "data": [{"a": {"minutes": 60}}]},
        "holds an allocation without a window; fetch it again",
    ),
    "text for numbers": (200, {"code": 200, "data": [{"a": {"minutes": "x"}}]}, "answers 200 (no allocation)"),
    "impossible": (200, {"code": 200, "data": [step(LAST, gpus=1e12)]}, "states GPU-hours that cannot be"),
    "empty": (200, {"code": 200, "data": [{}, None]}, "knows of no GPU since 13:00; see that it is fed"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_is_one_line_and_loses_nothing(refusal: str) -> None:
    status, body, says = REFUSALS[refusal]
    replies: list[Any] = [hours, lambda _: (status, body), hours]

    def answer(asked: Any) -> tuple[int, Any]:
        return replies[0](asked)  # type: ignore[no-any-return]

    clock = Clock()
    with loopback.answering(answer) as (url, _):
        feed = live(url, clock)
        good = feed.refresh()
        replies.pop(0)
        clock.after(HOUR)
        bad = feed.refresh()
        replies.pop(0)
        clock.after(MINUTE)
        again = feed.refresh()
    [problem] = bad.problems
    assert problem.startswith(f"opencost at {url.removeprefix('http://')}: {says}")
    assert "its figures end at 14:00" in problem
    assert problem.isprintable()
    assert not any(form in problem for form in ("s3cr", "reader"))
    assert bad.usage.equals(good.usage)
    assert (bad.at, bad.sources[0].until) == (LAST, LAST + HOUR)
    assert (again.problems, again.at) == ((), LAST + HOUR)
    assert totals(again) == {**totals(good), (LAST + HOUR, "c"): 8.0}


@contextmanager
def speaking(speak: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does with each connection what it is told to."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.recv(1 << 16)
                speak(connection)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def broken_off(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\n{}")


def nonsense(connection: socket.socket) -> None:
    connection.sendall(b"\x00\xff\x1b[31m\r\n\r\n")


@pytest.mark.parametrize(
    ("speak", "says"),
    [
        (reset, "cannot be reached (Connection reset by peer)"),
        (broken_off, "broke off in the middle of its answer"),
        (nonsense, "cannot be reached (BadStatusLine)"),
    ],
)
def test_a_connection_that_breaks_is_a_problem(speak: Callable[[socket.socket], None], says: str) -> None:
    with speaking(speak) as url:
        found = live(url, Clock()).refresh()
    [problem] = found.problems
    assert problem.startswith(f"opencost at {url.removeprefix('http://')}: {says}")
    assert problem.endswith("it has given no figures yet; asked again in 60 s")
    assert (found.how, found.at, totals(found)) == ("bill", LAST - 3 * HOUR, {(LAST - 3 * HOUR, "old"): 1.0})
    assert ages(found, NOW)[0].endswith("no figures yet")


def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, but the whole does not."""
    monkeypatch.setattr(sources, "PATIENCE_S", 0.3)
    over = Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
        while not over.wait(0.02):
            try:
                connection.sendall(b" ")
            except OSError:
                return

    with speaking(drip) as url:
        found = live(url, Clock()).refresh()
        over.set()
    assert "gave no answer in 0.3 s" in found.problems[0]


def test_a_slow_server_is_never_asked_twice_at_once_and_its_answer_is_used_when_it_comes() -> None:
    clock, may_answer, has_answered = Clock(), Event(), Event()

    def slow(asked: Any) -> tuple[int, Any]:
        may_answer.wait(30)
        has_answered.set()
        return hours(asked)

    with (
        loopback.answering(slow) as (url, asked),
        loopback.answering(lambda one: hours(one, cluster="d")) as (other, _),
    ):
        feed = live(url, clock, None, f"opencost+{other}", limit_s=0.5)
        first = feed.refresh()
        for _ in range(3):
            clock.after(MINUTE)
            late = feed.refresh()
        assert len(asked) == 1
        may_answer.set()
        question = feed._sources[0]._question
        assert question is not None
        question.outcome(wait_s=30)
        found = feed.refresh()
    assert has_answered.is_set()
    assert "did not answer in 0.5 s; it has given no figures yet" in first.problems[0]
    assert {cluster for _, cluster in totals(late)} == {"old", "d"}
    assert late.sources[1].asked == NOW + 3 * MINUTE
    assert {cluster for _, cluster in totals(found)} == {"old", "c", "d"}
    assert found.sources[0].asked == NOW + 3 * MINUTE


def test_a_failing_server_is_asked_less_and_less_while_others_go_on() -> None:
    """After 1, 2, 4, 8 and then every 10 minutes: at minutes 0, 1, 3, 7, 15, 25, 35, 45, 55 of an hour."""
    clock = Clock()
    minutes: list[int] = []

    def failing(_: Any) -> tuple[int, Any]:
        minutes.append((clock.now - NOW) // MINUTE)
        return 500, {}

    with loopback.answering(failing) as (bad, _), loopback.answering(hours) as (good, asked):
        feed = live(bad, clock, None, f"opencost+{good}")
        for _ in range(60):
            found = feed.refresh()
            clock.after(MINUTE)
    assert minutes == [0, 1, 3, 7, 15, 25, 35, 45, 55]
    assert len(asked) == 60
    assert found.problems[0].endswith("asked again in 10 min")
    assert found.sources[1].problem == ""
    assert found.at == LAST + HOUR


def test_a_clock_that_is_ahead_is_told_and_its_hours_are_left_out() -> None:
    def ahead(asked: Any) -> tuple[int, Any]:
        status, answer = hours(asked)
        answer["data"] += [step(LAST + HOUR), step(LAST + 3 * HOUR)]
        return status, answer

    with loopback.answering(ahead) as (url, _):
        found = live(url, Clock()).refresh()
    assert "tells of hours up to 17:00, which have not been; set its clock or this one right" in found.problems[0]
    assert found.usage["hour"].max() == LAST == found.at


def test_half_an_answer_is_used_and_told() -> None:
    with loopback.answering(lambda asked: (200, {"code": 200, "data": hours(asked)[1]["data"][:1]})) as (url, _):
        found = live(url, Clock(NOW + 30 * MINUTE)).refresh()
    assert "knows of no GPU since 12:00" in found.problems[0]
    assert (found.at, found.sources[0].until) == (LAST - 2 * HOUR, LAST - HOUR)


def test_a_source_that_is_a_little_late_does_not_halve_the_present() -> None:
    clock = Clock()
    gone = Event()

    def going(asked: Any) -> tuple[int, Any]:
        return (500, {}) if gone.is_set() else hours(asked)

    with loopback.answering(going) as (url, _), loopback.answering(lambda one: hours(one, cluster="d")) as (other, _):
        feed = live(url, clock, None, f"opencost+{other}")
        feed.refresh()
        gone.set()
        found = [(found.at, found.usage.filter(hour=found.at)["gpu_hours"].sum()) for found in walk(feed, clock, 3)]
    assert found == [(LAST, 16.0), (LAST, 16.0), (LAST + 3 * HOUR, 8.0)]


def walk(feed: Feed, clock: Clock, number: int) -> Iterator[Live]:
    for _ in range(number):
        clock.after(HOUR)
        yield feed.refresh()


def test_two_clusters_of_one_name_are_told() -> None:
    with loopback.answering(hours) as (url, _), loopback.answering(hours) as (other, _):
        found = live(url, Clock(), None, f"opencost+{other}").refresh()
    assert (
        f"{url.removeprefix('http://')} does, so that it counts once; give each cluster a CLUSTER_ID"
        in found.problems[0]
    )
    assert found.sources[0].problem == ""
    assert found.usage.filter(hour=LAST)["gpu_hours"].sum() == 8


def test_settings_that_break_later_and_faults_are_problems_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tranche.toml").write_text("[sources\n")
    with loopback.answering(hours) as (url, _):
        [problem] = live(url, Clock()).refresh().problems
        assert "tranche.toml" in problem
        (tmp_path / "tranche.toml").unlink()
        monkeypatch.setattr(sources, "accounts_of", lambda *_, **__: 1 / 0)
        [problem] = live(url, Clock()).refresh().problems
    assert "gave an answer that cannot be used (ZeroDivisionError)" in problem


def test_amounts_in_another_currency_are_left_out() -> None:
    history = used((LAST - 3 * HOUR, "old", 1.0), effective_cost=2.0, currency="EUR")
    with loopback.answering(hours) as (url, _):
        found = live(url, Clock(), history).refresh()
    assert found.usage["currency"].unique().to_list() == ["EUR"]
    assert found.usage.filter(cluster="c")["list_cost"].is_null().all()
    assert found.usage.schema == history.schema


def test_a_further_tag_of_the_history_is_asked_for() -> None:
    history = used((LAST - 3 * HOUR, "old", 1.0), squad="red")

    def tagged(asked: Any) -> tuple[int, Any]:
        text = json.dumps(hours(asked)[1]).replace('"labels": {', '"labels": {"squad": "blue", ')
        return 200, text.encode()

    with loopback.answering(tagged) as (url, _):
        found = live(url, Clock(), history).refresh()
    assert found.usage.select("cluster", "squad").unique().sort("cluster").rows() == [("c", "blue"), ("old", "red")]


def test_memory_stays_flat(monkeypatch: pytest.MonkeyPatch) -> None:
    """600 refreshes of 20 minutes each on 20 days of history: neither objects nor the table grow."""
    one = used((LAST, "c", 8.0), source="opencost")

    def told(_: Any, window: Any, **__: Any) -> Answer:
        rows = [one.with_columns(hour=pl.lit(window.since + n * HOUR)) for n in range(window.hours)]
        return Answer(usage=pl.concat(rows), window=window, hint="")

    monkeypatch.setattr(sources, "ask", told)
    clock = Clock()
    feed = live("http://host", clock, used(*((LAST - n * HOUR, "c", 4.0) for n in range(20 * 24))))
    sizes, objects = [], []
    for number in range(1, 601):
        found = feed.refresh()
        clock.after(20 * MINUTE)
        if number % 100 == 0:
            sizes.append((found.usage.height, found.usage.estimated_size()))
        if number == 450:
            tracemalloc.start()
        if number in (500, 600):
            gc.collect()
            objects.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert {height for height, _ in sizes} == {15 * 24}
    assert max(size for _, size in sizes) <= 1.1 * min(size for _, size in sizes)
    assert objects[1] - objects[0] < 50_000  # bytes in 100 refreshes
    assert found.usage["hour"].min() == found.at - 15 * 24 * HOUR + HOUR
