"""The colours of the theme for what is drawn with Rich; a word or a sign always says the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Ink:
    """Rich styles: good, counter and bad news, what somebody typed, and what matters less."""

    good: str
    warn: str
    bad: str
    typed: str
    dim: str = "dim"

    @classmethod
    def of(cls, theme: Mapping[str, str]) -> Ink:
        """Take them from the variables of a theme."""
        names = {"good": "text-success", "warn": "text-warning", "bad": "text-error", "typed": "text-accent"}
        return cls(**{part: theme[name].removeprefix("ansi_") for part, name in names.items()})

    def verdict(self, verdict: str) -> str:
        """Return the style of a verdict."""
        return {"accept": self.good, "counter": self.warn}.get(verdict, self.bad)
