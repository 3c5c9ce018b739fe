"""A plan, what the gates say of it, and the file that holds it: the command and the screens write the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.commands import options
from app.diagnostics import UsageError, Voice

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from app.gate_rules import Rules
    from app.reports.planfile import PlanFile
    from app.session import Session
    from optimizer.plan import Plan

DOCUMENTS = {".html": "html", ".xlsx": "xlsx"}
ENDINGS = {**options.ENDINGS, **DOCUMENTS}


class TakenError(UsageError):
    """There is a file of that name, and nobody said that it may be overwritten."""


def rules_of(config: str | None, limits: Mapping[str, float] | None = None, *, warn_only: bool = False) -> Rules:
    """Return the gates of the settings, with the limits of the command line in place of theirs.

    Raises:
        UsageError: the settings cannot be read.
    """
    from app import settings

    said = settings.find(config) or settings.Settings()
    return said.gates.with_limits(limits or {}, warn_only=warn_only)


def gated(rules: Rules, session: Session, file: PlanFile, against: PlanFile | None = None) -> PlanFile:
    """Return the plan file with what the gates say.

    Raises:
        UsageError: the plan it is compared with is in another currency.
    """
    import msgspec

    from app.gating import judged
    from app.reports.gates import recorded

    return msgspec.structs.replace(file, gates=recorded(judged(rules, session, file, against)))


def content_of(file: PlanFile, form: str) -> bytes:
    """Return what a file of that form holds: as `tranche plan --out` writes it, or `tranche export` for a document."""
    if form not in DOCUMENTS.values():
        return options.rendered(file, form, width=options.WIDE).encode()
    from app.commands.export import exported
    from app.reports.finance import Terms
    from app.reports.paper import without_walk_away

    return exported(without_walk_away(file), form, Terms(), walk_away=False, focus="1.3")


def save(
    out: str, session: Session, plan: Plan, *, rules: Rules, created: datetime, overwrite: bool
) -> tuple[Path, str]:
    """Write a plan in the form that the ending of `out` asks for; return where, and the worst that a gate says.

    Raises:
        TakenError: the file exists, and is not to be overwritten.
        UsageError: the ending is unknown, or nothing can be written there.
    """
    from app.reports.document import document
    from app.reports.gates import gates_of, outcome_of

    path = _path(out)
    options.check_out(str(path), ENDINGS)
    if path.exists() and not overwrite:
        raise TakenError(f"{path.name}: exists already")
    file = gated(rules, session, document(session, plan, created=created))
    options.write_out(str(path), content_of(file, ENDINGS[path.suffix.lower()]), Voice(quiet=True))
    return path.resolve(), outcome_of(gates_of(file))


def _path(out: str) -> Path:
    """Return the path that was typed; no shell was there to replace its ~."""
    try:
        return Path(out.strip()).expanduser()
    except RuntimeError:
        raise UsageError(f"{out}: names no home directory that is known; type the whole path") from None
