"""What FOCUS calls things -> what we call them: providers, purchase options, and why a cost belongs to no workload."""

import re

import polars as pl

from providers.tables import PURCHASE_OPTIONS

_PROVIDERS = (  # the first pattern that a name fits
    ("aws", r"\baws\b|amazon"),
    ("azure", r"azure|microsoft"),
    ("gcp", r"google|\bgcp\b"),
    ("oci", r"oracle|\boci\b"),
    ("coreweave", r"coreweave"),
    ("lambda", r"\blambda\b"),
    ("crusoe", r"crusoe"),
    ("runpod", r"run ?pod"),
    ("nebius", r"nebius"),
    ("together", r"together"),
    ("vast", r"\bvast\b"),
    ("hyperstack", r"hyperstack|nexgen"),
    ("digitalocean", r"digital ?ocean|paperspace"),
    ("ibm", r"\bibm\b"),
    ("alibaba", r"alibaba|aliyun"),
)
IN_PARTS = r"(?i)google|\bgcp\b"
"""The providers that price the parts of a machine apart."""
_BLOCK = r"(?i)capacity[ _-]?block|\bcapacityblock|:cb-|unusedcb"
_UNUSED_METER = r"(?i)\bunused(?:box|ded)"
_PAYMENT = r"(?i)commitment|reservation|reserved instance|savings ?plan|capacity ?block"


def provider_of(name: str) -> str:
    """Return our name of a provider, or the name as written in lower case.

    >>> [provider_of(name) for name in ("Amazon Web Services, Inc.", "Microsoft", "Google Cloud", "Acme Co")]
    ['aws', 'azure', 'gcp', 'acme co']
    """
    text = name.casefold().strip()
    return next((ours for ours, pattern in _PROVIDERS if re.search(pattern, text)), text)


def is_unused() -> pl.Expr:
    """Return whether a row is a part of a commitment or of reserved capacity that nothing used.

    AWS says so in its meter where a version has no status yet.
    """
    status = (pl.col("commitment_status") == "unused") | (pl.col("reservation_status") == "unused")
    return (status | pl.col("meter").str.contains(_UNUSED_METER)).fill_null(value=False)


def purchase_option() -> pl.Expr:
    """Return how the capacity of a row was bought.

    `Committed` covers everything that is bought ahead; what it was stands in category, type and provider. A contract
    counts where it is what prices the row: an agreement in dollars that on-demand usage draws down leaves it on demand.
    """
    kind = pl.coalesce("commitment_type", pl.lit("")).str.to_lowercase()
    spend = pl.col("commitment_category") == "spend"
    held = (
        pl.when(kind.str.contains("savings ?plan"))
        .then(pl.lit("savings_plan"))
        .when((pl.col("provider") == "gcp") | kind.str.contains(r"\bcud\b|committed use"))
        .then(pl.lit("cud"))
        .when(spend)
        .then(pl.lit("savings_plan"))
        .when(kind.str.contains("contract"))
        .then(pl.lit("contract"))
        .otherwise(pl.lit("reserved"))
    )
    category = pl.col("pricing_category").str.to_lowercase()
    committed = category.is_in(["committed", "commitment-based"])
    of_contract = pl.col("contract_id").is_not_null() & (committed | pl.col("contract_is_capacity"))
    block = (pl.col("reservation_id").is_not_null() | committed | pl.col("is_purchase")) & _says(_BLOCK)
    return (
        pl.when(pl.col("stated_option").is_in(list(PURCHASE_OPTIONS)))
        .then("stated_option")
        .when(block)
        .then(pl.lit("capacity_block"))
        .when(pl.col("commitment_id").is_not_null())
        .then(held)
        .when(of_contract)
        .then(pl.lit("contract"))
        .when(committed)
        .then(held)
        .when(category.is_in(["dynamic", "spot"]))
        .then(pl.lit("spot"))
        .when(category.is_in(["standard", "on-demand"]))
        .then(pl.lit("on_demand"))
    )


def residual() -> pl.Expr:
    """Return why a row's cost belongs to no workload; null for a machine with GPUs.

    An Adjustment is what corrects the invoice as a whole: rounding, a refund or discount (`credit`), or `other`.
    A Purchase pays for other hours if it is one of a commitment or its two costs differ; if not, it is its own cost.
    """
    category = pl.col("category")
    words = pl.coalesce("description", pl.lit("")).str.to_lowercase()
    payment = pl.col("commitment_id").is_not_null() | (pl.col("timing_cost") != 0)
    return (
        pl.when(category == "tax")
        .then(pl.lit("tax"))
        .when(category == "credit")
        .then(pl.lit("credit"))
        .when((category == "adjustment") & words.str.contains("round"))
        .then(pl.lit("rounding"))
        .when((category == "adjustment") & words.str.contains("credit|refund|discount"))
        .then(pl.lit("credit"))
        .when(pl.col("is_purchase") & (payment | _says(_PAYMENT) & (pl.col("effective_cost") == 0)))
        .then(pl.lit("commitment_payment"))
        .when(pl.col("is_usage") & is_unused())
        .then(pl.lit("unused_commitment"))
        .when(pl.col("is_usage") & pl.col("is_machine"))
        .then(None)
        .when((pl.col("is_usage") | pl.col("is_purchase")) & pl.col("is_unplaced"))
        .then(pl.lit("unsupported"))
        .otherwise(pl.lit("other"))
    )


def _says(pattern: str) -> pl.Expr:
    """Return whether any text that describes the charge fits the pattern."""
    texts = ("description", "meter", "commitment_type", "reservation_id")
    return pl.any_horizontal(pl.col(name).str.contains(pattern).fill_null(value=False) for name in texts)
