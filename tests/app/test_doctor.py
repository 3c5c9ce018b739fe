"""`tranche doctor`: what there is, by name, and never a secret, a network or a home that is needed."""

import json
import os
from datetime import date

import polars as pl
import pytest

from app.installation import LIBRARIES, VARIABLES
from providers.feeds import FEEDS
from providers.store import Workspace

SECRET = "s3cr3t-value"  # noqa: S105


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """Leave no credentials in the environment or at home."""
    for name in {name for names in VARIABLES.values() for name in names}:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def checks(tranche, *arguments):
    ran = tranche("doctor", "--json", "--now", "2026-11-21", *arguments)
    assert (ran.code, ran.err) == (0, "")
    return {check["name"]: check for check in ran.json["checks"]}


def test_versions_are_those_installed(tranche, files):
    found = tranche("doctor", "--json").json["versions"]
    assert found["polars"] == pl.__version__
    assert set(found) == {"tranche", "python", "platform", *LIBRARIES}
    assert f"polars {pl.__version__}" in tranche("doctor").out


def test_nothing_is_found_where_nothing_is(tranche, files, alone):
    found = checks(tranche, "--workspace", "nowhere")
    assert found["settings"]["state"] == "missing"
    assert found["workspace"]["state"] == "missing"
    assert {check["found"] for name, check in found.items() if name.startswith("credentials")} == {"none"}


def test_credentials_are_named_and_never_shown(tranche, files, alone, monkeypatch, tmp_path):
    for names in VARIABLES.values():
        monkeypatch.setenv(names[-1], SECRET)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(SECRET)
    found = checks(tranche)
    for provider, names in VARIABLES.items():
        check = found[f"credentials of {provider}"]
        assert check["state"] == "ok"
        assert names[-1] in check["found"]
    assert "~/.aws/credentials" in found["credentials of aws"]["found"]
    for ran in (tranche("doctor"), tranche("doctor", "--json")):
        assert SECRET not in ran.out + ran.err


def test_every_key_that_a_feed_needs_is_looked_for():
    known = {name for names in VARIABLES.values() for name in names}
    needed = {word for feed in FEEDS.values() for word in feed.needs.replace(",", " ").split() if word.isupper()}
    assert {word for word in needed if "_" in word} <= known


def test_an_empty_variable_is_no_credential(tranche, files, alone, monkeypatch):
    monkeypatch.setenv("LAMBDA_API_KEY", " ")
    assert checks(tranche)["credentials of lambda"]["state"] == "missing"


def test_the_age_of_fetched_prices(tranche, files, workspace):
    store = Workspace(workspace)
    for feed, day in (("vast", date(2026, 11, 20)), ("runpod", date(2026, 9, 1)), ("runpod", date(2026, 8, 1))):
        store.write("offers", feed, day, pl.DataFrame({"offer_id": ["x"]}))
    found = checks(tranche)
    assert (found["offers of vast"]["found"], found["offers of vast"]["state"]) == ("1 day old", "ok")
    assert (found["offers of runpod"]["found"], found["offers of runpod"]["state"]) == ("81 days old", "warning")


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_a_workspace_that_others_may_enter(tranche, files, workspace):
    workspace.chmod(0o700)
    assert "workspace privacy" not in checks(tranche)
    workspace.chmod(0o755)
    assert checks(tranche)["workspace privacy"]["state"] == "warning"


def test_a_workspace_that_cannot_be_written(tranche, files, workspace, monkeypatch):
    monkeypatch.setattr("os.access", lambda _path, mode: mode != os.W_OK)
    found = checks(tranche)["workspace"]
    assert (found["state"], found["found"]) == ("warning", f"{workspace}: may read")


def test_settings_that_are_found_and_settings_that_are_wrong(tranche, files):
    files.text("tranche.toml", f'[fetch]\nworkspace = "{files.folder}/mine"\n')
    found = checks(tranche)
    assert (found["settings"]["state"], found["settings"]["found"]) == ("ok", "tranche.toml")
    assert f"{files.folder}/mine does not exist" in found["workspace"]["found"]
    files.text("tranche.toml", "[fetch]\nworkshop = 1\n")
    ran = tranche("doctor")
    assert (ran.code, ran.out) == (2, "")


def test_names_command_no_terminal(tranche, files):
    ran = tranche("doctor", "--workspace", "\x1b[31mevil")
    assert "\x1b" not in ran.out
    assert json.loads(tranche("doctor", "--json", "--workspace", "\x1b[31mevil").out)
