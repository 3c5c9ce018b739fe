"""The plan file: the stable form of a plan, `format_version` 1.3.

Money and rates are decimal strings with two to six decimals, shares are numbers between 0 and 1 with at most nine,
times are UTC, and null is unknown. The same plan gives the same bytes. A later minor version only adds; another major
is refused.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from providers.tables import InputError

if TYPE_CHECKING:
    from pathlib import Path

FORMAT_VERSION = "1.3"
NOT_ASCII = re.compile(r"[^\n -~]")
Money = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]+\.[0-9]{2,6}$", description="decimal, in the plan's currency")]
Share = Annotated[float, msgspec.Meta(description="1 is the whole")]
Time = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")]


class Record(msgspec.Struct, kw_only=True, frozen=True):
    """One object of the file; its keys stand in the order of its fields."""


class Tool(Record, frozen=True):
    """The program that wrote the file."""

    name: str
    version: str


class UsageFile(Record, frozen=True):
    """Usage that was read."""

    path: str
    sha256: str
    from_: Time | None = msgspec.field(name="from")
    until: Time | None
    rows: int


class OffersFile(Record, frozen=True):
    """Offers that were read, with the days their prices were true."""

    path: str
    sha256: str
    as_of_from: str | None
    as_of_until: str | None
    rows: int


class ConfigFile(Record, frozen=True):
    """Settings that were read."""

    path: str
    sha256: str


class CommitmentsFile(ConfigFile, frozen=True):
    """Commitments that were read."""

    rows: int


class Options(Record, frozen=True):
    """What else was asked for; start and end bound the hours planned.

    outlook: what is expected of them; scenarios: the file of futures; both since 1.2. edits: what was typed since the
    files were read, oldest first; since 1.3.
    """

    horizon: str
    start: Time
    end: Time
    now: Time
    demo: bool
    config: ConfigFile | None
    outlook: dict[str, str] = {}
    scenarios: ConfigFile | None = None
    edits: list[str] = []


class Turn(Record, frozen=True):
    """One edit, and what it made of the quote that it names: price and status are null where it names none."""

    line: str
    typed: Time | None
    offer_id: str | None
    usd_per_gpu_hour: Money | None
    status: str | None


class Received(Record, frozen=True):
    """A quote as it was first and as it stands; prices are those of a GPU-hour that is held and used.

    gpus: null where it names no one number of them. rounds: how many terms it has had. spend_usd, discount: of a
    commitment to spend, which has no price.
    """

    offer_id: str
    provider: str
    gpu_model: str
    purchase_option: str
    gpus: float | None
    term_months: float | None
    first_usd_per_gpu_hour: Money | None
    last_usd_per_gpu_hour: Money | None
    spend_usd: Money | None
    discount: Share | None
    status: str
    rounds: int


class Inputs(Record, frozen=True):
    """Everything the plan follows from; turns: the edits of the options, in their order; both of them since 1.3."""

    usage: list[UsageFile]
    offers: list[OffersFile]
    commitments: list[CommitmentsFile]
    limits: dict[str, str]
    options: Options
    offers_received: list[Received] = []
    turns: list[Turn] = []


class Solver(Record, frozen=True):
    """How the plan was found."""

    name: str
    turns: int


class Summary(Record, frozen=True):
    """Totals over the hours planned."""

    hours: float
    gpu_hours: float
    cost: Money
    existing_commitment_cost: Money
    on_demand_cost: Money | None
    current_cost: Money | None
    savings: Money | None
    effective_savings_rate: Share | None
    coverage: Share | None
    utilization: Share | None
    upfront: Money
    total_commitment: Money
    lower_bound: Money
    gap: Share
    solver: Solver
    replayed_cost: Money | None = None


class RampStep(Record, frozen=True):
    """The share of a purchase's GPUs that is there, and paid for, from a month after its start on."""

    months: float
    share: Share


