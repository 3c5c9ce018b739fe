"""Azure's cost details by API, for those without an export: both reports of each month, as files with a manifest."""

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from providers.azure.totals import checked
from providers.tables import Diagnostic, InputError

BILLED = "ActualCost"
METRICS = (BILLED, "AmortizedCost")
Fetch = Callable[[str, Path], None]


def cost_details(
    scope: str,
    *,
    start: datetime,
    end: datetime,
    folder: Path,
    client: Any = None,  # noqa: ANN401 - imported only where it is used
    fetch: Fetch | None = None,
) -> list[Diagnostic]:
    """Have Azure write the actual and the amortised report of each month of a span, fetch them, and check their sums.

    Args:
        scope: such as /subscriptions/ID, or a billing account or profile.
        start: first hour; Azure knows only days.
        end: the hour after the last.
        folder: where to write; each report gets a folder with a manifest, as an export has.
        client: a CostManagementClient; without one, Azure's own chain of credentials.
        fetch: how a link to a finished report is fetched.

    Returns:
        Where the rows of a report and Azure's own sums differ.

    Raises:
        InputError: there are no credentials, no permission, no report, or a download breaks off.
    """
    where = f"azure-cost:{scope}"
    from azure.core.exceptions import AzureError

    try:
        client = client or new_client()
        found = []
        for span in _months(start, end):
            for metric in METRICS:
                links = _report(client, scope, metric, *span, where)
                paths = _keep(folder / f"{metric}-{span[0]:%Y%m}", scope, metric, span, links, fetch or _fetch)
                found += checked(client, scope, span, paths) if metric == BILLED else []
    except AzureError as error:
        said = str(error).splitlines()[0]
        remedy = "log in (az login) with the role Cost Management Reader on that scope, or try again later"
        raise InputError(where, f"gives no report ({said})", remedy) from None
    return found


def _report(client: Any, scope: str, metric: str, first: date, last: date, where: str) -> list[str]:  # noqa: ANN401
    period = {"start": f"{first:%Y-%m-%d}", "end": f"{last:%Y-%m-%d}"}
    asked = {"metric": metric, "timePeriod": period}
    result = client.generate_cost_details_report.begin_create_operation(scope, asked).result()
    if result.status == "Failed":
        raise InputError(where, f"failed to write {metric}", "try again later, or with a shorter --window")
    return [blob.blob_link for blob in (result.manifest.blobs if result.manifest else None) or ()]


def _keep(folder: Path, scope: str, metric: str, span: tuple[date, date], links: list[str], fetch: Fetch) -> list[str]:
    """Fetch a report into a folder with a manifest, and return its files."""
    folder.mkdir(parents=True)
    names = [f"part_{index}_0001.csv" for index, _ in enumerate(links)]
    for name, link in zip(names, links, strict=True):
        fetch(link, folder / name)
    said = {
        "exportConfig": {"exportName": metric, "type": metric, "dataVersion": "api", "resourceId": scope},
        "runInfo": {"submittedTime": f"{span[1]:%Y-%m-%d}T00:00:00Z", "startDate": f"{span[0]:%Y-%m-%d}T00:00:00",
                    "endDate": f"{span[1]:%Y-%m-%d}T00:00:00", "runId": metric},
        "blobCount": len(names),
        "blobs": [{"blobName": f"{folder.name}/{name}"} for name in names],
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(said))
    return [str(folder / name) for name in names]


def _months(start: datetime, end: datetime) -> Iterator[tuple[date, date]]:
    """Return the first and the last day of each month's part of a span; Azure counts the last day in."""
    first, last = start.date(), (end - timedelta(microseconds=1)).date()
    while first <= last:
        following = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
        yield first, min(last, following - timedelta(days=1))
        first = following


def new_client() -> Any:  # noqa: ANN401
    """Return a client of Cost Management with Azure's own chain of credentials."""
    from azure.identity import DefaultAzureCredential
    from azure.mgmt.costmanagement import CostManagementClient

    return CostManagementClient(DefaultAzureCredential())


def _fetch(link: str, path: Path) -> None:
    """Fetch a finished report, whose link is its permission."""
    from azure.storage.blob import BlobClient

    with path.open("wb") as file:
        BlobClient.from_blob_url(link).download_blob().readinto(file)
