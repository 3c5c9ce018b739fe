"""What of each commitment is paid for and not used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from app.tui import words
from app.tui.widgets.bars import bar
from app.tui.widgets.columns import Column, Row
from app.tui.widgets.outcomes import plain
from app.tui.widgets.table import FittedTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.tui.risks import Idle

BAR = 10


def columns(sign: str) -> tuple[Column, ...]:
    """Return the columns, amounts in the currency with that sign."""
    return (
        Column(title="Commitment", left=True, least=16),
        Column(title="", left=True, rank=4, name="state"),
        Column(title="GPUs", rank=3),
        Column(title="Paid", unit=f"{sign}, to hold", rank=2),
        Column(title="Idle", unit="of hours"),
        Column(title="Idle GPU-h", rank=5),
        Column(title="Stranded", unit=sign),
        Column(title="", left=True, rank=6, name="bar"),
    )


class Stranded(FittedTable):
    """Commitments, what is idle most first."""

    def __init__(self) -> None:
        super().__init__(columns("$"), id="stranded")
        self._idle: dict[str, Idle] = {}

    def show(self, idle: Sequence[Idle], currency: str) -> None:
        """Show what is paid for and not used."""
        self._columns = columns(words.sign(currency).strip())
        self._idle = {f"{index} {one.offer_id}": one for index, one in enumerate(idle)}
        top = max((one.stranded for one in idle), default=0.0)
        self.fill([_row(key, one, top) for key, one in self._idle.items()])

    @property
    def idle(self) -> Idle | None:
        """The commitment under the cursor."""
        return self._idle.get(self.key or "")


def _row(key: str, one: Idle, top: float) -> Row:
    share = max(1.0 - one.utilization, 0.0)
    cells = (
        Text(words.name(one.offer_id), style="" if one.owned else "bold"),
        Text("owned" if one.owned else "buy", style="dim" if one.owned else "bold"),
        Text(words.count(one.gpus)),
        Text(plain(one.paid)),
        Text(words.share(share)),
        Text("" if one.gpu_hours is None else words.count(one.gpu_hours)),
        Text(plain(one.stranded), style="bold"),
        Text(bar(one.stranded, top, BAR), style="dim"),
    )
    values = (
        cells[0].plain,
        cells[1].plain,
        one.gpus,
        one.paid,
        share,
        one.gpu_hours,
        one.stranded,
        one.stranded,
    )
    return Row(key=key, cells=cells, values=values)
