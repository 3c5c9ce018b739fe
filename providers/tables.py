"""The three tables that everything speaks, Usage, Offers and Commitments, and the checks on them.

Money is in USD unless a `currency` column says otherwise, times are UTC, an hour is named by its start, and a column
name carries its unit. Extra columns are kept. A frame that has passed `checked` has every column of its table with the
right type, a value wherever the table has a default, and its rows sorted by the key.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from providers.columns import TIME, Column, Table, choice, number, text, time
from providers.rules import (
    FINITE,
    LIMITS_IN_ORDER,
    MAX_HOLDS_A_LOT,
    ON_THE_HOUR,
    POSITIVE,
    RAMP,
    SHARE,
    TERM,
    TIERS,
    WINDOW_IN_ORDER,
    Rule,
)

PAY_AS_YOU_GO = ("on_demand", "spot")
HELD = ("reserved", "savings_plan", "cud", "capacity_block", "contract", "flex")
SPEND = ("spend_floor", "prepaid")
PURCHASE_OPTIONS = PAY_AS_YOU_GO + HELD + SPEND
HOURS_PER_MONTH = 730  # 8,760 / 12: every term is counted in months of equal length
CONFIDENCES = ("high", "medium", "low")
AVAILABILITIES = ("confirmed", "listed", "unknown")
STATUSES = ("list", "quote", "accepted", "declined")
RESIDUALS = (
    "idle",  # a GPU machine, or a part of it, that nobody asked for
    "system",  # what keeps a cluster running
    "unsupported",  # the provider's own split does not cover it
    "unmatched",  # claims on a machine that the bill does not hold
    "unused_commitment",  # committed, paid and not used
    "commitment_payment",  # cash for a commitment; its cost stands in the hours that it covers
    "tax",
    "credit",  # credits, refunds and discounts that are rows of their own
    "rounding",
    "other",  # anything without a GPU
)


class InputError(Exception):
    """Something that was given cannot be used: what, where, and what to do about it."""

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        super().__init__(f"{where}: {problem}; {remedy}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """Something found on the way that a person should know; the work went on."""

    level: Literal["note", "warning"]
    code: str
    message: str
    hint: str = ""
    where: str = ""


CURRENCY = text("currency", "ISO code of every amount in the row; one currency a plan", default="USD")

_USAGE_KEY = (
    "hour", "workload", "gpu_model", "provider", "region", "purchase_option", "account", "cluster", "namespace", "team",
    "project", "environment", "instance_type", "commitment_id", "residual", "granularity", "source",
)  # fmt: skip

USAGE = Table(
    name="usage",
    key=_USAGE_KEY,
    text_in_key=True,
    columns=(
        time("hour", "start of the hour, UTC", required=True, rules=(ON_THE_HOUR,)),
        text("workload", "one stream of demand that is planned as a unit", required=True, unless="residual"),
        text("gpu_model", "such as H100-SXM-80GB", required=True, unless="residual"),
        number("gpu_hours", "allocated GPU-hours in this hour", required=True),
        number("gpu_hours_used", "allocated GPU-hours weighted by measured activity"),
        text("provider", "where it ran"),
        text("region", "where it ran"),
        text("account", "billing account"),
        text("cluster", "cluster"),
        text("namespace", "Kubernetes namespace"),
        text("team", "who pays"),
        text("project", "what for"),
        text("environment", "such as production"),
        text("instance_type", "such as p5.48xlarge"),
        choice("purchase_option", PURCHASE_OPTIONS, "how the capacity was bought"),
        text("commitment_id", "the commitment it ran on"),
        Column(name="interruptible", dtype=pl.Boolean(), about="may run on spot; empty means no"),
        number("list_cost", "cost at list price"),
        Column(name="effective_cost", dtype=pl.Float64(), rules=(FINITE,), about="amortised cost after discounts"),
        Column(name="billed_cost", dtype=pl.Float64(), rules=(FINITE,), about="cost as invoiced"),
        choice("granularity", ("hour", "day"), "day: the row is a whole day's GPU-hours", default="hour"),
        choice("residual", RESIDUALS, "why the cost belongs to no workload; empty for work"),
        text("source", "which export the row came from"),
        CURRENCY,
    ),
)

_NO_HOLDING_PRICE = Rule(
    lambda _: pl.when(pl.col("purchase_option").is_in(list(PAY_AS_YOU_GO))).then(
        pl.col("holding_usd_per_gpu_hour") == 0
    ),
    "is not 0 for capacity that is paid as it is used",
    "put the price of on_demand and spot into usage_usd_per_gpu_hour",
)
_NO_USAGE_PRICE = Rule(
    lambda _: pl.when(pl.col("purchase_option").is_in(["reserved", "contract", "capacity_block"])).then(
        pl.col("usage_usd_per_gpu_hour") == 0
    ),
    "is not 0 for capacity that is paid whether used or not",
    "put the price into holding_usd_per_gpu_hour, or use purchase_option flex for a two-part price",
)

_PLAN_IS_SPENT = Rule(
    lambda _: pl.when(pl.col("plan").is_not_null()).then(
        pl.col("purchase_option").is_in(["savings_plan", "cud"]) & (pl.col("usage_usd_per_gpu_hour") == 0)
    ),
    "names a plan, but is no rate of one",
    "use purchase_option savings_plan or cud, with the rate in holding_usd_per_gpu_hour",
)

_OFFER_COLUMNS = (
    text("provider", "who sells it", required=True),
    text("gpu_model", "such as H100-SXM-80GB", required=True),
    choice("purchase_option", PURCHASE_OPTIONS, "what kind of tariff it is", required=True),
    number("holding_usd_per_gpu_hour", "price of having one GPU for an hour, used or not", required=True),
    number("usage_usd_per_gpu_hour", "price of using one GPU for an hour", required=True),
    text("region", "where; empty means anywhere the provider is"),
    text(
        "plan", "the commitment in dollars an hour at whose rates this is; rows that share it draw on the same dollars"
    ),
    text("instance_type", "node shape"),
    number("gpus_per_node", "GPUs of one node", POSITIVE, default=1.0),
    number("term_months", "length of the commitment", TERM),
    time("start", "first hour it can serve; empty means now"),
    time("end", "first hour it no longer serves; empty means start plus term, or as long as the plan"),
    number("lot_gpus", "sold in whole multiples of this; empty means any amount", POSITIVE),
    number("min_gpus", "least that can be bought, if any is", default=0.0),
    number("max_gpus", "most that can be bought; for on_demand and spot, most in use at once"),
    number("upfront_share", "share of the whole commitment that is paid at the start", SHARE, default=0.0),
    number("mean_hours_between_interruptions", "spot: how long a node runs before it is taken away", POSITIVE),
    number("restart_hours", "spot: time to come back after an interruption", default=0.0),
    number("checkpoint_hours", "spot: time between two checkpoints", POSITIVE),
    number("checkpoint_cost_hours", "spot: time that one checkpoint costs", default=0.0),
    number("adders_usd_per_gpu_hour", "support, storage and the like on top of the price", default=0.0),
    number("salvage_usd_per_gpu_hour", "what unused capacity can be resold for"),
    number("overage_usd_per_gpu_hour", "price of usage above what is committed"),
    Column(
        name="ramp",
        dtype=pl.String(),
        rules=(RAMP,),
        about="GPUs from which month of the term on, such as 64@1 128@4; lots and limits are those of the most",
    ),
    Column(
        name="tiers",
        dtype=pl.String(),
        rules=(TIERS,),
        about="holding prices of all GPUs from so many on, such as 64@2.20 256@1.95",
    ),
    text("exclusive", "of the offers that share this name, at most one is bought"),
    number("exit_after_months", "when any part of it may be given back, in months from its start", POSITIVE),
    number("spend_usd", "spend_floor: the least spend over its term; prepaid: the usage that it buys", POSITIVE),
    number("discount_share", "spend_floor: off list prices; prepaid: off its own price", SHARE, default=0.0),
    number("burst_gpus", "GPUs that may be added on call"),
    number("burst_fee_usd_per_gpu_hour", "price of the right to add one GPU"),
    number("burst_usd_per_gpu_hour", "price of an added GPU while it is used"),
    number("egress_usd_per_gb", "price of data that leaves"),
    text("price_protection", "what happens when the vendor's prices fall"),
    text("valid_until", "the last day on which the quote can be accepted"),
    text("eligible_gpu_models", "further GPU models that the tariff covers"),
    choice("status", STATUSES, "list price, or where a negotiation stands", default="list"),
    text("zone", "part of the region, where prices differ within it"),
    text("as_of", "the day, or the time, at which the price was true"),
    choice(
        "confidence",
        CONFIDENCES,
        "high: the seller's own list or API; medium: copied from it; low: derived, or told by somebody else",
    ),
    choice("availability", AVAILABILITIES, "confirmed: can be had now; listed: has a price, which may be all"),
    text("source", "where the price was read"),
    text("note", "anything else"),
    CURRENCY,
)
_SPEND_IS_SAID = Rule(
    lambda _: pl.when(pl.col("purchase_option").is_in(SPEND)).then(pl.col("spend_usd").is_not_null()),
    "is empty, but needed for a commitment to spend",
    "give the dollars in spend_usd, and 0 for both prices",
)
_ONE_WAY_IN_TIME = Rule(
    lambda _: (
        pl.col("exit_after_months").is_null()
        | (pl.col("ramp").is_null() & pl.col("tiers").is_null() & (pl.col("upfront_share") == 0))
    ),
    "cannot go with a ramp, tiers or cash at the start",
    "leave ramp and tiers empty and upfront_share at 0, or state the exit as another offer",
)

_OFFER_RULES = (
    ("exit_after_months", _ONE_WAY_IN_TIME),
    ("plan", _PLAN_IS_SPENT),
    ("min_gpus", LIMITS_IN_ORDER),
    ("max_gpus", MAX_HOLDS_A_LOT),
    ("start", WINDOW_IN_ORDER),
    ("holding_usd_per_gpu_hour", _NO_HOLDING_PRICE),
    ("usage_usd_per_gpu_hour", _NO_USAGE_PRICE),
)

OFFERS = Table(
    name="offers",
    key=("offer_id",),
    columns=(text("offer_id", "its name in every report", required=True), *_OFFER_COLUMNS),
    row_rules=(*_OFFER_RULES, ("spend_usd", _SPEND_IS_SAID)),
)

COMMITMENTS = Table(
    name="commitments",
    key=("commitment_id",),
    columns=(
        text("commitment_id", "its name in every report", required=True),
        text("offer_id", "the offer it was bought from"),
        *_OFFER_COLUMNS,
        number("gpus", "how many GPUs are owned"),
        number("usd_per_hour", "spend that is owned, for a commitment in dollars"),
    ),
    row_rules=(
        *_OFFER_RULES,
        (
            "gpus",
            Rule(
                lambda _: pl.any_horizontal(pl.col("gpus", "usd_per_hour", "spend_usd").is_not_null()),
                "is empty, and so are usd_per_hour and spend_usd",
                "say how many GPUs, how many dollars an hour or how many dollars in all are committed",
            ),
        ),
    ),
)


def checked(frame: pl.DataFrame, table: Table, *, where: str, one_currency: bool = True) -> pl.DataFrame:
    """Return the frame as a valid `table`: typed, defaults filled in, sorted by its key, in one currency unless not.

    Raises:
        InputError: names `where`, the column and the first offending row (rows count from 1, a header not counted).
    """
    _require_columns(frame, table, where=where)
    if frame.is_empty():
        raise InputError(where, f"has no rows of {table.name}", "give a file with at least one row")
    typed = frame.select(_typed(frame, column, where=where) for column in table.columns)
    extra = frame.drop(typed.columns, strict=False)
    full = pl.concat([typed, extra], how="horizontal") if extra.width else typed
    _check_cells(frame, full, table, where=where)
    full = full.with_columns(
        pl.col(column.name).fill_null(column.default) for column in table.columns if column.default is not None
    )
    _refuse_broken(full, table.row_rules, where=where)
    _refuse_duplicates(full, table, where=where)
    if one_currency:
        refuse_mixed_currencies(full, where=where)
    return full.sort(table.key, nulls_last=True, maintain_order=True)


def currency_of(frames: Iterable[pl.DataFrame]) -> str:
    """Return the one currency of all the frames.

    Raises:
        InputError: when two are in use; converting is left to whoever knows the rate.
    """
    found = sorted({code for frame in frames for code in frame["currency"].unique()})
    if len(found) > 1:
        raise InputError("inputs", f"mix the currencies {' and '.join(found)}", "convert them to one currency first")
    return found[0] if found else "USD"


def key_of(frame: pl.DataFrame, table: Table) -> tuple[str, ...]:
    """Return the columns that name a row of this frame."""
    known = {column.name for column in table.columns}
    further = [name for name, dtype in frame.schema.items() if name not in known and dtype == pl.String()]
    return (*table.key, *further) if table.text_in_key else table.key


def _require_columns(frame: pl.DataFrame, table: Table, *, where: str) -> None:
    missing = [column.name for column in table.columns if column.required and column.name not in frame.columns]
    if missing:
        need = ", ".join(column.name for column in table.columns if column.required)
        raise InputError(where, f"has no column {missing[0]}", f"a table of {table.name} needs {need}")


def _typed(frame: pl.DataFrame, column: Column, *, where: str) -> pl.Series:
    if column.name not in frame.columns:
        return pl.Series(column.name, [None] * frame.height, dtype=column.dtype)
    given = frame[column.name]
    if given.dtype == column.dtype != pl.String:
        return given
    if given.dtype == pl.String:
        given = given.replace("", None)
    try:
        cast = _cast(given, column.dtype)
    except pl.exceptions.PolarsError:
        raise InputError(where, f"column {column.name} has type {given.dtype}", f"it must be {_kind(column)}") from None
    bad = cast.is_null() & given.is_not_null()
    if bad.any():
        row = int(bad.arg_max() or 0)
        problem = f"column {column.name}, row {row + 1}: {_shown(given[row])} is not {_kind(column)}"
        raise InputError(where, problem, "correct the value, or leave the cell empty if it may be")
    return cast.alias(column.name)


def _cast(given: pl.Series, dtype: pl.DataType) -> pl.Series:
    if dtype == TIME:
        return _times(given)
    if dtype == pl.Boolean and given.dtype == pl.String:
        words = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
        return given.str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.Boolean)
    if given.dtype == pl.String:
        given = given.str.strip_chars()
    return given.cast(dtype, strict=False)


def _times(given: pl.Series) -> pl.Series:
    """Read ISO 8601, with or without an offset; a time without one is UTC."""
    if given.dtype.is_temporal():
        naive = given.cast(pl.Datetime("us")) if given.dtype == pl.Date else given
        zone = getattr(naive.dtype, "time_zone", None)
        zoned = naive.dt.convert_time_zone("UTC") if zone else naive.dt.replace_time_zone("UTC")
        return zoned.cast(TIME)
    if given.dtype != pl.String:
        return given.cast(pl.String).str.to_datetime("!", strict=False, time_zone="UTC", time_unit="us")
    text = (
        pl.col("t")
        .str.strip_chars()
        .str.replace(r"(?i)\s*(z|utc)$", "+00:00")
        .str.replace(r"^(\S+) (\S+)", "${1}T${2}")
    )
    with_offset = ["%Y-%m-%dT%H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M%:z"]
    without = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
    times = {form: text.str.to_datetime(form, strict=False, time_unit="us") for form in with_offset + without}
    readings = [times[form].dt.convert_time_zone("UTC") for form in with_offset]
    readings += [times[form].dt.replace_time_zone("UTC") for form in without]
    readings += [text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")]
    return given.to_frame("t").select(pl.coalesce(readings))["t"]


def _check_cells(raw: pl.DataFrame, frame: pl.DataFrame, table: Table, *, where: str) -> None:
    rules: list[tuple[str, Rule]] = []
    for column in table.columns:
        if column.required:
            rules.append((column.name, _filled(column)))
        if column.name in raw.columns:
            rules.extend((column.name, rule) for rule in column.rules)
    _refuse_broken(frame, rules, where=where)


def _filled(column: Column) -> Rule:
    """Return the rule that a required cell is filled, or what it names in `unless`."""
    either = [column.name, column.unless] if column.unless else [column.name]
    holds = pl.any_horizontal(pl.col(either).is_not_null())
    return Rule(lambda _: holds, "is empty", _remedy_for_empty(column))


def _remedy_for_empty(column: Column) -> str:
    if "usd" in column.name:
        return "a missing price is not 0: give the price, or take the row out"
    return "fill it in, or take the row out"


def _refuse_broken(frame: pl.DataFrame, rules: Sequence[tuple[str, Rule]], *, where: str) -> None:
    """Name the first row that breaks the first broken rule; all rules are asked in one pass over the frame."""
    broken = [(~rule.holds(name)).fill_null(value=False).alias(str(index)) for index, (name, rule) in enumerate(rules)]
    for rows, (name, rule) in zip(frame.select(broken), rules, strict=True):
        if rows.any():
            row = int(rows.arg_max() or 0)
            value = frame[name][row]
            shown = "" if value is None else f"{_shown(value)} "
            raise InputError(where, f"column {name}, row {row + 1}: {shown}{rule.problem}", rule.remedy)


def _refuse_duplicates(frame: pl.DataFrame, table: Table, *, where: str) -> None:
    key = key_of(frame, table)
    again = ~frame.select(pl.struct(key).is_first_distinct().alias("first"))["first"]
    if again.any():
        row = int(again.arg_max() or 0)
        cells = {name: frame[name][row] for name in key if frame[name][row] is not None}
        shown = ", ".join(_shown(value) for value in cells.values())
        problem = f"column {key[0]}, row {row + 1}: {shown} stands in an earlier row too"
        raise InputError(where, problem, f"each {' + '.join(cells)} may stand once: merge or remove the rows")


def refuse_mixed_currencies(frame: pl.DataFrame, *, where: str) -> None:
    """Refuse a frame in several currencies.

    Raises:
        InputError: names the first row in another currency than the first.
    """
    codes = frame["currency"].unique().sort().to_list()
    if len(codes) > 1:
        row = int((frame["currency"] != frame["currency"][0]).arg_max() or 0)
        problem = (
            f"column currency, row {row + 1}: {_shown(frame['currency'][row])} after {_shown(frame['currency'][0])}"
        )
        raise InputError(where, problem, "convert the file to one currency first, or give [currencies] in tranche.toml")


def _kind(column: Column) -> str:
    kinds = {
        pl.Float64(): "a number",
        TIME: "a time such as 2026-04-01T13:00:00Z",
        pl.Boolean(): "true or false",
    }
    return kinds.get(column.dtype, "text")


def _shown(value: object) -> str:
    text = f"{value:%Y-%m-%dT%H:%M:%SZ}" if hasattr(value, "strftime") else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
