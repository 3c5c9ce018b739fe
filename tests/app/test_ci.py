"""Plans in CI: GitHub's files and commands, the action's and the GitLab job's own scripts, and unfriendly machines."""

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import jsonschema
import polars as pl
import pytest
import yaml

from app.gate_rules import KINDS
from app.reports import github
from app.reports.planfile import decode

ROOT = Path(__file__).parents[2]
ACTION = ROOT / ".github" / "actions" / "plan"
GPU = "H100-SXM-80GB"
EVIL = "job\n::error::pwned %0A,:\x1b[31m##[add-path]/tmp|<img src=x>@team"


@pytest.fixture
def given(files):
    """Arguments of a plan of Oracle-8 whose only workload attacks."""
    usage = files.table("usage.csv", [{**row, "workload": EVIL} for row in files.hours()])
    quote = f"r:{GPU}=2.40/h,reserved,12mo,name=r"
    return [usage, "--offers", files.offers, "--offer", quote, "--horizon", "history", "--now", "2026-11-21"]


@pytest.fixture
def step(files, monkeypatch):
    """Name the files of a step of GitHub Actions."""
    paths = {name: files.folder / name for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
    for name, path in paths.items():
        path.touch()
        monkeypatch.setenv(name, str(path))
    return paths


def outputs_of(path):
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def test_github_gets_summary_outputs_and_annotations(tranche, given, step, files):
    ran = tranche(
        "plan", *given, "--github", "--out", "plan.json", "--fail-over", "1", "--fail-utilization-below", "9%"
    )
    assert ran.code == 3
    summary = step["GITHUB_STEP_SUMMARY"].read_text()
    assert summary.startswith(f"{github.MARKER}\n### GPU plan: $1,552.00 over 8 hours of history — saves $528.00")
    assert "| fail-over | failed | the cost over the hours planned | $1,552.00 | $1.00 |" in summary
    assert "| fail-utilization-below | passed | " in summary
    assert "Walk-away" not in summary  # everybody who may read the repository reads it
    outputs = outputs_of(step["GITHUB_OUTPUT"])
    assert outputs == {
        "plan": "plan.json",
        "headline": "$1,552.00 over 8 hours of history: saves $528.00 (25.38 %)",
        "cost": "1552.00",
        "savings": "528.00",
        "currency": "USD",
        "gates": "failed",
        "failed-gates": "fail-over",
        "differs": "",
        "difference": "",
    }
    failed = "gate fail-over failed: the cost over the hours planned is $1,552.00; the limit is $1.00"
    assert [line for line in ran.err.splitlines() if line.startswith("::")] == [
        f"::error title=gate fail-over::{failed}",
        "::notice title=GPU plan::$1,552.00 over 8 hours of history: saves $528.00 (25.38 %25)",
    ]


def test_a_step_summary_says_what_changed(tranche, given, step, files):
    tranche("plan", *given, "--out", "old.json")
    ran = tranche("plan", *given, "--limit", "committed<=50%", "--against", "old.json", "--github", "--format", "json")
    assert ran.code == 0, ran.err
    summary = step["GITHUB_STEP_SUMMARY"].read_text()
    assert "\n#### GPU plan: $1,552.00 to $" in summary
    assert "| limit | +$" in summary
    outputs = outputs_of(step["GITHUB_OUTPUT"])
    assert outputs["differs"] == "true"
    assert outputs["difference"] == f"{float(ran.json['summary']['cost']) - 1552:.2f}"


def test_what_was_in_the_files_of_the_step_stays(tranche, given, step):
    step["GITHUB_OUTPUT"].write_text("mine=1\n")
    tranche("plan", *given, "--github")
    assert outputs_of(step["GITHUB_OUTPUT"])["mine"] == "1"


def test_outside_of_github_it_says_so(tranche, given, monkeypatch, files):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.setenv("GITHUB_OUTPUT", str(files.folder))
    ran = tranche("plan", *given, "--github")
    assert ran.code == 0
    assert "GITHUB_STEP_SUMMARY is not set: this is no step of GitHub Actions" in ran.err
    assert "GITHUB_OUTPUT: " in ran.err


def changed(plan, **parts):
    return decode(json.dumps({**plan, **parts}).encode(), where="plan")


@pytest.fixture
def document(tranche, given):
    return tranche("plan", *given, "--format", "json").json


def test_a_huge_plan_is_cut_and_its_headline_is_not(document):
    plan = changed(document, purchases=document["purchases"] * 2000)
    assert len(github.markdown.render(plan)) > 200_000
    summary = github.summary(plan)
    assert 55_000 < len(summary.encode()) <= 60_000
    assert summary.startswith(f"{github.MARKER}\n### GPU plan: $1,552.00 over 8 hours of history — saves $528.00")
    assert re.search(r"\n_[\d,]+ further lines do not fit here; the plan file has all\._\n$", summary)
    assert github.summary(changed(document)).count("do not fit") == 0


def test_a_summary_that_is_cut_inside_details_closes_them(document):
    found = {"level": "note", "code": "x", "message": "m" * 300, "hint": "", "where": ""}
    summary = github.summary(changed(document, diagnostics=[found] * 1000))
    assert len(summary.encode()) <= 60_000
    assert summary.count("<details>") == summary.count("</details>") >= 1


def test_there_are_at_most_ten_annotations_and_the_gates_come_first(document):
    found = {"level": "warning", "code": "w", "message": "take care", "hint": "", "where": ""}
    gate = {"name": "fail-x", "outcome": "failed", "unit": "money", "limit": "1.00", "value": "2.00", "about": "it"}
    warned = gate | {"outcome": "warned", "name": "budget *"}
    lines = github.workflow_commands(changed(document, gates=[warned, gate], diagnostics=[found] * 30))
    assert len(lines) == 10
    assert lines[0].startswith("::error title=gate fail-x::")
    assert lines[1].startswith("::warning title=gate budget *::")
    assert lines[-2] == "::warning title=more::24 more are in the step summary"
    assert lines[-1].startswith("::notice ")
    few = github.workflow_commands(changed(document, gates=[gate], diagnostics=[found] * 8))
    assert (len(few), sum("take care" in line for line in few)) == (10, 8)


def test_nothing_a_file_says_becomes_a_command_or_an_output(document):
    found = {"level": "warning", "code": EVIL, "message": EVIL, "hint": EVIL, "where": EVIL}
    gate = {"name": EVIL, "outcome": "failed", "unit": "money", "limit": "1.00", "value": "2.00", "about": EVIL}
    plan = changed(document, gates=[gate, {"name": 3}, "no gate"][:2], diagnostics=[found], currency="X\nY=1")
    for line in github.workflow_commands(plan):
        assert re.fullmatch(r"::(error|warning|notice) title=[^:,\n]*::[^\n\r\x1b]*", line)
        assert "##[" not in line
        assert "%0A" not in line.replace("%250A", "")
    lines = github.outputs(plan, path="a\nb=c", compared=None).splitlines()
    assert [line.partition("=")[0] for line in lines] == [
        "plan", "headline", "cost", "savings", "currency", "gates", "failed-gates", "differs", "difference",
    ]  # fmt: skip
    summary = github.summary(plan)
    assert not re.search(r"(?<!\\)<img", re.sub(r"`[^`\n]*`", "", summary))


# The scripts themselves, as the runners run them.


@pytest.fixture
def machine(files, tmp_path_factory):
    """Return an environment in which `tranche` is this program and `gh` writes down what it is asked."""
    tools = tmp_path_factory.mktemp("tools")
    said = tools / "gh.log"
    listed = f'case "$*" in *--paginate*) cat {tools}/comments 2>/dev/null || true;; esac'
    scripts = {
        "tranche": f'exec {sys.executable} -m app.cli "$@"',
        "gh": f'printf "%s\\n" "$*" >> {said}\n{listed}',
    }
    for name, script in scripts.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)
    env = {name: os.environ[name] for name in ("PATH", "TRANCHE_WORKSPACE")}
    env |= {"PATH": f"{tools}:{env['PATH']}", "PYTHONPATH": str(ROOT), "CI": "true"}
    return env, tools


