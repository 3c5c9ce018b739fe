"""The command run in this process, on files that the tests write."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.cli import main

NOW = "2026-11-21T00:00:00Z"
DEMAND = (40, 40, 40, 60, 80, 100, 100, 60)
GPU = "H100-SXM-80GB"


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Files:
    """Oracle-8 as CSV files in a directory of its own: eight hours, on demand at $4."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.usage = self.table("usage.csv", self.hours())
        self.offers = self.table("offers.csv", [self.on_demand()])

    @staticmethod
    def hours() -> list[dict[str, object]]:
        return [
            {"hour": f"2026-04-01T{hour:02}:00:00Z", "workload": "train", "gpu_model": GPU, "gpu_hours": gpus}
            for hour, gpus in enumerate(DEMAND)
        ]

    @staticmethod
    def offer(name: str, option: str, *, holding: object = 0, usage: object = 0, **more: object) -> dict[str, object]:
        return {
            "offer_id": name,
            "provider": name,
            "gpu_model": GPU,
            "purchase_option": option,
            "holding_usd_per_gpu_hour": holding,
            "usage_usd_per_gpu_hour": usage,
            **more,
        }

    def on_demand(self, **more: object) -> dict[str, object]:
        return self.offer("od", "on_demand", usage=4, **more)

    def table(self, name: str, rows: Iterable[Mapping[str, object]]) -> str:
        rows = list(rows)
        path = self.folder / name
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
            writer.writeheader()
            writer.writerows(rows)
        return str(path)

    def text(self, name: str, content: str | bytes) -> str:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.chdir(tmp_path)
    return Files(tmp_path)


@pytest.fixture
def tranche(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    def run(*arguments: str) -> Ran:
        capfd.readouterr()
        code = main([*arguments])
        out, err = capfd.readouterr()
        return Ran(int(code), out, err)

    return run


@pytest.fixture
def plan(tranche: Callable[..., Ran], files: Files) -> Callable[..., Any]:
    """Plan Oracle-8 with further arguments, and return the plan file."""

    def run(*arguments: str, offers: str = files.offers) -> Any:
        given = [files.usage, "--offers", offers, "--horizon", "history", "--now", NOW, "--format", "json"]
        ran = tranche("plan", *given, *arguments)
        assert ran.code == 0, ran.err
        return ran.json

    return run
