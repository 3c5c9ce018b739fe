"""The quotes of a session, and the edits that were made, as the plan file says them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.received import gpus, received, usd_per_gpu_hour
from app.reports import planfile as doc
from app.reports.planfile import decimal, number
from app.reports.times import written
from providers.tables import SPEND

if TYPE_CHECKING:
    from app.received import Received, Turn
    from app.session import Session


def offers_received(session: Session) -> list[doc.Received]:
    """Return every quote, as it was first and as it stands."""
    return [_received(quote) for quote in received(session)]


def turns_of(session: Session) -> list[doc.Turn]:
    """Return every edit, oldest first, with what it made of the quote that it names."""
    return [_turn(turn) for turn in session.turns]


def _received(quote: Received) -> doc.Received:
    last = quote.last
    spent = last["purchase_option"] in SPEND
    return doc.Received(
        offer_id=last["offer_id"],
        provider=last["provider"],
        gpu_model=last["gpu_model"],
        purchase_option=last["purchase_option"],
        gpus=number(gpus(last), decimals=6),
        term_months=last["term_months"],
        first_usd_per_gpu_hour=decimal(usd_per_gpu_hour(quote.first)),
        last_usd_per_gpu_hour=decimal(usd_per_gpu_hour(last)),
        spend_usd=decimal(last["spend_usd"]) if spent else None,
        discount=number(last["discount_share"]) if spent else None,
        status=last["status"],
        rounds=quote.rounds,
    )


def _turn(turn: Turn) -> doc.Turn:
    after = turn.after
    return doc.Turn(
        line=str(turn.edit),
        typed=None if turn.typed is None else written(turn.typed),
        offer_id=None if after is None else after["offer_id"],
        usd_per_gpu_hour=None if after is None else decimal(usd_per_gpu_hour(after)),
        status=None if after is None else after["status"],
    )
