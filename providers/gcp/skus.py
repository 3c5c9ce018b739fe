"""What Google's SKU descriptions say: which GPU, whether core or memory, spot, reserved, or a commitment's fee."""

import re
from collections.abc import Mapping

import polars as pl

from providers.streaming import by_distinct

SKU = pl.Struct(
    {
        "names_fee": pl.Boolean(),  # of a commitment
        "names_gpu": pl.Boolean(),
        "sku_gpu": pl.String(),  # canonical; null where it names none that is known
        "sku_class": pl.String(),  # what a resource commitment and the usage that it covers share: the GPU, core or ram
        "sells_spot": pl.Boolean(),
        "sells_block": pl.Boolean(),  # capacity that was booked for some days
    }
)
_GPUS = (  # most telling first; names as in Google's price list
    (r"h100 80gb (?:mega|plus)|h100 mega", "H100-SXM-80GB"),
    (r"h100", "H100-SXM-80GB"),
    (r"h200", "H200-141GB"),
    (r"gb200", "GB200-186GB"),
    (r"gb300", "GB300-270GB"),
    (r"b200", "B200-180GB"),
    (r"b300", "B300-270GB"),
    (r"a100 80gb", "A100-80GB"),
    (r"a100", "A100-40GB"),
    (r"\bl4\b", "L4-24GB"),
    (r"\bt4\b", "T4-16GB"),
    (r"v100", "V100-16GB"),
    (r"p100", "P100-16GB"),
)
_CLASSES = ((r"\bcore\b|\bcpu\b", "core"), (r"\bram\b|\bmemory\b", "ram"))
_GPU_WORDS = r"nvidia|\bgpu\b|gpu slice|rtx 6000|\btpu\b"
_FEES = r"^commitment|commitment fee|^fee sku|cud fee|committed use discount.*fee"


def said(description: pl.Expr) -> pl.Expr:
    """Return the fields of `SKU` for descriptions; all are null where there is none."""
    return by_distinct(description, sku_of, SKU)


def sku_of(description: str) -> Mapping[str, object]:
    """Return what one description says.

    >>> sku_of("Nvidia H100 80GB GPU attached to Spot Preemptible VMs")["sku_gpu"]
    'H100-SXM-80GB'
    """
    text = description.lower()
    gpu = next((model for pattern, model in _GPUS if re.search(pattern, text)), None)
    return {
        "names_fee": bool(re.search(_FEES, text)),
        "names_gpu": bool(re.search(_GPU_WORDS, text)),
        "sku_gpu": gpu,
        "sku_class": gpu or next((name for pattern, name in _CLASSES if re.search(pattern, text)), None),
        "sells_spot": bool(re.search("spot|preemptible", text)),
        "sells_block": bool(re.search(r"calendar|\bdws\b|future reservation", text)),
    }
