"""Quotes that a person types, such as `crusoe:H100-SXM-80GB=1.85/h,128gpus,12mo` -> offers."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from itertools import chain, repeat
from typing import Any

import polars as pl

from providers.accelerators import canonical, is_ambiguous
from providers.names import remedy
from providers.quote_prices import NUMBER, SPENT, Amount, amount, dollars
from providers.tables import OFFERS, PAY_AS_YOU_GO, PURCHASE_OPTIONS, SPEND, InputError, checked

FORM = "write it as crusoe:H100-SXM-80GB=1.85/h,128gpus,12mo"
TERMS = (
    "128gpus, 32..96gpus, <=64gpus, >=16gpus, lot8, 8/node, 12mo, 25%upfront, from 2027-01-01, until 2028-01-01, "
    "valid until 2026-12-31, ramp 64@1 128@4, overage 2.40/h, burst 64gpus at 2.20/h for 0.10/h, support 10%, "
    "storage 0.05/h, egress 0.09/GB, salvage 0.80/h, price protection, tiers 64@2.20 256@1.95, exit after 6mo, "
    "10% off, exclusive=either-or, region=us, name=my-quote"
)
USAGE_PRICE = "usage_usd_per_gpu_hour"
HEAD = re.compile(r"([^:=,\s]+)\s*:\s*([^=,]+?)\s*=\s*(.+)")
PRICES = (
    "overage_usd_per_gpu_hour",
    "burst_usd_per_gpu_hour",
    "burst_fee_usd_per_gpu_hour",
    "salvage_usd_per_gpu_hour",
)
"""Columns whose price may be said in any unit."""


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
    shown: list[str] = []
    per_gpu = _reader(terms.get("gpus_per_node"), shown, text)
    option = terms.pop("purchase_option", None)
    model = _model(gpu, text)
    prices = _spend(price, option, model, text) or _prices(price, option, per_gpu, text)
    if "tiers" in terms:
        terms["tiers"] = _tiers(terms["tiers"], price, per_gpu)
    return {
        "offer_id": f"{provider}-{model}-quote".casefold().replace(" ", "-"),
        "provider": provider,
        "gpu_model": model,
        **prices,
        "status": "quote",
        "source": "typed",
        **_whole_nodes(_adders(terms, prices, per_gpu, shown), shown),
        "note": "; ".join(shown) or None,
    }


def counter_terms(text: str, *, option: str, node: float | None = None) -> dict[str, Any]:
    """Return what a vendor changes of a quote, as cells of the offers table: price, term, GPUs, and any other term.

    >>> counter_terms("2.10 24mo 128", option="contract") == {
    ...     "holding_usd_per_gpu_hour": 2.1, "term_months": 24.0, "min_gpus": 128.0, "max_gpus": 128.0}
    True

    Args:
        text: a price first, where it changes; a bare number after it are GPUs; terms of several words, such as
            `ramp 64@1 128@4`, stand between commas.
        option: purchase option of the quote: it says whether the price is one of holding or of using.
        node: GPUs of one node of the quote.

    Raises:
        QuoteError: some part of the text cannot be read, or nothing is said.
    """
    first, *rest = (part.strip() for part in re.sub(r"\s*\+\s*", "+", text).split(","))
    price, items = _leading(first)
    terms = _terms([*items, *rest], text)
    if fixed := [name for name in ("offer_id", "purchase_option") if name in terms]:
        raise QuoteError(f"{text!r}: would make another offer of it ({', '.join(fixed)}); quote that one anew")
    shown: list[str] = []
    per_gpu = _reader(terms.get("gpus_per_node", node), shown, text)
    prices = {} if price is None else _countered(price, option, per_gpu, text)
    if "tiers" in terms:
        terms["tiers"] = _tiers(terms["tiers"], price or "", per_gpu)
    if not prices and any(isinstance(terms.get(name), float) for name in ("support", "storage")):
        raise QuoteError(f"{text!r}: a percentage on top needs the price that it is of; write the price first")
    found = {**prices, **_adders(terms, prices, per_gpu, shown)}
    if not found:
        raise QuoteError(f"{text!r} changes nothing; write a price, a term and GPUs, such as 2.10 24mo 128")
    return found


def _leading(text: str) -> tuple[str | None, list[str]]:
    """Return the price that a text begins with, if it does, and its other words as terms; a bare number are GPUs."""
    words = text.split()
    priced = bool(words) and _term(words[0]) is None and _term(text) is None
    price, left = (words[0], words[1:]) if priced else (None, words)
    whole = " ".join(left)
    if not left or _term(whole) is not None:
        return price, [whole] if left else []
    return price, [f"{word}gpus" if re.fullmatch(r"\d+", word) else word for word in left]


def _countered(price: str, option: str, per_gpu: Callable[[str], float], text: str) -> dict[str, Any]:
    """Return the prices that change; of one that is paid in two parts, a single price is that of holding."""
    if option in SPEND:
        raise QuoteError(f"quote {text!r}: a commitment to spend has no price by the hour; decline it, and quote anew")
    if "+" in price and option != "flex":
        raise QuoteError(f"quote {text!r}: only a flex quote has two prices, for holding and for using; write one")
    found = _prices(price, option, per_gpu, text)
    kept = set() if "+" in price else {"holding_usd_per_gpu_hour" if option in PAY_AS_YOU_GO else USAGE_PRICE}
    return {name: value for name, value in found.items() if name not in {*kept, "purchase_option"}}


def offers_from(texts: Iterable[str], more: Iterable[Mapping[str, Any]] = ()) -> pl.DataFrame:
    """Return typed quotes as a checked table of offers; a second quote of the same name gets a number.

    Args:
        texts: the quotes.
        more: for each of them, cells that no words stand for: status, note, source.

    Raises:
        QuoteError: one of them cannot be read, or breaks a rule of the table.
    """
    frames: list[pl.DataFrame] = []
    taken: dict[str, int] = {}
    for text, apart in zip(texts, chain(more, repeat({})), strict=False):
        row = _with(parse_offer(text), dict(apart))
        taken[row["offer_id"]] = taken.get(row["offer_id"], 0) + 1
        if taken[row["offer_id"]] > 1:
            row["offer_id"] += f"-{taken[row['offer_id']]}"
        frames.append(_checked(row, f"quote {text!r}"))
    whole = pl.concat(frames) if frames else pl.DataFrame()
    try:
        return checked(whole, OFFERS, where="the quotes given")
    except InputError as error:
        raise QuoteError(str(error)) from None


def _with(row: dict[str, Any], apart: dict[str, Any]) -> dict[str, Any]:
    notes = [note for note in (apart.pop("note", None), row["note"]) if note]
    return {**row, **apart, "note": "; ".join(notes) or None}


def _checked(row: Mapping[str, Any], where: str) -> pl.DataFrame:
    try:
        return checked(pl.DataFrame([row]), OFFERS, where=where)
    except InputError as error:
        raise QuoteError(str(error).replace(", row 1:", ":")) from None


def _model(gpu: str, text: str) -> str:
    if is_ambiguous(gpu):
        raise QuoteError(f"quote {text!r}: {remedy(gpu)}")
    return canonical(gpu) or gpu


def _reader(node: float | None, shown: list[str], text: str) -> Callable[[str], float]:
    """Return what reads a price per GPU-hour; how it was converted is added to `shown`."""

    def read(price: str) -> float:
        try:
            found: Amount | None = amount(price, node=node)
        except ValueError as error:
            raise QuoteError(f"quote {text!r}: {error}") from None
        if found is None:
            raise QuoteError(
                f"quote {text!r}: {price!r} is not a price; write 1.85/h, 14.80/node-h, or 0.60+1.80/h for holding "
                "and usage"
            )
        shown.extend([found.shown] if found.shown else [])
        return found.usd

    return read


def _prices(price: str, option: str | None, per_gpu: Callable[[str], float], text: str) -> dict[str, Any]:
    """Return holding and usage price; the unit of two prices may be said once, at the end."""
    parts = price.split("+")
    if len(parts) > 2:
        raise QuoteError(f"quote {text!r}: {price!r} is not a price; write 1.85/h, or 0.60+1.80/h")
    unit = "".join(parts[-1].partition("/")[1:])
    first, *second = (per_gpu(part if "/" in part else f"{part}{unit}") for part in parts)
    option = option or ("flex" if second else "contract")
    goes = option in PAY_AS_YOU_GO and not second
    return {
        "purchase_option": option,
        "holding_usd_per_gpu_hour": 0.0 if goes else first,
        "usage_usd_per_gpu_hour": first if goes else sum(second),
    }


def _spend(price: str, option: str | None, model: str, text: str) -> dict[str, Any] | None:
    """Return a commitment to spend, such as `spend 2M` or `pool 500k`; None where the price is one of GPUs.

    It counts what is spent on one GPU model, or on `any`.
    """
    found = SPENT.fullmatch(price)
    if found is None:
        return None
    if option is not None:
        raise QuoteError(f"quote {text!r}: {price!r} is a commitment to spend, and cannot be {option} too; drop one")
    return {
        "purchase_option": "spend_floor" if found[1].lower() == "spend" else "prepaid",
        "holding_usd_per_gpu_hour": 0.0,
        "usage_usd_per_gpu_hour": 0.0,
        "spend_usd": dollars(found),
        "eligible_gpu_models": None if model == "any" else model,
    }


def _tiers(steps: str, price: str, per_gpu: Callable[[str], float]) -> str:
    """Return the prices of all GPUs from so many on per GPU-hour; they share the unit of the price."""
    unit = "".join(price.partition("+")[0].partition("/")[1:])
    read = [step.partition("@") for step in steps.split()]
    return " ".join(f"{gpus}@{per_gpu(each if '/' in each else each + unit):.10g}" for gpus, _, each in read)


def _adders(
    terms: Mapping[str, Any], prices: Mapping[str, Any], per_gpu: Callable[[str], float], shown: list[str]
) -> dict[str, Any]:
    """Return the terms with every price per GPU-hour, and with what comes on top of the price as one amount."""
    said = dict(terms)
    said |= {name: per_gpu(said[name]) for name in PRICES if name in said}
    tops = {name: said.pop(name) for name in ("support", "storage") if name in said}
    base = prices.get("holding_usd_per_gpu_hour") or prices.get(USAGE_PRICE, 0.0)
    amounts = {name: base * top if isinstance(top, float) else per_gpu(top) for name, top in tops.items()}
    if amounts:
        said["adders_usd_per_gpu_hour"] = sum(amounts.values())
        shown.append("on top: " + ", ".join(f"{name} {value:.6g}/h" for name, value in amounts.items()))
    return said


def _whole_nodes(terms: Mapping[str, Any], shown: list[str]) -> dict[str, Any]:
    """Return the terms with a lot of whole nodes: a lot that does not divide them cannot be delivered."""
    lot, node = terms.get("lot_gpus"), terms.get("gpus_per_node")
    if not lot or not node or not (lot % node and node % lot) or lot % 1 or node % 1:
        return dict(terms)
    whole = float(math.lcm(int(lot), int(node)))
    shown.append(f"a lot of {lot:g} is no whole number of nodes of {node:g}: {whole:g} is taken")
    return {**terms, "lot_gpus": whole}


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


def _burst(gpus: str, price: str, fee: str | None) -> dict[str, Any]:
    said = {"burst_gpus": float(gpus), "burst_usd_per_gpu_hour": price}
    return said | ({"burst_fee_usd_per_gpu_hour": fee} if fee else {})


def _months(number: str, unit: str) -> dict[str, Any]:
    return {"term_months": float(number) * (12 if unit.lower().startswith("y") else 1)}


READERS: dict[str, Callable[..., dict[str, Any]]] = {
    rf"({NUMBER})\s*gpus?": lambda count: {"min_gpus": float(count), "max_gpus": float(count)},
    rf"({NUMBER})\s*\.\.\s*({NUMBER})\s*gpus?": lambda low, high: {"min_gpus": float(low), "max_gpus": float(high)},
    rf"<=?\s*({NUMBER})\s*gpus?": lambda high: {"max_gpus": float(high)},
    rf">=?\s*({NUMBER})\s*gpus?": lambda low: {"min_gpus": float(low)},
    rf"lot\s*({NUMBER})": lambda lot: {"lot_gpus": float(lot)},
    rf"({NUMBER})\s*(mo|months?|y|yr|years?)": _months,
    rf"({NUMBER})\s*(?:gpus?)?\s*/\s*node": lambda gpus: {"gpus_per_node": float(gpus)},
    rf"({NUMBER})\s*%\s*(?:upfront|prepaid)": lambda share: {"upfront_share": float(share) / 100},
    rf"({NUMBER})\s*%\s*(?:off|discount)": lambda share: {"discount_share": float(share) / 100},
    rf"exit\s+after\s+({NUMBER})\s*(mo|months?|y|yr|years?)": lambda number, unit: {
        "exit_after_months": _months(number, unit)["term_months"]
    },
    r"tiers?((?:\s+\d+@\S+)+)": lambda steps: {"tiers": " ".join(steps.split())},
    r"exclusive\s*=\s*(\S.*)": lambda name: {"exclusive": name},
    r"from\s+(\S+)": lambda time: {"start": time},
    r"until\s+(\S+)": lambda time: {"end": time},
    r"valid\s+(?:until|to)\s+(\d{4}-\d{2}-\d{2})": lambda day: {"valid_until": day},
    r"ramp((?:\s+\d+@\d+)+)": lambda steps: {"ramp": " ".join(steps.split())},
    r"overage\s+(\S.*)": lambda price: {"overage_usd_per_gpu_hour": price},
    rf"burst\s+({NUMBER})\s*gpus?\s+at\s+(.+?)(?:\s+for\s+(.+))?": _burst,
    rf"(support|storage)\s+({NUMBER})\s*%": lambda what, share: {what.lower(): float(share) / 100},
    r"(support|storage)\s+(\S.*)": lambda what, price: {what.lower(): price},
    rf"egress\s+\$?({NUMBER})\s*/\s*GB": lambda price: {"egress_usd_per_gb": float(price)},
    r"salvage\s+(\S.*)": lambda price: {"salvage_usd_per_gpu_hour": price},
    r"price\s+protection(?:\s+(\S.*))?": lambda words: {"price_protection": words or "yes"},
    r"region\s*=\s*(\S+)": lambda region: {"region": region},
    r"name\s*=\s*(\S.*)": lambda name: {"offer_id": name},
}
