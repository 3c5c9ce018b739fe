"""A real Prometheus server on loopback, over samples that a test writes down."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from urllib.request import ProxyHandler, build_opener

import pytest

MINUTE_S = 60


class Sample(NamedTuple):
    """One series: a value at every minute from start to end, both in seconds."""

    metric: str
    labels: Mapping[str, str]
    value: float
    start: float
    end: float


def sample(metric: str, value: float, start: datetime, end: datetime, **labels: str) -> Sample:
    return Sample(metric, labels, value, start.timestamp(), end.timestamp())


@contextmanager
def prometheus(folder: Path, samples: Sequence[Sample], *options: str) -> Iterator[str]:
    """Run a server that holds the samples, and give its address; skip the test where none is installed."""
    server, tool = shutil.which("prometheus"), shutil.which("promtool")
    if server is None or tool is None:
        absent = pytest.fail if os.environ.get("TRANCHE_TEST_SERVERS") == "required" else pytest.skip
        absent("no prometheus on PATH: apt-get install prometheus")
    metrics, data, config = folder / "metrics.txt", folder / "data", folder / "prometheus.yml"
    metrics.write_text(_open_metrics(samples))
    config.write_text("global: {}\n")
    subprocess.run([tool, "tsdb", "create-blocks-from", "openmetrics", metrics, data], check=True, capture_output=True)
    port = _free_port()
    command = [
        server,
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    # Samples written afterwards have no marks of where a series ends, so the server must not look back further.
    command += ["--storage.tsdb.retention.time=100y", "--query.lookback-delta=30s", "--log.level=error", *options]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _wait(f"http://127.0.0.1:{port}/-/ready", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=20)


def _open_metrics(samples: Sequence[Sample]) -> str:
    """Write the samples in the OpenMetrics text format, family by family."""
    lines: list[str] = []
    for family in sorted({one.metric for one in samples}):
        lines.append(f"# TYPE {family} gauge")
        for one in (one for one in samples if one.metric == family):
            labels = ",".join(f'{name}="{value}"' for name, value in one.labels.items())
            times = range(int(one.start), int(one.end) + 1, MINUTE_S)
            lines.extend(f"{family}{{{labels}}} {one.value!r} {time_}" for time_ in times)
    return "\n".join([*lines, "# EOF", ""])


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    opener = build_opener(ProxyHandler({}))
    for _ in range(200):
        assert process.poll() is None, "prometheus stopped at once"
        try:
            with opener.open(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("prometheus was not ready in 20 s")
