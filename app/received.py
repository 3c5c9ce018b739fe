"""What was offered: every quote as it was first and as it stands, and what each edit made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    import polars as pl

    from app.edits import Edit
    from app.session import Session

    Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One edit that was made; before, after: the row of the quote that it names or adds, None where there is none."""

    edit: Edit
    typed: datetime | None
    before: Row | None
    after: Row | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One quote; first, last: its rows as it was first and as it stands. rounds: how many terms it has had."""

    first: Row
    last: Row
    rounds: int


def turn_of(edit: Edit, typed: datetime | None, before: pl.DataFrame, after: pl.DataFrame) -> Turn:
    """Return an edit with what it made of the offers."""
    name = edit.offer or _added(before, after)
    return Turn(edit=edit, typed=typed, before=_row(before, name), after=_row(after, name))


def received(session: Session) -> list[Received]:
    """Return every quote of a session by its name, those that were declined included."""
    import polars as pl

    last = session.inputs.offers.filter(pl.col("status") != "list").sort("offer_id").to_dicts()
    return [_received(row, [turn for turn in session.turns if _names(turn, row)]) for row in last]


def usd_per_gpu_hour(row: Row) -> float | None:
    """Return the price of a GPU-hour that is held and used, $; None for a commitment to spend, which has none."""
    from providers.tables import SPEND

    if row["purchase_option"] in SPEND:
        return None
    return float(row["holding_usd_per_gpu_hour"] + row["usage_usd_per_gpu_hour"])


def gpus(row: Row) -> float | None:
    """Return the GPUs that a quote is for; None where it names no one number of them."""
    most = row["max_gpus"]
    return most if most is not None and most in {row["min_gpus"], row["lot_gpus"]} else None


def _added(before: pl.DataFrame, after: pl.DataFrame) -> str:
    if before.height == after.height:
        return ""
    return str(after.join(before, on="offer_id", how="anti")["offer_id"].item())


def _received(last: Row, turns: Iterable[Turn]) -> Received:
    rows = [row for turn in turns for row in (turn.before, turn.after) if row is not None]
    countered = sum(turn.edit.verb == "counter" for turn in turns)
    return Received(first=rows[0] if rows else last, last=last, rounds=1 + countered)


def _names(turn: Turn, row: Row) -> bool:
    return turn.after is not None and turn.after["offer_id"] == row["offer_id"]


def _row(offers: pl.DataFrame, name: str) -> Row | None:
    import polars as pl

    found = offers.filter(pl.col("offer_id") == name)
    return found.row(0, named=True) if name and found.height else None
