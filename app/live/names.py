"""Addresses of live sources: which they are, what to call them, and how their credentials stay out of every text."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import unquote, unquote_plus

from app.reports.text import plain
from providers.charges import LIVE
from providers.fetching import FETCHERS

_LONGEST = 400  # characters of one line
_SHORTEST = 3  # shorter ones stand in any text by chance
_CUT = "…"
_WHERE = re.compile(
    r"^(https?://\S+|(opencost|prometheus)\.json): "
)  # whose problem it is stands before the text already


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A live source.

    given: as configured, credentials and all; it goes to the source and nowhere else. kind: opencost or prometheus.
    place: host, port and path. sound: whether its credentials end where its host begins.
    """

    given: str = field(repr=False)
    kind: str
    place: str
    secrets: tuple[str, ...] = field(repr=False)
    sound: bool

    @property
    def name(self) -> str:
        """Its name on screen, without credentials."""
        return f"{self.kind} {self.place}"

    def told(self, text: str) -> str:
        """Return a text about it on one line that steers no terminal and holds no credentials."""
        text = _WHERE.sub("", text, count=1)
        for secret in self.secrets:
            text = _without(secret, text)
        return one_line(text)


def _without(secret: str, text: str) -> str:
    """Return a text without a secret, and without its first part where what a server said was cut within it."""
    text = text.replace(secret, _CUT)
    ends = (f"{secret[:length]})" for length in range(len(secret) - 1, _SHORTEST, -1))
    end = next((end for end in ends if end in text), None)
    return text.replace(end, f"{_CUT})") if end else text


def is_live(source: str) -> bool:
    """Return whether a source is a live cluster, by the addresses that providers ask."""
    scheme = source.partition(":")[0]
    return scheme in FETCHERS and scheme.partition("+")[0] in LIVE


def address(given: str) -> Address:
    """Take an address apart, as carefully as one has to that may be written wrongly."""
    scheme, _, rest = given.partition(":")
    kind = scheme.partition("+")[0]
    credentials, _, where = rest.removeprefix("//").rpartition("@")
    host, *further = re.split(r"[?#]", where, maxsplit=1)
    return Address(
        given=given,
        kind=kind,
        place=one_line(host.rstrip("/")),
        secrets=_secrets(credentials, further[0] if further else "", os.environ.get(f"{kind.upper()}_TOKEN", "")),
        sound=not re.search(r"[/?#]", credentials),
    )


def one_line(text: str) -> str:
    """Return a text on one line, not too long, without anything that could steer a terminal."""
    line = " ".join(plain(" ".join(text.split())).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}{_CUT}"


def _secrets(credentials: str, query: str, token: str) -> tuple[str, ...]:
    """Return what no text may hold, as it may be spelt, longest first."""
    parts = [credentials, *credentials.split(":", 1), *credentials.split(":")]
    pair = ":".join(map(unquote, credentials.split(":", 1)))
    spelt = [*parts, *map(unquote, parts), pair, b64encode(pair.encode("utf-8", "replace")).decode()]
    values = [part.partition("=")[2] for part in re.split(r"[&;#]", query)]
    found = [*spelt, query, *values, *map(unquote, values), *map(unquote_plus, values), token.strip()]
    every = {form for secret in found for form in (secret, " ".join(secret.split()))}
    return tuple(sorted((one for one in every if len(one) >= _SHORTEST), key=lambda one: (-len(one), one)))
