"""What EC2 offers of Capacity Blocks -> GPU machines that can be had for a fixed time, paid as a whole at the start."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from providers.accelerators import gpus_of_types
from providers.asking import Ask
from providers.aws.asking import Rows, by_region, pages
from providers.listings import Harvest, Listing
from providers.tables import Diagnostic, InputError

FEED = "aws-capacity-blocks"
SOURCE = "AWS EC2 Capacity Blocks"
DAYS = (1, 7, 14, 28, 91)  # AWS sells any day up to 14 and whole weeks up to 182 days
AHEAD = timedelta(weeks=8)  # how far ahead a block may start
MOST_MACHINES = 64  # in one block
NOT_SOLD = ("InvalidParameterValue", "InvalidInstanceType", "Unsupported", "UnsupportedOperation")
_SOLD_AS_BLOCKS = re.compile(r"(?:p[4-9]|trn\d)[a-z0-9-]*\.")
_ULTRASERVERS = {"p6e-gb200.36xlarge": ("u-p6e-gb200x36", "u-p6e-gb200x72")}  # sold only whole


class _Answer(NamedTuple):
    """What a region offers, how many questions it answered, and the first that it refused as one nobody can ask."""

    offerings: list[dict[str, Any]]
    answered: int
    refused: str | None


def capacity_blocks(ask: Ask) -> Harvest:
    """Return the blocks of one machine, or of one UltraServer, that can be had within eight weeks.

    Raises:
        NoCredentialsError: boto3 finds none.
        InputError: no region answers, or with what nobody understands.
        StoppedError: the work is to end.
    """
    regions = by_region(
        ask,
        SOURCE,
        ask.urls.get(FEED),
        "ec2:DescribeCapacityBlockOfferings",
        lambda client, _: _read(ask, client),
    )
    _refuse_if_none_answered(regions.answers)
    rows, kept = Rows(SOURCE), list[Listing]()
    split = 0
    for region, answer in regions.answers.items():
        for one in answer.offerings:
            split += _is_split(one)
            with rows.row(one.get("CapacityBlockOfferingId")):
                kept += [] if _is_split(one) else [_listing(region, one, ask)]
    in_time = [one for one in kept if one.start is not None and one.start <= ask.now + AHEAD]
    found = [*regions.found, *rows.found(may_be_empty=True), *_told_of_split(split)]
    return Harvest(listings=in_time, lost=regions.lost, found=found)


def _questions() -> Iterator[dict[str, Any]]:
    """Return what to ask for: every type that is sold as blocks, one machine of it."""
    for name in sorted(gpus_of_types("aws")):
        for server in _ULTRASERVERS.get(name, ()):
            yield {"UltraserverType": server, "UltraserverCount": 1}
        if _SOLD_AS_BLOCKS.match(name) and name not in _ULTRASERVERS:
            yield {"InstanceType": name, "InstanceCount": 1}


def _read(ask: Ask, client: Any) -> _Answer:  # noqa: ANN401 - boto3 has no types
    """Ask a region for every type; what it does not sell at all it refuses, and is not asked for again."""
    from botocore.exceptions import ClientError

    offerings: dict[str, dict[str, Any]] = {}
    answered, refused = 0, None
    for what in _questions():
        try:
            for days in DAYS:
                offerings |= {str(one.get("CapacityBlockOfferingId")): one for one in _offered(ask, client, what, days)}
                answered += 1
        except ClientError as error:
            said = error.response.get("Error", {})
            if said.get("Code") not in NOT_SOLD:
                raise
            refused = refused or f"{said.get('Code')}: {said.get('Message')}"
    return _Answer(list(offerings.values()), answered, refused)


def _offered(ask: Ask, client: Any, what: Mapping[str, Any], days: int) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    asked = {
        "CapacityDurationHours": 24 * days,
        "StartDateRange": ask.now,
        "EndDateRange": ask.now + AHEAD + timedelta(days=days),
        **what,
    }
    for page in pages(ask, client.describe_capacity_block_offerings, **asked):
        yield from page["CapacityBlockOfferings"]


def _refuse_if_none_answered(answers: Mapping[str, _Answer]) -> None:
    """Tell a region that does not sell some types from a question that no region understands."""
    refusals = [answer.refused for answer in answers.values() if answer.refused]
    if refusals and not any(answer.answered for answer in answers.values()):
        problem = f"refuses every question ({refusals[0]})"
        raise InputError(SOURCE, problem, "install a newer version of tranche, or try again later")


def _is_split(offering: Mapping[str, Any]) -> bool:
    """Return whether an offering is several blocks in different zones or times, which are not one capacity."""
    return len(offering.get("CapacityBlockOfferingSegments") or ()) > 1


def _listing(region: str, offering: Mapping[str, Any], ask: Ask) -> Listing:
    name, machines = offering["InstanceType"], offering["InstanceCount"]
    known = gpus_of_types("aws").get(name)
    single = not offering.get("UltraserverType")
    return Listing(
        provider="aws",
        purchase_option="capacity_block",
        region=region,
        zone=offering["AvailabilityZone"],
        instance_type=name,
        gpus=known[1] * machines if known else None,
        max_gpus=known[1] * MOST_MACHINES if known and single else None,
        hourly=0.0,
        upfront=float(offering["UpfrontFee"]),
        start=offering["StartDate"],
        end=offering["EndDate"],
        variant=offering.get("UltraserverType"),
        currency=offering["CurrencyCode"],
        availability="confirmed",
        as_of=ask.now.isoformat(),
        source=SOURCE,
        note=f"confirmed for one machine; a block has at most {MOST_MACHINES}" if single else "one UltraServer",
    )


def _told_of_split(count: int) -> list[Diagnostic]:
    if not count:
        return []
    message = f"{count:,} offerings of Capacity Blocks are split over zones or times and left out"
    return [Diagnostic(level="note", code="split-blocks", message=message, hint="look at them in the EC2 console")]
