"""Time and peak memory of what people wait for: `python -m tests.benchmarks [--plain-8760] [--bills-20m]`.

Every line is a process of its own, so that its peak memory is its own. Nothing here passes or fails.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from tests.benchmarks.bills import cur

ROOT = Path(__file__).parents[2]
TRANCHE = ("-c", "import sys; from app.cli import main; sys.exit(main(sys.argv[1:]))")
HOURS = (168, 720, 8760)
BILLS = ((1_000_000, 0), (5_000_000, 0), (5_000_000, 12), (20_000_000, 0))
"""Rows, and how many labels each of them has beyond the tags that are asked for."""
BILLS_BY_DEFAULT = 5_000_000  # the largest takes a minute to write
PLAIN_BY_DEFAULT = 720  # beyond that the plain program takes minutes and gigabytes
FAILED = "failed"


@dataclass(frozen=True)
class Run:
    """One finished process."""

    seconds: float
    megabytes: float
    code: int
    text: str

    @property
    def said(self) -> dict[str, float]:
        """Return what the process measured itself."""
        return json.loads(self.text.splitlines()[-1]) if self.code == 0 else {}


def measure(*arguments: str) -> Run:
    """Run Python with these arguments; its standard error goes nowhere."""
    begun = perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    text = process.stdout.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    kilobytes = used.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Run(perf_counter() - begun, kilobytes / 1024, process.returncode, text)


def line(what: str, run: Run, seconds: float | None, note: str = "") -> None:
    shown = f"{FAILED:>10}" if run.code or seconds is None else f"{seconds:>8.3f} s"
    print(f"{what:<44}{shown}{run.megabytes:>9.0f} MB  {note}".rstrip(), flush=True)


def commands() -> None:
    for name, arguments in (("--help", ("--help",)), ("--version", ("--version",)), ("plan, bundled demo", ("plan",))):
        runs = [measure(*TRANCHE, *arguments) for _ in range(3)]
        best = min(runs, key=lambda run: (run.code, run.seconds))
        line(f"tranche {name} (best of 3)", best, best.seconds, "whole process")


def screen() -> None:
    """Measure what a person at the desk waits for, and how long the screen does not answer."""
    runs = [measure("-m", "tests.benchmarks.painting") for _ in range(3)]
    opened = min(runs, key=lambda run: (run.code, run.said.get("seconds", 0.0)))
    line("terminal UI, first paint (best of 3)", opened, opened.said.get("seconds"), "on a terminal; budget 0.3 s")
    desk = measure("-m", "tests.benchmarks.desk", "8760")
    parts = {
        "at_once": "desk, a typed price to its verdict",
        "plan": "desk, an edit to the new plan",
        "whole": "  and to what all six quotes are worth",
    }
    for part, what in parts.items():
        line(what, desk, desk.said.get(part), "20 x 96 x 8760 h, mean of ten; budget 0.2 s")
    line("desk, longest stall while it solves", desk, desk.said.get("stall"), "budget 0.05 s")
    rows = measure("-m", "tests.benchmarks.table")
    for name, value in rows.said.items():
        line(f"table of 1 M rows, {name.replace('_', ' ')}", rows, value)


def solving(*, plain_at_most: int) -> None:
    for hours in HOURS:
        mine = measure("-m", "tests.benchmarks.solving", "ours", str(hours))
        line(f"solve 20 x 96 x {hours} h", mine, mine.said.get("seconds"))
        if hours > plain_at_most:
            print(f"{'  the plain program':<44}  not run: --plain-8760 runs it")
            continue
        plain = measure("-m", "tests.benchmarks.solving", "plain", str(hours))
        line("  the plain program", plain, plain.said.get("seconds"), compared(mine, plain))


def further() -> None:
    """Measure what has a budget of its own: 30 seconds and 2 GB, and 200 ms for an edit."""
    for what, way, hours in (
        ("3 years hourly, 12 purchase dates", "ladder", 26_280),
        ("50 scenarios x 8760 h, expected cost", "futures", 8_760),
        ("50 scenarios x 8760 h, half of it CVaR", "risk", 8_760),
    ):
        run = measure("-m", "tests.benchmarks.solving", way, str(hours))
        line(what, run, run.said.get("seconds"), "to 1e-6; budget 30 s and 2 GB")
    plain, run = (measure("-m", "tests.benchmarks.solving", way, "2190") for way in ("waiting-plain", "waiting"))
    line("work that may wait, 20 x 96 x 2190 h", run, run.said.get("seconds"), compared(run, plain))
    run = measure("-m", "tests.benchmarks.solving", "edited", "8760")
    line("another price on 20 x 96 x 8760 h", run, run.said.get("cost"), "mean of ten, to 1e-6; budget 0.2 s")


def reading(*, rows_at_most: int) -> None:
    with TemporaryDirectory(prefix="tranche-") as folder:
        for rows, labels in BILLS:
            if rows > rows_at_most:
                continue
            path = Path(folder) / f"{rows}.parquet"
            cur(path, rows, labels=labels)
            bare, mine = (measure("-m", "tests.benchmarks.reading", way, str(path)) for way in ("bare", "ours"))
            said = f", {labels} labels" if labels else ""
            line(f"bill of {rows / 1e6:,.0f} M rows{said}, scan and sum", bare, bare.said.get("seconds"))
            line("  to the usage table", mine, mine.said.get("seconds"), times(mine, bare))
            path.unlink()


def times(mine: Run, bare: Run) -> str:
    if mine.code or bare.code:
        return ""
    return f"{mine.said['seconds'] / bare.said['seconds']:,.1f} times as long; budget 1.5"


def compared(mine: Run, plain: Run) -> str:
    if mine.code or plain.code:
        return ""
    ratio = plain.said["seconds"] / mine.said["seconds"]
    apart = abs(mine.said["cost"] / plain.said["cost"] - 1)
    memory = plain.megabytes / mine.megabytes
    return f"{ratio:,.1f} times as long, {memory:.1f} times the memory; costs differ by {apart:.1e}"


if __name__ == "__main__":
    commands()
    screen()
    reading(rows_at_most=BILLS[-1][0] if "--bills-20m" in sys.argv[1:] else BILLS_BY_DEFAULT)
    further()
    solving(plain_at_most=HOURS[-1] if "--plain-8760" in sys.argv[1:] else PLAIN_BY_DEFAULT)