def action_step(number, env, inputs, cwd):
    """Run one step of the composite action, with its inputs in place of what they are written as."""
    action = yaml.safe_load((ACTION / "action.yml").read_text())
    values = {f"inputs.{name}": one.get("default", "") for name, one in action["inputs"].items()}
    values |= {f"inputs.{name}": value for name, value in inputs.items()}
    values |= {"github.event.pull_request.number": "7", "github.repository": "acme/infra", "github.token": "none"}
    one = action["runs"]["steps"][number]
    assert "${{" not in one["run"]
    told = {
        name: re.sub(r"\$\{\{ (\S+) \}\}", lambda found: values[found[1]], text) for name, text in one["env"].items()
    }
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", one["run"]]
    return subprocess.run(command, capture_output=True, check=False, text=True, env={**env, **told}, cwd=cwd)


@pytest.fixture
def runner(files):
    for name in ("summary", "output"):
        (files.folder / name).touch()
    return {"GITHUB_STEP_SUMMARY": str(files.folder / "summary"), "GITHUB_OUTPUT": str(files.folder / "output")}


def test_the_action_plans_and_fails_where_a_gate_does(machine, runner, files):
    env, _ = machine
    inputs = {"usage": files.usage, "offers": files.offers, "arguments": "--now 2026-11-21 --horizon history"}
    ran = action_step(0, env | runner, inputs, files.folder)
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr
    assert outputs_of(files.folder / "output")["cost"] == "2080.00"
    assert json.loads((files.folder / "plan.json").read_text())["summary"]["cost"] == "2080.00"
    assert (files.folder / "plan.md").read_text() == (files.folder / "summary").read_text()
    inputs |= {"arguments": inputs["arguments"] + " --fail-over 2k --fail-increase 1%", "against": "plan.json"}
    ran = action_step(0, env | runner, inputs | {"out": "second.json"}, files.folder)
    assert ran.returncode == 3
    assert "::error title=gate fail-over::" in ran.stderr
    assert (files.folder / "second.json").exists()


