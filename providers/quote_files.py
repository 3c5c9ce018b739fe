"""A TOML file of quotes -> offers, in the words that a typed quote has: there is one grammar.

[[quote]]
provider = "coreweave"
gpu = "H100-SXM-80GB"
price = "29.52/node-h"
node = 8
gpus = "64..128"
term = "12mo"
note = "by phone, 2026-11-20"
"""

import hashlib
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from providers.files import Source
from providers.quotes import QuoteError, offers_from
from providers.tables import InputError

ENDING = ".toml"
NEEDED = ("provider", "gpu", "price")
WORDS = {
    "gpus": "{}gpus", "lot": "lot{}", "node": "{}/node", "term": "{}", "prepaid": "{} prepaid", "start": "from {}",
    "end": "until {}", "valid_until": "valid until {}", "ramp": "ramp {}", "overage": "overage {}", "burst": "burst {}",
    "support": "support {}", "storage": "storage {}", "egress": "egress {}", "salvage": "salvage {}",
    "price_protection": "price protection {}", "tiers": "tiers {}", "exit": "exit after {}", "discount": "{} off",
    "exclusive": "exclusive={}", "region": "region={}", "name": "name={}", "option": "{}",
}  # fmt: skip
"""How each key is said in a typed quote."""
APART = ("status", "note")
"""Keys that a typed quote has no words for."""


def read(path: str) -> Source:
    """Read the quotes of a file.

    Raises:
        InputError: it is no TOML, or one of its quotes cannot be read.
    """
    where = Path(path).name
    try:
        content = Path(path).read_bytes()
        said = tomllib.loads(content.decode())
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", "check the path") from None
    except ValueError as error:
        raise InputError(where, f"is no TOML ({error})", "correct the line") from None
    quotes = said.get("quote")
    if not isinstance(quotes, list) or not quotes or set(said) != {"quote"}:
        raise InputError(where, "is no list of quotes", "write each under a line [[quote]], and nothing else")
    texts = [_typed(quote, f"{where}: quote {place}") for place, quote in enumerate(quotes, 1)]
    apart = [{name: quote[name] for name in APART if name in quote} | {"source": where} for quote in quotes]
    try:
        frame = offers_from(texts, apart)
    except QuoteError as error:
        problem, _, remedy = str(error).rpartition("; ")
        raise InputError(where, problem or str(error), remedy or "correct the quote") from None
    return Source(path=where, sha256=hashlib.sha256(content).hexdigest(), frame=frame)


def _typed(quote: Any, where: str) -> str:  # noqa: ANN401 - TOML
    """Return a quote as it would be typed."""
    if not isinstance(quote, dict):
        raise InputError(where, "is no table", "write it under a line [[quote]]")
    for name in (*NEEDED, *quote):
        if name not in quote:
            raise InputError(where, f"has no {name}", f"a quote needs {', '.join(NEEDED)}")
        if name not in (*NEEDED, *WORDS, *APART):
            close = get_close_matches(name, [*NEEDED, *WORDS, *APART], n=1)
            remedy = f"did you mean {close[0]}?" if close else f"known are {', '.join((*NEEDED, *WORDS, *APART))}"
            raise InputError(where, f"has no key {name!r}", remedy)
        if isinstance(quote[name], dict | list | bool) or "," in str(quote[name]) * (name not in APART):
            raise InputError(where, f"{name} is not one value", f"write a text or a number without commas for {name}")
    terms = [words.format(quote[name]) for name, words in WORDS.items() if name in quote]
    return ",".join([f"{quote['provider']}:{quote['gpu']}={quote['price']}", *terms])
