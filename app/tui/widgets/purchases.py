"""What the plan buys, and what is owned already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from app.tui import words
from app.tui.widgets.columns import Column, Row
from app.tui.widgets.table import FittedTable

if TYPE_CHECKING:
    from app.filter_values import Value
    from optimizer.plan import Plan, Purchase


def columns(sign: str) -> tuple[Column, ...]:
    """Return the columns, amounts in the currency with that sign."""
    return (
        Column(title="Commitment", left=True, least=20),
        Column(title="", left=True, name="have"),
        Column(title="GPU", left=True, rank=4),
        Column(title="GPUs"),
        Column(title="Price", unit=f"{sign}/GPU-h"),
        Column(title="Term", rank=3),
        Column(title="Used", unit="of hours"),
        Column(title="Break-even", unit="of hours", rank=1),
        Column(title="Upfront", unit=sign, rank=5),
        Column(title="Cost", unit=sign, rank=2),
    )


class Purchases(FittedTable):
    """Purchases first, then the commitments that run already."""

    def __init__(self) -> None:
        super().__init__(columns("$"), id="purchases")
        self._purchases: dict[str, Purchase] = {}

    def show(self, plan: Plan, currency: str) -> None:
        """Show the commitments of a plan, what costs most first."""
        self._columns = columns(words.sign(currency).strip())
        held = [*sorted(plan.purchases, key=lambda purchase: -purchase.cost), *plan.commitments]
        self._purchases = {str(index): purchase for index, purchase in enumerate(held)}
        rows = self._purchases.items()
        self.fill([Row(key=key, cells=_cells(each, currency), values=_values(each)) for key, each in rows])

    @property
    def purchase(self) -> Purchase | None:
        """The purchase under the cursor."""
        return self._purchases.get(self.key or "")


def _cells(purchase: Purchase, currency: str) -> tuple[Text, ...]:
    tariff, bought = purchase.tariff, purchase.tariff.owned is None
    return (
        Text(words.name(tariff.offer_id), style="bold" if bought else ""),
        Text("buy" if bought else "owned", style="bold" if bought else "dim"),
        Text(words.name(tariff.gpu_model)),
        Text(words.count(purchase.gpus), style="bold" if bought else ""),
        Text(words.price(tariff).replace(" ", "")),
        Text(words.term(tariff.term_months)),
        Text(words.share(purchase.utilization)),
        Text(words.share(purchase.break_even_utilization)),
        Text(words.money(purchase.upfront, currency) if purchase.upfront else ""),
        Text(words.money(purchase.cost, currency)),
    )


def _values(purchase: Purchase) -> tuple[Value, ...]:
    tariff = purchase.tariff
    return (
        words.name(tariff.offer_id),
        "buy" if tariff.owned is None else "owned",
        words.name(tariff.gpu_model),
        purchase.gpus,
        tariff.stated_holding + tariff.stated_usage,
        tariff.term_months,
        purchase.utilization,
        purchase.break_even_utilization,
        purchase.upfront,
        purchase.cost,
    )