def test_inputs_of_the_action_are_never_run(machine, runner, files):
    env, _ = machine
    for name in ("usage", "offers", "commitments", "against", "arguments"):
        ran = action_step(0, env | runner, {name: '$(touch pwned) `touch pwned` ; touch pwned "'}, files.folder)
        assert ran.returncode in {2, 6}
    assert not (files.folder / "pwned").exists()


def test_the_action_writes_one_comment_and_then_updates_it(machine, runner, files):
    env, tools = machine
    (files.folder / "plan.md").write_text(f"{github.MARKER}\nplan")
    assert action_step(1, env, {}, files.folder).returncode == 0
    (tools / "comments").write_text("42\n43\n")
    assert action_step(1, env, {}, files.folder).returncode == 0
    asked = [line for line in (tools / "gh.log").read_text().splitlines() if "--method" in line]
    assert asked == [
        "api --method POST repos/acme/infra/issues/7/comments -F body=@plan.md",
        "api --method PATCH repos/acme/infra/issues/comments/42 -F body=@plan.md",
    ]
    assert github.MARKER in (ACTION / "action.yml").read_text()


def test_the_action_says_where_there_is_nothing_to_comment_on(machine, files):
    ran = action_step(1, machine[0], {}, files.folder)
    assert (ran.returncode, ran.stdout) == (0, "there is no plan to comment on\n")


def test_the_action_offers_every_output_of_the_step(document):
    action = yaml.safe_load((ACTION / "action.yml").read_text())
    written = {
        line.partition("=")[0] for line in github.outputs(changed(document), path=None, compared=None).splitlines()
    }
    assert {
        found.group(1) for one in action["outputs"].values() if (found := re.search(r"outputs\.(\S+)", one["value"]))
    } <= written
    assert set(action["outputs"]) <= written


def gitlab(env, cwd, **variables):
    job = yaml.safe_load((ACTION / "gitlab-ci.yml").read_text())["gpu-plan"]
    script = "set -eo pipefail\n" + "\n".join(job["script"])
    told = {**env, **job["variables"], **variables}
    return subprocess.run(["bash", "-c", script], capture_output=True, check=False, text=True, env=told, cwd=cwd)


