"""OpenCost asked live: the question is the documented one, credentials stay with it, and every refusal is named."""

import json
import socket
from datetime import UTC, datetime, timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from providers.charges import DEFAULT_TAGS
from providers.live import server
from providers.opencost import TOKEN, fetch, read
from providers.recognise import File, kind_of
from providers.tables import InputError

_SPEC = spec_from_file_location("loopback_server", Path(__file__).with_name("loopback_server.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
loopback = module_from_spec(_SPEC)
_SPEC.loader.exec_module(loopback)

START = datetime(2026, 4, 1, 13, tzinfo=UTC)
SECRET = "s3cret"  # noqa: S105 - of nobody


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv(TOKEN, raising=False)


def answer(asked: Any) -> tuple[int, Any]:
    """Answer as OpenCost does: one set a step of the window, with one pod on one machine."""
    since, until = (datetime.fromisoformat(time) for time in asked.parameters["window"].split(","))
    return 200, {"code": 200, "data": [step(since + timedelta(hours=n)) for n in range((until - since) // HOUR)]}


HOUR = timedelta(hours=1)


def step(start: datetime) -> dict[str, Any]:
    window = {"start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{start + HOUR:%Y-%m-%dT%H:%M:%SZ}"}
    properties = {"cluster": "c", "node": "n", "namespace": "ns", "pod": "p-0", "providerID": "i-0abc12345"}
    one = {"properties": properties, "window": window, **window, "minutes": 60, "gpuHours": 8, "totalCost": 24.5}
    return {"c/n/ns/p-0": one}


def asked_for(url: str, folder: Path, *, hours: int = 30) -> str:
    return fetch(url, start=START, end=START + hours * HOUR, folder=folder)


def test_a_server_is_asked_a_day_at_a_time_and_read_back(tmp_path: Path) -> None:
    with loopback.answering(answer) as (url, asked):
        path = asked_for(url, tmp_path)
    windows = [one.parameters["window"] for one in asked]
    assert windows == ["2026-04-01T13:00:00Z,2026-04-02T13:00:00Z", "2026-04-02T13:00:00Z,2026-04-02T19:00:00Z"]
    wanted = {
        "step": "1h", "aggregate": "cluster,node,namespace,controllerKind,controller,pod", "includeIdle": "true",
        "idleByNode": "true", "accumulate": "false",
    }  # fmt: skip
    assert wanted.items() <= asked[0].parameters.items()
    assert asked[0].path == "/allocation"
    assert kind_of(path, "x") == "opencost"
    charges = read([File(path=path, name="x", kind="opencost")], DEFAULT_TAGS).charges
    assert charges is not None
    assert charges.select("list_cost", "gpu_hours").sum().collect().rows() == [(30 * 24.5, 240.0)]


def test_a_token_is_sent_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, SECRET)
    with loopback.answering(answer) as (url, asked):
        path = asked_for(f"{url}/model/", tmp_path)
    assert {one.authorization for one in asked} == {f"Bearer {SECRET}"}
    assert asked[0].path == "/model/allocation"
    assert SECRET not in Path(path).read_text()
    assert SECRET not in repr(server("http://host", token=TOKEN))


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, {}, f"denies access (401); set {TOKEN}"),
        (403, {}, f"denies access (403); set {TOKEN}"),
        (302, None, "sends its callers elsewhere (302)"),
        (500, {"code": 500, "message": "Error: no window"}, "answers 500 (Error: no window); check"),
        (200, b"<html>", "answers 200 (no allocation)"),
        (200, {"code": 200, "data": None}, "answers 200 (no allocation)"),
        (200, {"status": "success"}, "answers 200 (no allocation)"),
    ],
)
def test_a_refusal_names_the_server_and_no_credentials(tmp_path: Path, status: int, body: Any, says: str) -> None:
    with loopback.answering(lambda _: (status, body)) as (url, asked):
        host = url.removeprefix("http://")
        with pytest.raises(InputError) as error:
            asked_for(f"http://reader:{SECRET}@{host}", tmp_path)
    assert str(error.value).startswith(f"{url}: {says}")
    assert SECRET not in str(error.value)
    assert len(asked) == 1


def test_nobody_at_home_is_an_error_with_the_address(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(InputError, match=rf"^http://127\.0\.0\.1:{port}: cannot be reached \(Connection refused\)"):
        asked_for(f"http://127.0.0.1:{port}", tmp_path)


def test_silence_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        slow = server(f"http://127.0.0.1:{silent.getsockname()[1]}", token=TOKEN, timeout_s=0.1)
        with pytest.raises(InputError, match=r"gave no answer in 0\.1 s"):
            slow.ask("/allocation", {})


@pytest.mark.parametrize("url", ["", "ftp://host", "file:///etc/passwd", "http://", "http://host:port", "host:9003"])
def test_what_is_no_address_is_refused_unseen(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError, match="is no http address"):
        asked_for(url, tmp_path)


def test_a_saved_answer_is_one_line_a_day(tmp_path: Path) -> None:
    with loopback.answering(lambda asked: (200, json.dumps(answer(asked)[1], indent=2).encode())) as (url, _):
        lines = Path(asked_for(url, tmp_path)).read_text().splitlines()
    assert [len(json.loads(line)["data"]) for line in lines] == [24, 6]
