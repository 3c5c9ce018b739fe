"""What holds for the whole package: keys explain themselves, and opening it is cheap."""

import subprocess
import sys

import pytest
from textual.binding import Binding

from app.tui.app import TrancheApp
from app.tui.screens.plan import PlanScreen
from app.tui.screens.text import TextScreen
from app.tui.widgets.costs import Costs
from app.tui.widgets.price_input import PriceInput
from app.tui.widgets.save_input import SaveInput
from app.tui.widgets.table import FittedTable

OWNERS = (TrancheApp, PlanScreen, TextScreen, FittedTable, Costs, PriceInput, SaveInput)
BINDINGS = [binding for owner in OWNERS for binding in owner.__dict__["BINDINGS"]]


@pytest.mark.parametrize("binding", BINDINGS, ids=lambda binding: binding.action)
def test_every_key_has_a_name_a_description_and_a_tooltip(binding: Binding) -> None:
    assert binding.id
    assert binding.description
    assert binding.tooltip


def test_no_two_keys_share_a_name() -> None:
    names = [binding.id for binding in BINDINGS]
    assert len(names) == len(set(names))


def test_opening_loads_nothing_heavy() -> None:
    heavy = "polars numpy scipy optimizer providers boto3 google azure"
    code = f"import sys, app.tui.app; print(*[name for name in {heavy.split()} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
