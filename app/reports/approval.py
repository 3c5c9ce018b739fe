"""Who approved a plan, and whether it is still the plan that was approved.

The hash is SHA-256 of the plan's canonical JSON: keys sorted, no spaces, without the approval itself. It finds what was
edited or mixed up after the approval. It is no signature: who may approve is for the rules of the repository to say.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from app.diagnostics import UsageError
from app.reports.planfile import Approval, PlanFile, decode, harmless
from providers.tables import InputError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

KEY = "approval"


class _Approved(msgspec.Struct):
    approval: Approval | None = None


def read(path: Path) -> tuple[PlanFile, Approval]:
    """Read a plan file, which must be a draft or as it was approved.

    Raises:
        InputError: it cannot be read, or is no plan file.
        UsageError: it was changed after it was approved.
    """
    content = content_of(path)
    approval = checked(content, where=path.name)
    return decode(content, where=path.name), approval


def content_of(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(path.name, f"cannot be read ({reason})", "check the path") from None


def checked(content: bytes, *, where: str) -> Approval:
    """Return the approval of a plan file; a file without one is a draft.

    Raises:
        UsageError: the plan is not the one that was approved.
    """
    try:
        approval = msgspec.json.decode(content, type=_Approved).approval or Approval()
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: its approval cannot be read ({error}); {_remedy(where)}") from None
    if approval.status == "draft":
        return approval
    if approval.status != "approved" or approval.sha256 != sha256_of(content):
        by = f"by {approval.by} on {approval.date}"
        raise UsageError(f"{where}: is not the plan that was approved {by}: its hash does not match; {_remedy(where)}")
    return approval


def draft_of(content: bytes, *, where: str) -> PlanFile:
    """Read a plan file as if nobody had approved it, whatever it says of that.

    Raises:
        InputError: it is no plan file.
    """
    try:
        return decode(msgspec.json.encode(_document(content)), where=where)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return decode(content, where=where)


def approved(content: bytes, *, by: str, date: datetime) -> bytes:
    """Return the plan file with the approval in it; everything else stays."""
    document = _document(content)
    approval = Approval(status="approved", by=by, date=f"{date:%Y-%m-%dT%H:%M:%SZ}", sha256=sha256_of(content))
    whole = {**document, KEY: msgspec.to_builtins(approval)}
    return f"{harmless(msgspec.json.format(msgspec.json.encode(whole), indent=2).decode())}\n".encode()


def sha256_of(content: bytes) -> str:
    """Return the hash of what is approved in a plan file."""
    return hashlib.sha256(msgspec.json.encode(_document(content), order="sorted")).hexdigest()


def _document(content: bytes) -> dict[str, Any]:
    document = msgspec.json.decode(content, type=dict[str, Any])
    return {name: value for name, value in document.items() if name != KEY}


def _remedy(where: str) -> str:
    return f"take the file as it was approved, or run tranche approve {where} once somebody has looked at it"
