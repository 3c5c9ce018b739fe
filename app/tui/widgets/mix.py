"""What carries the demand: GPU-hours and cost by kind of capacity, as stacked bars with their key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from app.tui import words
from app.tui.glyphs import chosen

if TYPE_CHECKING:
    from optimizer.plan import Plan, Service

KINDS = (("bought", "to buy"), ("owned", "owned already"), ("spot", "spot"), ("payg", "on demand"))
NAMES = 10
DIM = Style(dim=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one kind of capacity carries, and costs with its idle hours."""

    gpu_hours: float = 0.0
    cost: float = 0.0


def kind_of(service: Service) -> str:
    """Return the kind of capacity that serves."""
    if service.tariff.held:
        return "bought" if service.tariff.owned is None else "owned"
    return "spot" if service.tariff.spot else "payg"


def shares_of(plan: Plan) -> dict[str, Share]:
    """Add up GPU-hours and cost by kind; a commitment costs what it costs, used or not."""
    gpu_hours = dict.fromkeys((kind for kind, _ in KINDS), 0.0)
    cost = dict.fromkeys(gpu_hours, 0.0)
    for service in plan.mix:
        kind = kind_of(service)
        gpu_hours[kind] += service.gpu_hours
        cost[kind] += 0.0 if service.tariff.held else service.cost
    cost["bought"] = sum(purchase.cost for purchase in plan.purchases)
    cost["owned"] = sum(purchase.cost for purchase in plan.commitments)
    return {kind: Share(gpu_hours=gpu_hours[kind], cost=cost[kind]) for kind in gpu_hours}


def lengths(parts: list[float], width: int) -> list[int]:
    """Divide a width in proportion, without losing a cell or a part above 0."""
    total = sum(parts)
    if total <= 0:
        return [0] * len(parts)
    ends, position = [], 0.0
    for part in parts:
        position += part / total * width
        ends.append(round(position))
    found = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    for index, part in enumerate(parts):
        if part > 0 and not found[index]:
            found[found.index(max(found))] -= 1
            found[index] = 1
    return found


class Mix(Widget):
    """Two bars, and one line a kind where there is room."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"mix--{kind}" for kind, _ in KINDS}

    def __init__(self) -> None:
        super().__init__(id="mix")
        self._shares: dict[str, Share] = {}
        self._total = Share()
        self._currency = "USD"
        self._saving = ""

    def show(self, plan: Plan, currency: str) -> None:
        """Show what carries the demand of a plan, and what the plan saves."""
        self._shares, self._currency = shares_of(plan), currency
        self._total = Share(
            gpu_hours=sum(share.gpu_hours for share in self._shares.values()),
            cost=sum(share.cost for share in self._shares.values()),
        )
        saved, of = plan.summary.savings, plan.summary.on_demand_cost
        self._saving = f"{words.money(saved, currency)} of {words.money(of, currency)} on demand"
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line: the bars, the key, the saving."""
        lines = self._lines() if self._shares else []
        segments = lines[y] if y < len(lines) else []
        background = self.rich_style
        return Strip(Segment.apply_style(segments, background)).adjust_cell_length(self.size.width, background)

    def _lines(self) -> list[list[Segment]]:
        bars = [
            self._bar("GPU-hours", [share.gpu_hours for share in self._shares.values()]),
            self._bar("Cost", [share.cost for share in self._shares.values()]),
        ]
        saving = [Segment("Savings".ljust(NAMES), DIM), Segment(self._saving)]
        if self.size.height < len(KINDS) + 7:
            return [*bars, self._short_key(), saving]
        return [bars[0], [], bars[1], [], self._titles(), *(self._key_line(*kind) for kind in KINDS), [], saving]

    def _style(self, part: str) -> Style:
        return self.get_component_rich_style(f"mix--{part}", partial=True)

    def _bar(self, title: str, parts: list[float]) -> list[Segment]:
        cells = lengths(parts, max(self.size.width - NAMES, 0))
        drawn = [
            Segment(chosen().of(kind) * cell, self._style(kind)) for (kind, _), cell in zip(KINDS, cells, strict=True)
        ]
        return [Segment(title.ljust(NAMES), DIM), *drawn]

    def _short_key(self) -> list[Segment]:
        key: list[Segment] = []
        for kind, title in KINDS:
            part = self._part(self._shares[kind].gpu_hours, self._total.gpu_hours)
            key += [Segment(f"{chosen().of(kind)} ", self._style(kind)), Segment(f"{title} {part}  ")]
        return key

    def _titles(self) -> list[Segment]:
        return [Segment(f"{'':15}{'GPU-hours':>10}{'Cost':>10}{'of cost':>9}", DIM)]

    def _key_line(self, kind: str, title: str) -> list[Segment]:
        share = self._shares[kind]
        hours, part = self._part(share.gpu_hours, self._total.gpu_hours), self._part(share.cost, self._total.cost)
        text = f" {title:<13}{hours:>10}{words.money(share.cost, self._currency):>10}{part:>9}"
        return [Segment(chosen().of(kind), self._style(kind)), Segment(text)]

    @staticmethod
    def _part(part: float, total: float) -> str:
        return words.share(part / total if total else None)
