"""GPU names in the tables as their sources write them -> the canonical names that a plan compares."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files

import polars as pl

from providers.accelerators import canonical, did_you_mean, is_ambiguous
from providers.tables import Diagnostic

ANY = "any"  # what a commitment that all GPUs can use names
NAMED = 8  # names that a message lists before it only counts


def canonical_models(frame: pl.DataFrame, *, where: str) -> tuple[pl.DataFrame, list[Diagnostic]]:
    """Replace each GPU model by its canonical name; one warning lists the names that have none and stay as written."""
    written = frame["gpu_model"].drop_nulls().unique().sort().to_list()
    names, found = resolved(written, where=where)
    changed = {old: new for old, new in names.items() if old != new}
    return frame.with_columns(pl.col("gpu_model").replace(changed)), found


def resolved(written: Iterable[str], *, where: str) -> tuple[dict[str, str], list[Diagnostic]]:
    """Return the name to use for each name written, and at most one warning about those that stay as they are."""
    names = {name: canonical(name) for name in written}
    left = [name for name, model in names.items() if model is None and name != ANY]
    return {name: model or name for name, model in names.items()}, [_unknown(left, where)] if left else []


def may_mean(spelling: str) -> list[str]:
    """Return the canonical names that an ambiguous spelling may stand for.

    >>> may_mean("h100")
    ['H100-NVL-94GB', 'H100-PCIE-80GB', 'H100-SXM-80GB']
    """
    words = re.split(r"[^a-z0-9]+", spelling.casefold())
    return [model for model in _models() if model.casefold().split("-")[0] in words]


def remedy(name: str) -> str:
    """Say what to write instead of a name that stands for no known GPU."""
    if is_ambiguous(name):
        options = " or ".join(may_mean(name))
        return f"{name} is ambiguous: name the memory and form" + (f", {options}" if options else "")
    close = did_you_mean(name)
    return f"did you mean {close} by {name}?" if close else ""


@cache
def _models() -> tuple[str, ...]:
    table = pl.read_csv(files("data").joinpath("accelerators.csv").read_bytes(), infer_schema=False)
    return tuple(table["gpu_model"].sort())


def few(names: Sequence[str], most: int = NAMED) -> str:
    """Return names in a row; of many, the first and how many more there are.

    >>> few(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _unknown(names: list[str], where: str) -> Diagnostic:
    hints = [hint for name in names[:NAMED] if (hint := remedy(name))]
    return Diagnostic(
        level="warning",
        code="unknown-gpu-model",
        message=f"GPU models used as written, because the accelerator table does not know them: {few(names)}",
        hint="; ".join(hints),
        where=where,
    )
