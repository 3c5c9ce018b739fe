"""The tables of `tranche.toml` as they are written, and how one of them is read strictly."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any, TypeVar

import msgspec

from app.diagnostics import UsageError
from app.gate_tables import Amount, GatesTable

T = TypeVar("T")
Above = Annotated[float, msgspec.Meta(gt=0)]
AtLeastZero = Annotated[float, msgspec.Meta(ge=0)]
Ratio = Annotated[float, msgspec.Meta(gt=0, description="demand that one GPU-hour of this model serves")]
Rate = Annotated[float, msgspec.Meta(gt=0, description="USD for one unit of this currency")]
PerGb = Annotated[float, msgspec.Meta(ge=0, description="USD for each GB that leaves this provider")]
Quality = Annotated[float, msgspec.Meta(gt=0, description="demand that one GPU-hour at this provider serves")]
Percent = Annotated[str | float, msgspec.Meta(description="such as 5%, or 0.05")]
Months = Annotated[str | float, msgspec.Meta(description="such as 6mo or 1y, or a number of months")]
Moment = Annotated[
    Any,
    msgspec.Meta(
        description="a TOML date or date-time; without an offset it is UTC",
        extra_json_schema={"type": ["string", "null"], "format": "date-time"},
    ),
]
MonthOrDate = Annotated[
    Any,
    msgspec.Meta(
        description="such as 6mo, a number of months from the start of the plan, or a date",
        extra_json_schema={"type": ["string", "number"]},
    ),
]


class PlanTable(msgspec.Struct, forbid_unknown_fields=True):
    """What to plan for: horizon is 12mo, 1y and so on, or history for exactly the hours of the usage.

    forecast: best, or a method; without one the history is typical of the horizon. growth_per_month: of the method
    growth. ladder: time between two dates at which the plan may buy. cost_of_capital: a year. scenarios: a file of
    futures; risk: how much the tail of their costs counts against the expected cost; tail: where it begins.
    """

    horizon: str = "12mo"
    forecast: str | None = None
    growth_per_month: Percent | None = None
    ladder: Months | None = None
    cost_of_capital: Percent | None = None
    scenarios: str | None = None
    risk: Percent | None = None
    tail: Percent | None = None


class LimitsTable(msgspec.Struct, forbid_unknown_fields=True):
    """Caps on a plan: shares such as 40%, of each spot pool for "spot.each", amounts such as 2M, terms such as 12mo."""

    spot: Amount | None = None
    spot_each: Amount | None = msgspec.field(name="spot.each", default=None)
    committed: Amount | None = None
    upfront: Amount | None = None
    term: str | None = None
    provider: dict[str, Amount] = {}


class WorkloadTable(msgspec.Struct, forbid_unknown_fields=True):
    """What holds for the workloads that a glob matches; of two globs that match, the later wins.

    data_at: the provider where its data is, else where it runs today. egress_gb_per_gpu_hour: data that a GPU-hour at
    another provider reads. migration_usd, overlap_hours: what it costs once to move all of it, and how long it runs
    twice then. quality: what an hour at a provider is worth. gang_gpus: GPUs that run together, so that spot which
    takes one of their nodes away stops all of them, and where there is room for less they cannot run. window_hours:
    interruptible work may wait, and is done within so many hours, the one in which it arrives included.
    """

    interruptible: bool | None = None
    movable: bool | None = None
    providers: tuple[str, ...] | None = None
    regions: tuple[str, ...] | None = None
    runs_on: dict[str, Ratio] = {}
    data_at: str | None = None
    egress_gb_per_gpu_hour: AtLeastZero | None = None
    migration_usd: AtLeastZero | None = None
    overlap_hours: AtLeastZero | None = None
    quality: dict[str, Quality] = {}
    gang_gpus: Annotated[float, msgspec.Meta(ge=1, le=1_000_000)] | None = None
    window_hours: Annotated[int, msgspec.Meta(ge=1, le=8760)] | None = None


class PriceTable(msgspec.Struct, forbid_unknown_fields=True):
    """How list prices are expected to move: from a month or a day on they are `factor` times those of today."""

    factor: Above
    begins: MonthOrDate = msgspec.field(name="from", default=0)
    gpu_model: str = "*"


class ChangeTable(msgspec.Struct, forbid_unknown_fields=True):
    """A planned change of demand, from `start` until `end`.

    With gpus it is a launch, that many GPUs on average, in the hours of the workload `like`. Else the workloads and GPU
    models that the globs match are retired, grow, need `factor` of their GPU-hours (distilled: the same of a smaller
    model), share a GPU among `gpu_sharing`, give back hours used below `idle_below` (scale_to_zero), or move to another
    GPU model, of which `ratio` hours do the work of one.
    """

    workload: Annotated[str, msgspec.Meta(min_length=1)]
    gpu_model: Annotated[str, msgspec.Meta(min_length=1)] = "*"
    start: Moment = None
    end: Moment = None
    gpus: Above | None = None
    like: str | None = None
    interruptible: bool = False
    retire: bool = False
    per_month: Percent | None = None
    factor: AtLeastZero = 1.0
    gpu_sharing: Annotated[float, msgspec.Meta(ge=1)] = 1.0
    distilled: Above = 1.0
    scale_to_zero: bool = False
    idle_below: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.1
    to_model: str | None = None
    ratio: Above = 1.0


class DroughtTable(msgspec.Struct, forbid_unknown_fields=True):
    """Spot that is not to be had, from a month or a day until another, else to the end; globs say which."""

    gpu_model: Annotated[str, msgspec.Meta(min_length=1)] = "*"
    provider: Annotated[str, msgspec.Meta(min_length=1)] = "*"
    begins: MonthOrDate = msgspec.field(name="from", default=0)
    until: MonthOrDate = None


class ScenarioTable(msgspec.Struct, forbid_unknown_fields=True):
    """One future of a file of scenarios; what it changes stands in tables of its own, which are read one by one."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    probability: Percent
    changes: Any = []
    prices: Any = []
    droughts: Any = []


