"""What holds for the whole package: keys explain themselves, and opening it is cheap."""

import subprocess
import sys
from importlib import import_module
from pkgutil import walk_packages

import pytest
from textual.binding import Binding

import app.tui


def owners() -> list[type]:
    """Return every class of the package that has keys of its own."""
    modules = [import_module(found.name) for found in walk_packages(app.tui.__path__, "app.tui.")]
    classes = {kind for module in modules for kind in vars(module).values() if isinstance(kind, type)}
    mine = (kind for kind in classes if kind.__module__.startswith("app.tui") and "BINDINGS" in vars(kind))
    return sorted(mine, key=lambda kind: kind.__qualname__)


BINDINGS = [binding for owner in owners() for binding in vars(owner)["BINDINGS"]]


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
