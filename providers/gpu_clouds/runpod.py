"""RunPod's GraphQL list of GPU types -> listings per GPU: two clouds, on demand and spot, and prepaid terms.

Source: https://docs.runpod.io, `gpuTypes`, which needs no key. Prices are US dollars per GPU and hour, those for a
month, three and six as well; such a term is paid whole at the start and not given back.
"""

from collections.abc import Iterator

from providers.accelerators import canonical
from providers.asking import Ask
from providers.card_names import named
from providers.listings import Harvest, Listing
from providers.price_rows import Row, listed, number, understood
from providers.tables import Diagnostic
from providers.web import Web

SOURCE = "RunPod GraphQL API"
BASE = "https://api.runpod.io"
QUERY = (
    "query { gpuTypes { id displayName memoryInGb secureCloud communityCloud securePrice communityPrice"
    " secureSpotPrice communitySpotPrice oneMonthPrice threeMonthPrice sixMonthPrice"
    " lowestPrice(input: {gpuCount: 1}) { stockStatus } } }"
)
CLOUDS = {"secure": ("securePrice", "secureSpotPrice"), "community": ("communityPrice", "communitySpotPrice")}
TERMS = {1: "oneMonthPrice", 3: "threeMonthPrice", 6: "sixMonthPrice"}
HOURS_A_MONTH = 730


def prices(ask: Ask) -> Harvest:
    """Return the prices of RunPod's GPUs; a price that is null or 0 is RunPod's way to say that it sells no such thing.

    Raises:
        InputError: RunPod cannot be reached, or answers what nobody understands.
        StoppedError: somebody wants the work to end.
    """
    ask.expect(1)
    answer = Web(SOURCE).post(f"{ask.urls.get('runpod', BASE)}/graphql", {"query": QUERY})
    ask.advance()
    rows = listed(answer, "data", "gpuTypes", source=SOURCE)
    copied = [row["displayName"] for row in rows if isinstance(row, dict) and _copies(row)]
    listings, found = understood(SOURCE, rows, lambda row: _listings(row, ask.now.isoformat()))
    return Harvest(listings=listings, found=[*found, *_notes(copied)])


def _listings(row: Row, as_of: str) -> Iterator[Listing]:
    memory = number(row["memoryInGb"])
    name, shown = row["id"], row["displayName"]
    model = named(name, memory_gb=memory, form=shown)
    # Editions of one card, such as RTX PRO 6000 WK, have names of their own only in what is shown.
    edition = "" if canonical(model) else f"-{shown}"
    model = named(shown, memory_gb=memory, form=name) if edition else model
    stock = (row.get("lowestPrice") or {}).get("stockStatus")

    def listing(option: str, variant: str, hourly: float, months: int | None = None) -> Listing:
        return Listing(
            provider="runpod",
            purchase_option=option,
            gpu_model=model,
            gpus=1,
            hourly=0.0 if months else hourly,
            upfront=hourly * HOURS_A_MONTH * months if months else 0.0,
            term_months=months,
            variant=variant + edition,
            confidence="medium" if option == "spot" else "high",
            availability="confirmed" if stock else "listed",
            note="paid for the whole term at the start, and not given back" if months else None,
            as_of=as_of,
            source=SOURCE,
        )

    for cloud, (steady, spot) in CLOUDS.items():
        if full := number(row[steady]):
            yield listing("on_demand", cloud, full)
        if (bid := number(row.get(spot))) and bid != full:
            yield listing("spot", cloud, bid)
    for months, name in TERMS.items():
        if price := number(row.get(name)):
            yield listing("reserved", f"secure-{months}m-prepaid", price, months)


def _copies(row: Row) -> bool:
    """Return whether a spot price is only the price on demand again, which no bidder pays."""
    return any(row.get(spot) and row.get(spot) == row.get(steady) for steady, spot in CLOUDS.values())


def _notes(copied: list[str]) -> list[Diagnostic]:
    return [Diagnostic(
        level="note",
        code="spot-copies-on-demand",
        message=f"{SOURCE}: the spot price of {', '.join(copied)} only repeats the price on demand, and is left out",
        hint="enter a spot price that you see in the console as an offer of your own",
        where=SOURCE,
    )] if copied else []  # fmt: skip
