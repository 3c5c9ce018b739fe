"""What this installation has and finds: versions, settings, the workspace and credentials, by name only."""

from __future__ import annotations

import os
import platform
import stat
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.version import version as own_version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from app.settings import Settings
    from providers.store import Workspace

LIBRARIES = (
    "click", "polars", "scipy", "numpy", "msgspec", "textual", "boto3", "google-auth", "azure-identity", "platformdirs",
)  # fmt: skip
VARIABLES = {
    "aws": ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    "gcp": ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_API_KEY", "GOOGLE_BILLING_ACCOUNT"),
    "azure": ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_BILLING_SCOPE", "AZURE_STORAGE_CONNECTION_STRING"),
    "lambda": ("LAMBDA_API_KEY",),
    "digitalocean": ("DIGITALOCEAN_TOKEN",),
    "hyperstack": ("HYPERSTACK_API_KEY",),
    "shadeform": ("SHADEFORM_API_KEY",),
    "opencost": ("OPENCOST_TOKEN",),
    "prometheus": ("PROMETHEUS_TOKEN",),
}
FILES = {
    "aws": (".aws/credentials", ".aws/config", ".aws/sso/cache"),
    "gcp": (".config/gcloud/application_default_credentials.json",),
    "azure": (".azure/msal_token_cache.json",),
}
OTHERS = stat.S_IRWXG | stat.S_IRWXO
STALE_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at: state is ok, missing or warning; what is found, and what to do about it."""

    name: str
    state: str
    found: str
    remedy: str = ""


def facts(workspace: Workspace, said: Settings | None, *, now: datetime) -> dict[str, Any]:
    """Return everything that `tranche doctor` says, without asking a network."""
    checks = [_settings(said), *_workspace(workspace), *_freshness(workspace, now), *_credentials()]
    return {"versions": _versions(), "checks": checks}


def _versions() -> dict[str, str]:
    found = {"tranche": own_version(), "python": platform.python_version(), "platform": platform.platform()}
    return found | {name: _version(name) for name in LIBRARIES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _settings(said: Settings | None) -> Check:
    if said is None:
        return Check(
            name="settings", state="missing", found="no tranche.toml upward from here", remedy="none is needed"
        )
    return Check(name="settings", state="ok", found=str(said.path))


def _workspace(workspace: Workspace) -> list[Check]:
    folder = workspace.folder
    if not folder.is_dir():
        remedy = "tranche fetch makes it"
        return [Check(name="workspace", state="missing", found=f"{folder} does not exist", remedy=remedy)]
    may = [word for word, mode in (("read", os.R_OK), ("write", os.W_OK)) if os.access(folder, mode)]
    rights = " and ".join(f"may {word}" for word in may) or "may not read"
    state = "ok" if len(may) == 2 else "warning"
    remedy = "" if state == "ok" else "tranche fetch has to write it: change its owner, or name another"
    return [Check(name="workspace", state=state, found=f"{folder}: {rights}", remedy=remedy), *_privacy(folder)]


def _privacy(folder: Path) -> list[Check]:
    """Say where others may look at the workspace: prices in it may be negotiated."""
    mode = stat.S_IMODE(folder.stat().st_mode)
    if os.name != "posix" or not mode & OTHERS:
        return []
    remedy = f"chmod 700 {folder}, since prices may be negotiated"
    return [Check(name="workspace privacy", state="warning", found=f"others may enter it ({mode:o})", remedy=remedy)]


def _freshness(workspace: Workspace, now: datetime) -> list[Check]:
    from providers.store import COMMITMENTS, OFFERS

    return [
        _age(f"{table} of {feed}", (now.date() - day.day).days)
        for table in (OFFERS, COMMITMENTS)
        for feed, day in sorted(workspace.newest(table).items())
    ]


def _age(name: str, days: int) -> Check:
    stale = days > STALE_DAYS
    found = "1 day old" if days == 1 else f"{max(days, 0)} days old"
    return Check(name=name, state="warning" if stale else "ok", found=found, remedy="tranche fetch" if stale else "")


def _credentials() -> list[Check]:
    return [_credential(provider, names, os.environ) for provider, names in VARIABLES.items()]


def _credential(provider: str, names: tuple[str, ...], environment: Mapping[str, str]) -> Check:
    """Name what is there; no value is read but to see that it is not empty."""
    found = [name for name in names if environment.get(name, "").strip()]
    found += [f"~/{name}" for name in FILES.get(provider, ()) if _at_home(name)]
    said = ", ".join(found) or "none"
    return Check(name=f"credentials of {provider}", state="ok" if found else "missing", found=said)


def _at_home(name: str) -> bool:
    try:
        return (Path.home() / name).exists()
    except (RuntimeError, OSError):
        return False
