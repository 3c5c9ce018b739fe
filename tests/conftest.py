"""Settings that every test shares."""

import pytest

import app  # noqa: F401 - its settings for numpy must be in place before numpy is


@pytest.fixture(autouse=True)
def workspace(tmp_path_factory, monkeypatch):
    """Give every test a workspace of its own, so that none sees what somebody fetched on this machine."""
    folder = tmp_path_factory.mktemp("workspace")
    monkeypatch.setenv("TRANCHE_WORKSPACE", str(folder))
    return folder
