"""Policy: how much of the demand, the cash and the future a plan may put into one thing."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

SHARES = ("spot", "spot.each", "committed")
UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}
FORMS = "spot<=40%, spot.each<=10%, committed<=70%, provider.aws<=50%, upfront<=2M or term<=12mo"


class LimitError(ValueError):
    """A limit that cannot be read: which, and what a limit looks like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps on a plan; infinity where there is none.

    spot, providers: share of the demanded GPU-hours that spot, or one provider, may serve.
    each: the same for any one spot pool: one offer of it, at whatever price and time.
    committed: GPU-hours held under commitments, old and new, used or not, per GPU-hour demanded.
    upfront_usd: cash paid at the start for what the plan buys.
    term_months: the longest commitment the plan may buy.
    """

    spot: float = math.inf
    each: float = math.inf
    committed: float = math.inf
    upfront_usd: float = math.inf
    term_months: float = math.inf
    providers: dict[str, float] = field(default_factory=dict)

    def described(self) -> dict[str, str]:
        """Return each limit that is set as the text that would set it."""
        shares = {"spot": self.spot, "spot.each": self.each, "committed": self.committed}
        shares |= {f"provider.{name}": share for name, share in sorted(self.providers.items())}
        texts = {name: f"{share * 100:.10g}%" for name, share in shares.items() if math.isfinite(share)}
        if math.isfinite(self.upfront_usd):
            texts["upfront"] = f"{self.upfront_usd:.10g}"
        if math.isfinite(self.term_months):
            texts["term"] = f"{self.term_months:.10g}mo"
        return texts


def parse(texts: Iterable[str]) -> Limits:
    """Read limits such as `spot<=40%`; of two for the same thing the later holds.

    Raises:
        LimitError: an unknown name, or a value that is not a share, an amount or a term.
    """
    values: dict[str, float] = {}
    for text in texts:
        match = re.fullmatch(r"\s*([a-z_]+(?:\.\S+?)?)\s*<=?\s*(\S+)\s*", text, re.IGNORECASE)
        if match is None:
            raise LimitError(f"limit {text!r} cannot be read; write {FORMS}")
        name = match[1] if match[1].startswith("provider.") else match[1].lower()
        values[name] = _value(name, match[2], text)
    capped = [name for name in values if name.startswith("provider.")]
    providers = {name.removeprefix("provider."): values[name] for name in capped}
    return Limits(
        spot=values.get("spot", math.inf),
        each=values.get("spot.each", math.inf),
        committed=values.get("committed", math.inf),
        upfront_usd=values.get("upfront", math.inf),
        term_months=values.get("term", math.inf),
        providers=providers,
    )


def _value(name: str, value: str, text: str) -> float:
    readers = {"upfront": _amount, "term": _months} | dict.fromkeys(SHARES, _share)
    reader = _share if name.startswith("provider.") else readers.get(name)
    if reader is None:
        raise LimitError(f"limit {text!r} names no known quantity; write {FORMS}")
    number = reader(value)
    if number is None:
        raise LimitError(f"limit {text!r} has a value that cannot be read; write {FORMS}")
    return number


def _share(value: str) -> float | None:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", value)
    return float(match[1]) / (100 if match[2] else 1) if match else None


def _amount(value: str) -> float | None:
    match = re.fullmatch(r"\$?(\d+(?:\.\d+)?)([kmb]?)", value.lower().replace(",", "").replace("_", ""))
    return float(match[1]) * UNITS[match[2]] if match else None


def _months(value: str) -> float | None:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(mo|m|y|yr)", value.lower())
    return float(match[1]) * (12 if match[2].startswith("y") else 1) if match else None