class ScenariosTable(msgspec.Struct, forbid_unknown_fields=True):
    """A file of scenarios."""

    scenario: Any = []


class SourcesTable(msgspec.Struct, forbid_unknown_fields=True):
    """Where usage is read from when none is named: the sources of `tranche usage`."""

    usage: tuple[str, ...] = ()


class FetchTable(msgspec.Struct, forbid_unknown_fields=True):
    """What `tranche fetch` refreshes: feeds (all), regions as globs (all), and other addresses to ask, by feed."""

    feeds: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    urls: dict[str, str] = {}
    workspace: str | None = None


class Tables(msgspec.Struct, forbid_unknown_fields=True):
    """The whole file.

    tags says for each dimension which tags and columns fill it, the first that does counts. currencies says what one
    unit of another currency is in USD, such as EUR = 1.08; offers in that currency are then converted. budgets says
    what the workloads that a glob matches may cost a month, such as "team-a/*" = "300k"; "*" is the whole plan. egress
    says what a GB costs that leaves a provider, where the bundled table does not know or knows it wrong.
    """

    plan: PlanTable = msgspec.field(default_factory=PlanTable)
    limits: LimitsTable = msgspec.field(default_factory=LimitsTable)
    workloads: dict[str, WorkloadTable] = {}
    sources: SourcesTable = msgspec.field(default_factory=SourcesTable)
    tags: dict[str, str | tuple[str, ...]] = {}
    fetch: FetchTable = msgspec.field(default_factory=FetchTable)
    currencies: dict[str, Rate] = {}
    gates: GatesTable = msgspec.field(default_factory=GatesTable)
    budgets: dict[str, Amount] = {}
    prices: list[PriceTable] = []
    changes: list[ChangeTable] = []
    egress: dict[str, PerGb] = {}


def table_of(raw: object, kind: type[T], *, where: str, section: str) -> T:
    """Return one table of the file.

    Raises:
        UsageError: it has an unknown key, or a value that may not be.
    """
    return _converted(raw, kind, f"{where}: [{section}]")


def tables_of(raw: object, kind: type[T], *, where: str, name: str) -> list[tuple[str, T]]:
    """Return the tables under lines [[name]], each with where it stands.

    Raises:
        UsageError: as `table_of` does.
    """
    if not isinstance(raw, list):
        raise UsageError(f"{where}: {name} is no list of tables; write each under a line [[{name}]]")
    places = [f"{where}: [[{name}]]" + (f" {place}" if len(raw) > 1 else "") for place in range(1, len(raw) + 1)]
    return [(place, _converted(one, kind, place)) for place, one in zip(places, raw, strict=True)]


def check_names(raw: dict[str, Any], kind: type, *, where: str) -> None:
    """Refuse keys that a table does not have; `where` says which table it is.

    Raises:
        UsageError: names the key, and the one that may be meant.
    """
    known = [field.encode_name for field in msgspec.structs.fields(kind)]
    for name in raw:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            remedy = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            raise UsageError(f"{where} {name!r}; {remedy}")


def _converted(raw: object, kind: type[T], title: str) -> T:
    if isinstance(raw, dict):
        check_names(raw, kind, where=f"{title} has no key")
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        problem, _, key = str(error).replace("`object`", "a table").partition(" - at `$")
        place = f" {key.strip('`').lstrip('.')}" if key else ""
        raise UsageError(f"{title}{place}: {problem}; correct the value") from None
