"""Google's detailed export straight from BigQuery, with the extra `tranche[bigquery]`: a span of it, as Parquet."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from providers.tables import InputError

COLUMNS = (
    "service", "sku", "usage_start_time", "usage_end_time", "project", "labels", "system_labels", "location", "tags",
    "resource", "cost", "cost_at_list", "currency", "credits", "usage", "cost_type", "consumption_model",
    "subscription",
)  # fmt: skip
LATE_DAYS = 45  # rows of a day are exported until the invoice is closed
_TABLE = re.compile(r"[A-Za-z0-9_:.-]+\.[A-Za-z0-9_]+\.[A-Za-z0-9_]+")


def download(table: str, *, since: datetime, until: datetime, folder: Path, client: Any = None) -> str:  # noqa: ANN401 - an extra
    """Write the rows whose usage began in a span of time, page by page, and return the file.

    Args:
        table: project.dataset.table.
        since: first hour, UTC.
        until: the hour after the last.
        folder: where to write.
        client: a BigQuery client; without one, Google's own chain of credentials.

    Raises:
        InputError: the extra is not installed, the table is none, or BigQuery says no.
    """
    if not _TABLE.fullmatch(table):
        raise InputError(f"bq://{table}", "names no table", "write bq://project.dataset.table")
    path = folder / "bigquery.parquet"
    try:
        _write(path, (client or _client(table)).query(statement(table, since, until)).result().to_arrow_iterable())
    except _refusals() as error:
        said = str(error).splitlines()[0]
        remedy = "log in (gcloud auth application-default login) with bigquery.jobs.create and read rights on the table"
        raise InputError(f"bq://{table}", f"cannot be read ({said})", remedy) from None
    return str(path)


def statement(table: str, since: datetime, until: datetime) -> str:
    """Return the query: the columns that are read, and no partition that cannot hold the span."""
    latest = until + timedelta(days=LATE_DAYS)
    return (
        f"SELECT {', '.join(COLUMNS)} FROM `{table}` "  # noqa: S608 - the table's name is checked, times are written by us
        f"WHERE usage_start_time >= TIMESTAMP '{since:%Y-%m-%d %H:%M:%S}+00' "
        f"AND usage_start_time < TIMESTAMP '{until:%Y-%m-%d %H:%M:%S}+00' "
        f"AND DATE(_PARTITIONTIME) BETWEEN DATE '{since:%Y-%m-%d}' AND DATE '{latest:%Y-%m-%d}'"
    )


def _client(table: str) -> Any:  # noqa: ANN401
    try:
        from google.cloud.bigquery import Client
    except ImportError:
        raise InputError(f"bq://{table}", "needs BigQuery's client", 'pip install "tranche[bigquery]"') from None
    return Client()


def _refusals() -> tuple[type[Exception], ...]:
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    return (GoogleAPIError, GoogleAuthError)


def _write(path: Path, pages: Iterable[Any]) -> None:
    """Write pages as they come, so that memory holds one of them."""
    from pyarrow import parquet

    writer = None
    try:
        for page in pages:
            writer = writer or parquet.ParquetWriter(path, page.schema)
            writer.write_batch(page)
    finally:
        if writer is not None:
            writer.close()
    if writer is None:
        raise InputError("BigQuery", "has no rows in that time", "ask for a longer --window")