def test_the_gitlab_job(machine, files):
    env, _ = machine
    now = f"--now 2026-11-21 --horizon history --offers {files.offers}"
    ran = gitlab(env, files.folder, TRANCHE_USAGE=files.usage, TRANCHE_ARGUMENTS=now)
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr
    assert (files.folder / "plan.md").read_text().startswith("### GPU plan: $2,080.00")
    (files.folder / "plan.json").rename(files.folder / "old.json")
    given = {"TRANCHE_USAGE": files.usage, "TRANCHE_AGAINST": "old.json"}
    assert gitlab(env, files.folder, **given, TRANCHE_ARGUMENTS=now).returncode == 0
    ran = gitlab(env, files.folder, **given, TRANCHE_ARGUMENTS=f"{now} --offer r:{GPU}=2.40/h,reserved,12mo")
    assert ran.returncode == 4
    assert "| price | -$528.00 |" in (files.folder / "diff.md").read_text()
    assert gitlab(env, files.folder, **given, TRANCHE_ARGUMENTS=f"{now} --fail-over 1").returncode == 3
    assert (files.folder / "plan.json").exists()


def test_the_example_of_the_documentation_is_valid(tranche, given, files):
    page = (ACTION / "README.md").read_text()
    [example] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    jsonschema.Draft202012Validator(tranche("schema", "config").json).validate(tomllib.loads(example))
    plan = tranche("plan", *given, "--config", files.text("tranche.toml", example), "--warn-only", "--format", "json")
    named = {f"fail-{name.replace('_', '-')}" for name in KINDS} - {"fail-increase"}
    assert {gate["name"] for gate in plan.json["gates"]} == {*named, "budget *", "budget language/*"}
    assert github.MARKER in page


# Machines as CI has them.

OFFLINE = (
    "import socket, sys\n"
    "def refuse(*_, **__): raise SystemExit('the network was asked for')\n"
    "socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse\n"
    "from app.cli import main\n"
    "sys.exit(main(sys.argv[1:]))\n"
)


