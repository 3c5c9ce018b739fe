"""What is changed while somebody negotiates, as lines of text: typed on the screen, kept, and run again."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from app.diagnostics import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    import polars as pl

    from app.session import Session

FORMS: dict[str, str] = {
    "counter": "counter OFFER TERMS, such as: counter my-quote 2.10 24mo 128",
    "quote": "quote SPEC, such as: quote crusoe:H100-SXM-80GB=1.85/h,128gpus,12mo",
    "accept": "accept OFFER, and the number of GPUs where the quote names none",
    "decline": "decline OFFER",
    "reopen": "reopen OFFER",
    "note": "note OFFER TEXT",
    "limit": "limit spot<=60%, or limit spot to take it away",
}
"""How each edit is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One change; offer: what it changes, empty where that is no offer. text: the rest, as it was typed."""

    verb: str
    offer: str = ""
    text: str = ""

    def __str__(self) -> str:
        """Write the line that `read` reads as this edit."""
        return " ".join(part for part in (self.verb, shlex.quote(self.offer) if self.offer else "", self.text) if part)


def read(line: str) -> Edit:
    """Read one line.

    >>> read("counter my-quote 2.10 24mo 128")
    Edit(verb='counter', offer='my-quote', text='2.10 24mo 128')

    Raises:
        UsageError: it begins with no verb, or lacks what the verb needs.
    """
    verb, _, rest = line.strip().partition(" ")
    if verb not in FORMS:
        raise UsageError(f"{verb!r} is no edit; the edits are {', '.join(FORMS)}")
    offer, text = ("", " ".join(rest.split())) if verb in {"quote", "limit"} else _named(rest.strip(), verb)
    lacking = not text if verb in {"quote", "limit", "counter", "note"} else not offer
    if lacking or (text and verb in {"decline", "reopen"}):
        raise UsageError(f"{line.strip()!r} cannot be read; write {FORMS[verb]}")
    return Edit(verb=verb, offer=offer, text=text)


def _named(rest: str, verb: str) -> tuple[str, str]:
    """Split a line into the offer that it begins with, in quotes where its name has spaces, and the rest."""
    for end in (*(found.start() for found in re.finditer(r"\s", rest)), len(rest)):
        try:
            words = shlex.split(rest[:end])
        except ValueError:  # the quotation is not closed yet
            continue
        return (words[0] if words else ""), " ".join(rest[end:].split())
    raise UsageError(f"{verb} {rest!r} has a quotation mark that is not closed; write {FORMS[verb]}")


def applied(session: Session, edit: Edit, typed: datetime | None = None) -> Session:
    """Return the session after an edit, which was typed at some time.

    Raises:
        UsageError, QuoteError, LimitError: it names no quote of the session, or says what cannot be.
    """
    from app.received import turn_of
    from providers.tables import Diagnostic

    after = _VERBS[edit.verb](session, edit)
    hint = "it stands in no file; a session keeps it, or change the file to plan with it again"
    note = Diagnostic(level="note", code="typed-edit", message=f"typed: {edit}", hint=hint)
    turn = turn_of(edit, typed, session.inputs.offers, after.inputs.offers)
    return replace(
        after,
        edits=(*session.edits, edit),
        turns=(*session.turns, turn),
        diagnostics=(*session.diagnostics, note),
    )


def _counter(session: Session, edit: Edit) -> Session:
    from providers.quotes import counter_terms

    row = _quote(session, edit)
    cells = counter_terms(edit.text, option=row["purchase_option"], node=row["gpus_per_node"])
    return _with_cells(session, edit.offer, {**cells, "status": "quote"})


def _new_quote(session: Session, edit: Edit) -> Session:
    import polars as pl

    from providers.quotes import offers_from

    offers, typed = session.inputs.offers, offers_from([edit.text])
    taken, name = set(offers["offer_id"]), str(typed["offer_id"][0])
    free = next(
        each for each in (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3))) if each not in taken
    )
    row = typed.with_columns(offer_id=pl.lit(free))
    joined = pl.concat([offers, row], how="diagonal_relaxed")
    return _with_offers(session, _checked(joined, f"quote {edit.text}"))


def _accept(session: Session, edit: Edit) -> Session:
    row = _quote(session, edit)
    cells: dict[str, Any] = {"status": "accepted"}
    if edit.text:
        gpus = _gpus(edit)
        cells |= {"min_gpus": gpus, "max_gpus": gpus}
    elif row["max_gpus"] is None or row["max_gpus"] not in {row["min_gpus"], row["lot_gpus"]}:
        raise UsageError(f"{edit.offer} names no one number of GPUs; write accept {shlex.quote(edit.offer)} 64")
    return _with_cells(session, edit.offer, cells)


def _gpus(edit: Edit) -> float:
    try:
        gpus = int(edit.text)
    except ValueError:
        gpus = 0
    if gpus <= 0:
        raise UsageError(f"{edit.text!r} is no number of GPUs; write {FORMS['accept']}")
    return float(gpus)


def _decline(session: Session, edit: Edit) -> Session:
    _quote(session, edit)
    return _with_cells(session, edit.offer, {"status": "declined"})


def _reopen(session: Session, edit: Edit) -> Session:
    _quote(session, edit)
    return _with_cells(session, edit.offer, {"status": "quote"})


def _note(session: Session, edit: Edit) -> Session:
    _quote(session, edit)
    return _with_cells(session, edit.offer, {"note": edit.text})


def _limit(session: Session, edit: Edit) -> Session:
    from optimizer.limits import parse

    said = session.inputs.limits.described()
    if "<" not in edit.text:
        if edit.text not in said:
            raise UsageError(f"there is no limit {edit.text!r}; there {_are(list(said))}")
        kept = [f"{name}<={value}" for name, value in said.items() if name != edit.text]
    else:
        kept = [*(f"{name}<={value}" for name, value in said.items()), edit.text]
    return replace(session, inputs=replace(session.inputs, limits=parse(kept)))


def _are(names: list[str]) -> str:
    return f"are {', '.join(names)}" if names else "are none"


_VERBS: Mapping[str, Callable[[Session, Edit], Session]] = {
    "counter": _counter,
    "quote": _new_quote,
    "accept": _accept,
    "decline": _decline,
    "reopen": _reopen,
    "note": _note,
    "limit": _limit,
}


def _quote(session: Session, edit: Edit) -> dict[str, Any]:
    """Return the row of the offer that an edit names, which has to be one that somebody quoted."""
    from difflib import get_close_matches

    import polars as pl

    offers = session.inputs.offers.filter(pl.col("status") != "list")
    names = offers["offer_id"].to_list()
    if edit.offer not in names:
        close = get_close_matches(edit.offer, names, n=1)
        known = f"did you mean {close[0]}?" if close else f"there {_are(names)}"
        raise UsageError(f"there is no quote {edit.offer!r}; {known}")
    return offers.row(names.index(edit.offer), named=True)


def _with_cells(session: Session, offer_id: str, cells: Mapping[str, Any]) -> Session:
    """Return the session with other cells in the row of one offer; they are read as those of a file would be.

    The other rows have been read before, and the row keeps its name: nothing else can be wrong.
    """
    import polars as pl

    offers = session.inputs.offers
    here = pl.col("offer_id") == offer_id
    row = {name: value for name, value in offers.filter(here).row(0, named=True).items() if value is not None}
    changed = _checked(pl.DataFrame([{**row, **cells}]), f"the new terms of {offer_id}")
    return _with_offers(session, pl.concat([offers.filter(~here), changed], how="diagonal_relaxed").sort("offer_id"))


def _with_offers(session: Session, offers: pl.DataFrame) -> Session:
    return replace(session, inputs=replace(session.inputs, offers=offers))


def _checked(offers: pl.DataFrame, where: str) -> pl.DataFrame:
    from providers.tables import OFFERS, InputError, checked

    try:
        return checked(offers, OFFERS, where=where)
    except InputError as error:
        raise UsageError(str(error).replace(", row 1:", ":")) from None