class Purchase(Record, frozen=True):
    """Capacity to buy, or owned already; cost is over the hours planned, use included.

    holding and usage are the vendor's prices; adders come on top of them, and are part of every cost. usd_per_hour is
    what a commitment in dollars commits to; its gpus are those it serves on average, its holding what one comes to.
    ramp: empty where all GPUs are there from the start. instance_type, ramp: since 1.2.
    """

    offer_id: str
    provider: str
    region: str | None
    gpu_model: str
    purchase_option: str
    gpus: float
    lots: float | None
    start: Time | None
    end: Time | None
    term_months: float | None
    holding_usd_per_gpu_hour: Money
    usage_usd_per_gpu_hour: Money
    cost: Money
    upfront: Money
    total_commitment: Money
    utilization: Share | None
    break_even_utilization: Share | None
    walk_away_usd_per_gpu_hour: Money | None
    because: str
    adders_usd_per_gpu_hour: Money = "0.00"
    usd_per_hour: Money | None = None
    instance_type: str | None = None
    ramp: list[RampStep] = []


class Service(Record, frozen=True):
    """What serves one workload, idle hours of commitments shared in."""

    workload: str
    offer_id: str
    provider: str
    region: str | None
    gpu_model: str
    purchase_option: str
    gpu_hours: float
    cost: Money


class Quote(Record, frozen=True):
    """What a quote is worth: the highest price for its block, and for the next GPU."""

    offer_id: str
    provider: str
    gpu_model: str
    purchase_option: str
    quoted_usd_per_gpu_hour: Money
    walk_away_usd_per_gpu_hour: Money | None
    next_gpu_usd_per_gpu_hour: Money | None
    gpus: float | None
    headroom: Money | None
    verdict: str
    because: str
    next_because: str


class Load(Record, frozen=True):
    """GPUs needed at once, the busiest hours first, by hundredths of hours: `optimizer.evidence.Load`; since 1.2."""

    hours: float
    peak_gpus: float
    demand: list[float]
    served: dict[str, list[float]]
    gpu_models: dict[str, list[float]]


class Spend(Record, frozen=True):
    """A commitment to spend, in the hours planned: `optimizer.spending.Spending`; since 1.2.

    discount: off list prices, or off the price of what is prepaid. cost: what falls short of it, less what is given
    back. largest_usd: the largest least spend worth signing, over its whole term. contract_usd: to spend over its whole
    term. status: owned, or where its negotiation stands. gpu_models: those that count, empty for all. The last six are
    since 1.3; start, end and term_months are null where nobody said, and status in an older file.
    """

    offer_id: str
    provider: str
    prepaid: bool
    usd: Money
    discount: Share
    taken: bool
    spent: Money
    shortfall: Money
    given_back: Money
    cost: Money
    worth: Money | None
    largest_usd: Money | None
    contract_usd: Money | None = None
    start: Time | None = None
    end: Time | None = None
    term_months: float | None = None
    status: str | None = None
    gpu_models: list[str] = []


class Outcome(Record, frozen=True):
    """What the plan comes to in one scenario; regret: how much dearer than the best plan for it alone."""

    scenario: str
    probability: Share
    cost: Money
    stranded: Money
    regret: Money


class Point(Record, frozen=True):
    """The plan at another weight of its tail: what it is expected to cost, and the mean of its worst outcomes."""

    weight: Share
    expected: Money
    cvar: Money


class Risk(Record, frozen=True):
    """The plan over its scenarios: `optimizer.risk.Risk`; since 1.2.

    cvar, stranded_cvar: the mean of the worst outcomes, those beyond the share `tail`. p5, p50, p95: costs that are not
    exceeded with that probability. stranded: paid for holding what is not used. frontier: the cheapest first.
    """

    weight: Share
    tail: Share
    expected: Money
    cvar: Money
    p5: Money
    p50: Money
    p95: Money
    stranded_cvar: Money
    outcomes: list[Outcome]
    frontier: list[Point]


