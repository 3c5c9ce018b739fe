"""Lines of a shell and blocks of Terraform that say what a purchase is, with nothing in them that is looked up."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

from app.reports.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable


class Bare(str):
    """A number of Terraform, which has no quotes."""

    __slots__ = ()


def bare(text: str) -> str:
    """Return a whole number without quotes, and anything else as it is."""
    return Bare(text) if text.isdigit() else text


def block(head: str, terms: dict[str, str], more: Iterable[str] = ()) -> list[str]:
    """Return the lines of a block of Terraform: its terms, and lines that stand in it as they are."""
    lines = [f"  {name} = {value if isinstance(value, Bare) else _quoted(value)}" for name, value in terms.items()]
    return [f"{head} {{", *lines, *(f"  {line}" for line in more), "}"]


def _quoted(text: str) -> str:
    """Write a string of Terraform, in which nothing is looked up."""
    return json.dumps(plain(text)).replace("${", "$${").replace("%{", "%%{")


def shell(*words: str) -> str:
    """Return the words as a line of a shell, each of them one word there too."""
    return " ".join(shlex.quote(plain(word)) for word in words)


def name_of(offer: str) -> str:
    """Return a name of letters, digits and underscores."""
    name = re.sub(r"[^a-z0-9]+", "_", offer.lower()).strip("_")
    return name if name[:1].isalpha() else f"order_{name}".rstrip("_")
