"""Prometheus asked: in pieces where it is too much, with credentials for it alone, and every refusal named."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from providers.charges import DEFAULT_TAGS, Reading
from providers.prometheus import TOKEN, fetch, read
from providers.recognise import File
from providers.tables import InputError


def _helper(name: str) -> Any:
    spec = spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


helper, loopback = _helper("prometheus_server"), _helper("loopback_server")
sample = helper.sample
START = datetime(2026, 4, 1, 13, tzinfo=UTC)
END = START + timedelta(hours=3)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv(TOKEN, raising=False)


def reading(path: Path) -> Reading:
    return read([File(path=str(path), name=path.name, kind="prometheus")], DEFAULT_TAGS)


def test_a_server_that_finds_it_too_much_is_asked_for_less(tmp_path: Path) -> None:
    """A day at once is more than 1,000 samples; in pieces the answer is the same as without a limit."""
    end = START + timedelta(hours=12)
    own = {"cluster": "prod", "node": "gpu-1"}
    samples = [
        sample("kube_node_info", 1, START, end, **own),
        sample("kube_node_status_allocatable", 8, START, end, **own, resource="nvidia_com_gpu"),
    ]
    found = []
    for name, options in (("free", ()), ("bound", ("--query.max-samples=1000",))):
        folder = tmp_path / name
        folder.mkdir()
        with helper.prometheus(folder, samples, *options) as url:
            found.append(Path(fetch(url, start=START, end=end, folder=folder)))
    free, bound = (reading(path).charges for path in found)
    assert free is not None
    assert bound is not None
    assert len(found[1].read_text().splitlines()) > len(found[0].read_text().splitlines())
    assert bound.collect().equals(free.collect())
    assert bound.select("gpu_hours").sum().collect().item() == 8 * 12


def test_one_hour_too_much_is_an_error(tmp_path: Path) -> None:
    samples = [sample("kube_node_info", 1, START, END, node=f"n-{number}") for number in range(9)]
    refused = pytest.raises(InputError, match=r"answers 422 \(.*too many samples.*\); raise its query limits")
    with helper.prometheus(tmp_path, samples, "--query.max-samples=20") as url, refused:
        fetch(url, start=START, end=END, folder=tmp_path)


EMPTY = {"status": "success", "data": {"resultType": "matrix", "result": []}}


def asked(reply: Any, tmp_path: Path, user: str = "") -> tuple[str, Sequence[Any]]:
    with loopback.answering(reply) as (url, found):
        fetch(url.replace("//", f"//{user}"), start=START, end=END, folder=tmp_path)
    return url, found


@pytest.mark.parametrize(
    ("token", "user", "sent"),
    [
        ("t0ken", "", "Bearer t0ken"),
        ("", "me:p%40ss@", "Basic bWU6cEBzcw=="),
        ("t0ken", "me:pass@", "Bearer t0ken"),
        ("", "", None),
    ],
)
def test_credentials_go_to_the_server_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str, user: str, sent: str | None
) -> None:
    monkeypatch.setenv(TOKEN, token)
    _, found = asked(lambda _: (200, EMPTY), tmp_path, user)
    assert {one.authorization for one in found} == {sent}
    assert {one.path for one in found} == {"/api/v1/query_range"}
    saved = (tmp_path / "prometheus.json").read_text()
    assert not any(word in saved for word in ("t0ken", "me:", "p@ss", "pass"))


def test_an_empty_answer_says_what_to_scrape(tmp_path: Path) -> None:
    asked(lambda _: (200, EMPTY), tmp_path)
    found = reading(tmp_path / "prometheus.json")
    assert [one.code for one in found.found()] == ["no-gpu-machines"]
    assert found.charges is not None
    assert found.charges.collect().is_empty()


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, {}, f"denies access (401); set {TOKEN} to a valid token, or write user:password@ before the host"),
        (403, {}, "denies access (403)"),
        (400, {"status": "error", "error": "invalid parameter"}, "answers 400 (invalid parameter); check"),
        (422, {"status": "error", "error": "query processing would load too many samples"}, "answers 422 (query"),
        (503, b"upstream timed out", "answers 503 (no matrix of values); raise its query limits"),
        (200, b"<html>Login</html>", "answers 200 (no matrix of values); check that it is the address of Prometheus"),
        (200, {"status": "success", "data": {"resultType": "vector", "result": []}}, "answers 200 (no matrix"),
        (302, None, "sends its callers elsewhere (302)"),
    ],
)
def test_a_refusal_names_the_server_without_its_password(tmp_path: Path, status: int, body: Any, says: str) -> None:
    with loopback.answering(lambda _: (status, body)) as (url, _), pytest.raises(InputError) as error:
        fetch(url.replace("//", "//me:s3cret@"), start=START, end=END, folder=tmp_path)
    assert str(error.value).startswith(f"{url}: {says}")
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("line", ["{", '{"query":"nodes","answer":{"status":"success","data":{}}}', "[1]"])
def test_a_broken_file_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "answers.json"
    path.write_text(f'{{"tranche_source":"prometheus"}}\n{line}\n')
    with pytest.raises(InputError, match=r"^answers\.json: is no whole file of Prometheus answers"):
        reading(path)


def test_values_that_are_no_numbers_and_answers_that_overlap(tmp_path: Path) -> None:
    end = START.timestamp() + 3600
    metric = {"cluster": "c", "node": "n", "provider_id": "i-0abc12345"}
    lines: list[Any] = [{"tranche_source": "prometheus"}]
    for name, labels, value in (("observed", {"cluster": "c"}, "60"), ("nodes", metric, "60"), ("nodes", metric, "60")):
        result = [{"metric": labels, "values": [[end, value], [end + 3600, "NaN"]]}]
        lines.append(
            {"query": name, "answer": {"status": "success", "data": {"resultType": "matrix", "result": result}}}
        )
    path = tmp_path / "answers.json"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    found = reading(path).charges
    assert found is not None
    assert found.select("hour", "node").collect().rows() == [
        (START, "i-0abc12345"),
        (START + timedelta(hours=1), "i-0abc12345"),
    ]
