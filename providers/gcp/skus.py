"""What Google's SKU descriptions say: which GPU, whether core or memory, spot, reserved, or a commitment's fee."""

import polars as pl

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
_GPU_WORDS = r"nvidia|\bgpu\b|gpu slice|rtx 6000|\btpu\b"


def is_fee() -> pl.Expr:
    """Return whether a row is the fee of a commitment."""
    named = _text().str.contains(r"^commitment|commitment fee|^fee sku|cud fee|committed use discount.*fee")
    return (named | pl.col("origin").is_not_null() | (pl.col("offset") != 0)).fill_null(value=False)


def is_gpu() -> pl.Expr:
    """Return whether a row prices GPUs in use."""
    return _text().str.contains(_GPU_WORDS).fill_null(value=False) & ~is_fee()


def gpu_model() -> pl.Expr:
    """Return the GPU that a description names; null where it names none that is known."""
    chosen = pl.when(False).then(pl.lit(""))  # noqa: FBT003 - the seed of a chain
    for pattern, model in _GPUS:
        chosen = chosen.when(_text().str.contains(pattern)).then(pl.lit(model))  # type: ignore[assignment]
    return chosen.otherwise(None)


def resource_class() -> pl.Expr:
    """Return what a resource commitment and the usage that it covers have in common: the GPU, core or ram."""
    return (
        pl.when(gpu_model().is_not_null())
        .then(gpu_model())
        .when(_text().str.contains(r"\bcore\b|\bcpu\b"))
        .then(pl.lit("core"))
        .when(_text().str.contains(r"\bram\b|\bmemory\b"))
        .then(pl.lit("ram"))
    )


def is_spot() -> pl.Expr:
    """Return whether a SKU is the spot price of something."""
    return _text().str.contains("spot|preemptible").fill_null(value=False)


def is_block() -> pl.Expr:
    """Return whether a SKU is capacity that was booked for some days."""
    return _text().str.contains(r"calendar|\bdws\b|future reservation").fill_null(value=False)


def _text() -> pl.Expr:
    return pl.col("description").str.to_lowercase()
