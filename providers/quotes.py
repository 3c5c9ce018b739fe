"""Quotes that a person types, such as `crusoe:H100-SXM-80GB=1.85/h,128gpus,12mo` -> offers."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import polars as pl

from providers.accelerators import canonical, is_ambiguous
from providers.names import remedy
from providers.tables import OFFERS, PAY_AS_YOU_GO, PURCHASE_OPTIONS, InputError, checked

FORM = "write it as crusoe:H100-SXM-80GB=1.85/h,128gpus,12mo"
TERMS = (
    "128gpus, 32..96gpus, <=64gpus, >=16gpus, lot8, 12mo, 25%upfront, from 2027-01-01, until 2028-01-01, region=us, "
    "name=my-quote"
)
NUMBER = r"\d+(?:\.\d+)?"
HEAD = re.compile(r"([^:=,\s]+)\s*:\s*([^=,]+?)\s*=\s*(.+)")
PRICE = re.compile(rf"\$?({NUMBER})(?:/h)?(?:\s*\+\s*\$?({NUMBER})(?:/h)?)?", re.IGNORECASE)


class QuoteError(ValueError):
    """A quote that cannot be read: what is wrong with it, and what one looks like."""


def parse_offer(text: str) -> dict[str, Any]:
    """Return the row of the offers table that a typed quote stands for.

    >>> parse_offer("crusoe:H100-SXM-80GB=1.85/h,128gpus,12mo")["offer_id"]
    'crusoe-h100-sxm-80gb-quote'

    Raises:
        QuoteError: some part of the text cannot be read.
    """
    head, *items = (part.strip() for part in text.split(","))
    found = HEAD.fullmatch(head)
    if found is None:
        raise QuoteError(f"quote {text!r} does not name provider, GPU and price; {FORM}")
    provider, gpu, price = found.groups()
    terms = _terms(items, text)
    option = terms.pop("purchase_option", None)
    model = _model(gpu, text)
    return {
        "offer_id": f"{provider}-{model}-quote".casefold().replace(" ", "-"),
        "provider": provider,
        "gpu_model": model,
        **_prices(price, option, text),
        "status": "quote",
        "source": "typed",
        **terms,
    }


def offers_from(texts: Iterable[str]) -> pl.DataFrame:
    """Return typed quotes as a checked table of offers; a second quote of the same name gets a number.

    Raises:
        QuoteError: one of them cannot be read, or breaks a rule of the table.
    """
    frames: list[pl.DataFrame] = []
    taken: dict[str, int] = {}
    for text in texts:
        row = parse_offer(text)
        taken[row["offer_id"]] = taken.get(row["offer_id"], 0) + 1
        if taken[row["offer_id"]] > 1:
            row["offer_id"] += f"-{taken[row['offer_id']]}"
        frames.append(_checked(row, f"quote {text!r}"))
    whole = pl.concat(frames) if frames else pl.DataFrame()
    try:
        return checked(whole, OFFERS, where="the quotes given")
    except InputError as error:
        raise QuoteError(str(error)) from None


def _checked(row: Mapping[str, Any], where: str) -> pl.DataFrame:
    try:
        return checked(pl.DataFrame([row]), OFFERS, where=where)
    except InputError as error:
        raise QuoteError(str(error).replace(", row 1:", ":")) from None


def _model(gpu: str, text: str) -> str:
    if is_ambiguous(gpu):
        raise QuoteError(f"quote {text!r}: {remedy(gpu)}")
    return canonical(gpu) or gpu


def _prices(price: str, option: str | None, text: str) -> dict[str, Any]:
    found = PRICE.fullmatch(price)
    if found is None:
        raise QuoteError(
            f"quote {text!r}: {price!r} is not a price; write 1.85/h, or 0.60+1.80/h for holding and usage"
        )
    first, second = float(found[1]), float(found[2] or 0)
    option = option or ("flex" if found[2] else "contract")
    holding, usage = (0.0, first) if option in PAY_AS_YOU_GO and not found[2] else (first, second)
    return {"purchase_option": option, "holding_usd_per_gpu_hour": holding, "usage_usd_per_gpu_hour": usage}


def _terms(items: Iterable[str], text: str) -> dict[str, Any]:
    terms: dict[str, Any] = {}
    for item in items:
        found = _term(item)
        if found is None:
            raise QuoteError(
                f"quote {text!r}: {item!r} is not a term of a quote; use {TERMS}, or one of "
                f"{', '.join(PURCHASE_OPTIONS)}"
            )
        if terms.keys() & found.keys():
            raise QuoteError(f"quote {text!r}: {item!r} says again what an earlier term said; keep one of the two")
        terms |= found
    return terms


def _term(item: str) -> dict[str, Any] | None:
    if item.lower() in PURCHASE_OPTIONS:
        return {"purchase_option": item.lower()}
    for pattern, meaning in READERS.items():
        if found := re.fullmatch(pattern, item, re.IGNORECASE):
            return meaning(*found.groups())
    return None


def _months(number: str, unit: str) -> dict[str, Any]:
    return {"term_months": float(number) * (12 if unit.lower().startswith("y") else 1)}


READERS: dict[str, Callable[..., dict[str, Any]]] = {
    rf"({NUMBER})\s*gpus?": lambda count: {"min_gpus": float(count), "max_gpus": float(count)},
    rf"({NUMBER})\s*\.\.\s*({NUMBER})\s*gpus?": lambda low, high: {"min_gpus": float(low), "max_gpus": float(high)},
    rf"<=?\s*({NUMBER})\s*gpus?": lambda high: {"max_gpus": float(high)},
    rf">=?\s*({NUMBER})\s*gpus?": lambda low: {"min_gpus": float(low)},
    rf"lot\s*({NUMBER})": lambda lot: {"lot_gpus": float(lot)},
    rf"({NUMBER})\s*(mo|months?|y|yr|years?)": _months,
    rf"({NUMBER})\s*%\s*upfront": lambda share: {"upfront_share": float(share) / 100},
    r"from\s+(\S+)": lambda time: {"start": time},
    r"until\s+(\S+)": lambda time: {"end": time},
    r"region\s*=\s*(\S+)": lambda region: {"region": region},
    r"name\s*=\s*(\S.*)": lambda name: {"offer_id": name},
}
