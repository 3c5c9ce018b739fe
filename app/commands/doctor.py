"""`tranche doctor`: what this installation has and finds, without the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from app.commands import options

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@options.workspace_option
@options.config_option
@options.now_option
@options.voice_options
def command(*, as_json: bool, workspace: str | None, config: str | None, now: str | None) -> None:
    """Say which versions, settings, workspace, prices and credentials there are; of credentials only the names."""
    from app import settings
    from app.installation import facts
    from providers.store import Workspace

    time = options.time_of(now)
    said = settings.find(config)
    named = workspace or (said.fetch.workspace if said else None)
    found = facts(Workspace(named), said, now=time)
    options.emit(_json(found) if as_json else _table(found))


def _json(found: Mapping[str, Any]) -> str:
    import json
    from dataclasses import asdict

    from app.reports.planfile import harmless

    document = {**found, "checks": [asdict(check) for check in found["checks"]]}
    return harmless(json.dumps(document, indent=2, ensure_ascii=False)) + "\n"


def _table(found: Mapping[str, Any]) -> str:
    from app.reports.text import columns, plain

    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    rows = [(check.name, check.state, check.found, check.remedy) for check in found["checks"]]
    lines = columns(("Check", "State", "Found", "What to do"), rows, width=options.terminal_width())
    return "\n".join((plain(versions), "", *lines)) + "\n"
