"""Spot price history and the spot advisor of AWS -> the price of spot now in each zone, and how long it lasts."""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from providers.asking import Ask
from providers.aws.asking import MISREAD, Rows, by_region, is_gpu_type, pages
from providers.listings import Harvest, Listing
from providers.tables import Diagnostic, InputError
from providers.web import Web

FEED, ADVISOR = "aws-spot", "aws-spot-advisor"
SOURCE = "AWS EC2 spot price history"
ADVISOR_URL = "https://spot-bid-advisor.s3.amazonaws.com/spot-advisor-data.json"
FAMILIES = ("p*", "g*", "trn*", "inf*", "dl*")  # wildcards: a type that a region does not know is then no error
HOURS_PER_MONTH = 720  # the advisor counts the trailing month, of 30 days
OPEN_BAND = ">20%"
INTERRUPTED_A_MONTH = {"<5%": 0.025, "5-10%": 0.075, "10-15%": 0.125, "15-20%": 0.175, OPEN_BAND: 0.25}
"""The share of machines of a type that is interrupted in a month: the middle of each band; the last has no end."""


class _Band(NamedTuple):
    """How long a machine runs, on average, and what to say of it."""

    hours: float
    note: str | None


def spot(ask: Ask) -> Harvest:
    """Return the last price of every GPU machine in every zone, with how often the advisor says it is interrupted.

    Raises:
        NoCredentialsError: boto3 finds none.
        InputError: no region answers, or with what nobody understands.
        StoppedError: the work is to end.
    """

    def read(client: Any, _: str) -> list[dict[str, Any]]:  # noqa: ANN401 - boto3 has no types
        asked: dict[str, Any] = {
            "StartTime": ask.now,
            "EndTime": ask.now,
            "ProductDescriptions": ["Linux/UNIX"],
            "Filters": [{"Name": "instance-type", "Values": list(FAMILIES)}],
            "MaxResults": 1000,
        }
        answers = pages(ask, client.describe_spot_price_history, **asked)
        return [row for page in answers for row in page["SpotPriceHistory"]]

    regions = by_region(ask, SOURCE, ask.urls.get(FEED), "ec2:DescribeSpotPriceHistory", read)
    bands, without = _advice(ask.urls.get(ADVISOR, ADVISOR_URL))
    rows, kept = Rows(SOURCE), list[Listing]()
    for region, answer in regions.answers.items():
        for row in _latest(answer, rows):
            kept.append(_listing(region, row, bands.get((region, row["InstanceType"])), ask.now))
    found = [*regions.found, *without, *rows.found(may_be_empty=bool(ask.regions))]
    return Harvest(listings=kept, lost=regions.lost, found=found)


def mean_hours(interrupted: float) -> float:
    """Return the mean hours between interruptions where that share of machines is interrupted in a month.

    Interruptions come at random and without memory, so that the share is 1 - exp(-720 h / mean).

    >>> round(mean_hours(0.025))
    28438
    """
    return HOURS_PER_MONTH / -math.log1p(-interrupted)


def _latest(answer: Iterable[dict[str, Any]], rows: Rows) -> list[dict[str, Any]]:
    """Return the last price of each type in each zone; the history holds earlier ones."""
    last: dict[tuple[str, str], dict[str, Any]] = {}
    for row in answer:
        with rows.row(f"{row.get('InstanceType')} in {row.get('AvailabilityZone')}"):
            key, time, price = (row["InstanceType"], row["AvailabilityZone"]), row["Timestamp"], float(row["SpotPrice"])
            if is_gpu_type(key[0]) and (key not in last or last[key]["Timestamp"] < time):
                last[key] = {**row, "SpotPrice": price}
    return list(last.values())


def _listing(region: str, row: Mapping[str, Any], band: _Band | None, now: datetime) -> Listing:
    """Return a price of spot; it is true now, whenever it was set."""
    return Listing(
        provider="aws",
        purchase_option="spot",
        region=region,
        zone=row["AvailabilityZone"],
        instance_type=row["InstanceType"],
        hourly=row["SpotPrice"],
        interruptions=band.hours if band else None,
        note=band.note if band else None,
        as_of=now.isoformat(),
        source=SOURCE,
    )


def _advice(url: str) -> tuple[dict[tuple[str, str], _Band], list[Diagnostic]]:
    """Return what the advisor says of each type by region; without it prices stand, and a note says so."""
    try:
        told = Web("AWS spot advisor").get(url)
        bands = {one["index"]: _band(one["label"]) for one in told["ranges"]}
        answer = {
            (region, name): bands[said["r"]]
            for region, systems in told["spot_advisor"].items()
            for name, said in systems.get("Linux", {}).items()
            if is_gpu_type(name)
        }
    except InputError as error:
        return {}, [_no_advice(str(error))]
    except MISREAD:
        return {}, [_no_advice("the spot advisor of AWS answers in a shape that is not known")]
    return answer, []


def _band(label: str) -> _Band:
    share = INTERRUPTED_A_MONTH[label]
    note = f"interrupted {label} of the time in a month: {share:.0%} assumed" if label == OPEN_BAND else None
    return _Band(mean_hours(share), note)


def _no_advice(why: str) -> Diagnostic:
    hint = "give mean_hours_between_interruptions in a file of --offers"
    message = f"how often spot is interrupted is not known: {why}"
    return Diagnostic(level="note", code="no-spot-advisor", message=message, hint=hint, where=ADVISOR)