class Differing(Record, frozen=True):
    """The plan at another demand: `optimizer.sensitivity.Differing`; since 1.3.

    demand: of the one planned. kept: with what the plan buys; best: of the best plan for that demand. Null where what
    is bought leaves no way to serve it.
    """

    demand: Share
    kept: Money | None
    best: Money | None
    stranded: Money | None


class LimitValue(Record, frozen=True):
    """What a limit costs: `optimizer.policy.LimitValue`; amounts of cash are dollars, the rest shares; since 1.2."""

    name: str
    at: float
    most: float
    step: float
    saving: Money


class Approval(Record, frozen=True):
    """Who approved the plan: status is draft or approved; the rest is null in a draft; since 1.2."""

    status: str = "draft"
    by: str | None = None
    date: Time | None = None
    sha256: str | None = None


class Found(Record, frozen=True):
    """Something that a reader of the plan should know."""

    level: str
    code: str
    message: str
    hint: str
    where: str


class PlanFile(Record, frozen=True):
    """A plan."""

    format_version: str
    tool: Tool
    created: Time
    currency: str
    inputs: Inputs
    summary: Summary
    purchases: list[Purchase]
    commitments: list[Purchase]
    mix: list[Service]
    walk_away: list[Quote]
    gates: list[dict[str, Any]]
    diagnostics: list[Found]
    load: Load | None = None
    spends: list[Spend] = []
    approval: Approval = Approval()
    limits: list[LimitValue] = []
    risk: Risk | None = None
    sensitivity: list[Differing] = []


class _Version(msgspec.Struct):
    format_version: str


def encode(plan: PlanFile) -> bytes:
    """Return the bytes of a plan file; characters that could command a terminal are escaped."""
    text = msgspec.json.format(msgspec.json.encode(plan), indent=2).decode()
    return f"{harmless(text)}\n".encode()


def harmless(json: str) -> str:
    r"""Escape what could command a terminal in JSON that is printed, as \uXXXX; the JSON says the same."""
    return NOT_ASCII.sub(lambda found: found[0] if found[0].isprintable() else _escaped(found[0]), json)


def decode(content: bytes, *, where: str) -> PlanFile:
    """Read a plan file; what a later minor version added is passed over.

    Raises:
        InputError: it is no plan file, or of another major version.
    """
    remedy = "give a file that tranche plan --out wrote"
    try:
        version = msgspec.json.decode(content, type=_Version).format_version
        if version.split(".")[0] != FORMAT_VERSION.split(".", maxsplit=1)[0]:
            newer = f"this program reads {FORMAT_VERSION.split('.', maxsplit=1)[0]}.x: use the one that wrote it"
            raise InputError(where, f"has format_version {version}", newer)
        return msgspec.json.decode(content, type=PlanFile)
    except msgspec.ValidationError as error:
        raise InputError(where, f"is not a plan file ({error})", remedy) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(where, f"is not JSON ({error})", remedy) from None


def read(path: Path) -> PlanFile:
    """Read the plan file at `path`.

    Raises:
        InputError: it cannot be read, or is no plan file.
    """
    try:
        return decode(path.read_bytes(), where=path.name)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(path.name, f"cannot be read ({reason})", "check the path") from None


def schema() -> dict[str, Any]:
    """Return the JSON Schema that every plan file meets."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(PlanFile)}


def decimal(amount: float | None) -> str | None:
    """Write an amount with two to six decimals; None where it is unknown.

    >>> decimal(2.34375), decimal(1552.0), decimal(-1e-12)
    ('2.34375', '1552.00', '0.00')
    """
    if amount is None or not math.isfinite(amount):
        return None
    whole, _, decimals = f"{round(amount, 6) + 0.0:.6f}".partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"


def number(value: float | None, *, decimals: int = 9) -> float | None:
    """Round a share or a quantity so that its bytes are stable; None where it is unknown."""
    return None if value is None or not math.isfinite(value) else round(value, decimals) + 0.0


def _escaped(char: str) -> str:
    pairs = char.encode("utf-16-be")
    return "".join(f"\\u{pairs[index]:02x}{pairs[index + 1]:02x}" for index in range(0, len(pairs), 2))