def offline(*arguments, cwd, **environment):
    """Run the command without a network, a home or a locale, as in a bare container."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "CI": "true", "NO_COLOR": "1", "LC_ALL": "C"}
    env |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "0", **environment}
    command = [sys.executable, "-c", OFFLINE, *arguments]
    return subprocess.run(command, capture_output=True, check=False, env=env, cwd=cwd)


def test_everything_works_without_network_home_locale_or_a_folder_to_write_in(files, given):
    plan, approved = (str(files.folder / name) for name in ("plan.json", "approved.json"))
    tried = [
        ["plan", *given, "--out", plan], ["approve", plan, "--by", "Zoë", "--out", approved, "--now", "2026-11-22"],
        ["plan", *given, "--against", approved, "--fail-stale", "9999", "--warn-only"], ["diff", approved, plan],
        ["diff", approved, plan, "--format", "md"], ["doctor"], ["doctor", "--json"], ["completion", "bash"],
        ["show", approved, "--format", "md"], ["--help"], ["diff", "--help"],
    ]  # fmt: skip
    bare = files.folder / "bare"
    bare.mkdir()
    bare.chmod(0o555)
    for arguments in tried:
        ran = offline(*arguments, cwd=bare)
        assert ran.returncode == 0, (arguments, ran.stderr)
        assert b"\x1b" not in ran.stdout + ran.stderr
        ran.stdout.decode("utf-8")
    assert list(bare.iterdir()) == []
    assert json.loads(Path(approved).read_text())["approval"]["by"] == "Zoë"


def test_ten_thousand_lines_into_head(files, given):
    plan = str(files.folder / "plan.json")
    assert offline("plan", *given, "--out", plan, cwd=files.folder).returncode == 0
    document = json.loads(Path(plan).read_text())
    service = document["mix"][0]
    document["mix"] = [{**service, "workload": f"job-{number}"} for number in range(10_000)]
    files.text("large.json", json.dumps(document))
    pipe = f"{sys.executable} -m app.cli diff plan.json large.json --format json | head -n 3; echo ${{PIPESTATUS[0]}}"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(["bash", "-c", pipe], capture_output=True, check=False, env=env, cwd=files.folder, text=True)
    assert ran.stdout.splitlines() == ["{", '  "currency": "USD",', '  "differs": true,', "0"]
    assert ran.stderr == ""


@pytest.mark.parametrize("command", ["approve", "completion", "diff", "doctor", "plan"])
def test_help_of_every_command_here_imports_nothing_heavy(files, command):
    code = (
        "import sys; from app.cli import main; main(sys.argv[1:]); "
        "print(' '.join({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-c", code, command, "--help"], capture_output=True, check=True, env=env)
    found = set(ran.stderr.decode().split())
    assert "click" in found
    assert found & {"polars", "scipy", "numpy", "msgspec", "textual"} == set()


# Exit codes, each by its documented cause; 3 and 4 in every way are in test_gates.py and test_diff.py.


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (0, []),
        (2, ["--limit", "nonsense"]),
        (3, ["--fail-over", "1"]),
        (4, ["--against", "old.json", "--detailed-exitcode", "--limit", "term<=9y"]),
        (5, ["--limit", "provider.od<=10%", "--limit", "provider.r<=10%"]),
        (6, ["--commitments", "gone.csv"]),
    ],
)
def test_exit_codes_of_a_true_process(files, given, code, arguments):
    if code == 4:
        assert offline("plan", *given, "--out", "old.json", cwd=files.folder).returncode == 0
    ran = offline("plan", *given, *arguments, "--out", "plan.json", cwd=files.folder)
    assert ran.returncode == code, ran.stderr
    assert (files.folder / "plan.json").exists() == (code in {0, 3, 4})
    assert b"Traceback" not in ran.stderr


def test_exit_code_1_is_a_bug(tranche, given, monkeypatch):
    monkeypatch.setattr("app.gating.judged", lambda *_: 1 / 0)
    ran = tranche("plan", *given)
    assert (ran.code, ran.out) == (1, "")
    assert "this is a bug of tranche" in ran.err


def test_exit_code_7_is_a_bill_that_does_not_add_up(tranche, tmp_path):
    """A report whose row of the reservation's fee is filtered out, while its hours stand in it at their cost."""
    assert tranche("demo", "--out", str(tmp_path / "bills")).code == 0
    latest = max((tmp_path / "bills" / "aws").rglob("*.parquet"))
    rows = pl.read_parquet(latest)
    kind, whole, part = pl.col("line_item_line_item_type"), tmp_path / "whole.parquet", tmp_path / "part.parquet"
    rows.write_parquet(whole)
    rows.filter(kind != "RIFee").write_parquet(part)
    assert tranche("usage", str(whole)).code == 0
    ran = tranche("usage", str(part))
    assert ran.code == 7
    reserved = rows.filter(kind == "DiscountedUsage")["reservation_effective_cost"].sum()
    assert f"-${reserved:,.2f} of the bill is not in the table" in ran.err


class Interrupting(BaseHTTPRequestHandler):
    """A server that interrupts whoever asks it, and answers nothing until they are gone."""

    asking: subprocess.Popen[str]
    started = Event()

    def do_GET(self):
        assert self.started.wait(60)
        self.asking.send_signal(signal.SIGINT)
        self.asking.wait(60)

    def log_message(self, *_):
        pass


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_exit_code_130_is_an_interrupt(files):
    """The signal comes while the program waits for a live source: it has begun its work, and not ended it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Interrupting)
    Thread(target=server.serve_forever, daemon=True).start()
    source = f"opencost+http://127.0.0.1:{server.server_port}"
    # A shell that starts a job in the background has it ignore interrupts, which children inherit.
    code = (
        "import signal, sys; from app.cli import main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    asking = subprocess.Popen(
        [sys.executable, "-c", code, "usage", source, "--now", "2026-11-21"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"},
    )
    Interrupting.asking = asking
    Interrupting.started.set()
    out, err = asking.communicate(timeout=120)
    server.shutdown()
    server.server_close()
    assert (asking.returncode, out) == (130, "")
    assert err.strip() == "tranche: error: interrupted"
