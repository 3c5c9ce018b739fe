"""Azure's own sums (its Cost Management query API), to check a downloaded report against."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl

from providers.azure.columns import normal
from providers.charges import Tags
from providers.scan import scans
from providers.tables import Diagnostic

_TOLERANCE = 0.005  # Azure rates late usage between the two answers
_CENT = 0.01


def checked(client: Any, scope: str, span: tuple[date, date], paths: Sequence[str]) -> list[Diagnostic]:  # noqa: ANN401
    """Compare the actual cost that files of a span come to with Azure's own sums, by currency.

    Args:
        client: a CostManagementClient.
        scope: what was asked for.
        span: first and last day.
        paths: the files of the actual report.

    Returns:
        A note where Azure gives no sums, a warning for each currency that differs by a cent and by 0.5 %.
    """
    from azure.core.exceptions import AzureError

    when = f"{span[0]:%Y-%m-%d} to {span[1]:%Y-%m-%d}"
    try:
        asked = _asked(client, scope, span)
    except AzureError as error:
        message = f"Azure gives no sums for {when} to check its report against ({str(error).splitlines()[0]})"
        return [Diagnostic(level="note", code="azure-not-checked", message=message, hint="compare with Cost analysis")]
    read = _read(paths)
    return [
        Diagnostic(
            level="warning",
            code="azure-sums-differ",
            message=f"for {when} Azure's own sum is {asked.get(currency, 0.0):,.2f} {currency}, "
            f"but the rows of its report come to {read.get(currency, 0.0):,.2f}",
            hint="a month that is still open changes; else read it again, and compare with Cost analysis",
        )
        for currency in sorted({*asked, *read})
        if _differ(asked.get(currency, 0.0), read.get(currency, 0.0))
    ]


def _asked(client: Any, scope: str, span: tuple[date, date]) -> dict[str, float]:  # noqa: ANN401
    """Return the sum of each currency."""
    question = {
        "type": "ActualCost",
        "timeframe": "Custom",
        "timePeriod": {"from": f"{span[0]:%Y-%m-%d}T00:00:00Z", "to": f"{span[1]:%Y-%m-%d}T23:59:59Z"},
        "dataset": {"granularity": "None", "aggregation": {"totalCost": {"name": "Cost", "function": "Sum"}}},
    }
    answer = client.query.usage(scope, question)
    if answer is None:
        return {}
    names = [column.name.casefold() for column in answer.columns or ()]
    rows = [dict(zip(names, row, strict=True)) for row in answer.rows or ()]
    sums: dict[str, float] = {}
    for row in rows:
        currency = str(row.get("currency", "USD"))
        sums[currency] = sums.get(currency, 0.0) + float(row["cost"])
    return sums


def _read(paths: Sequence[str]) -> dict[str, float]:
    frames = [normal(frame, Tags()).select("currency", "cost") for frame in scans(paths)]
    if not frames:
        return {}
    sums = pl.concat(frames).group_by("currency").agg(pl.col("cost").sum()).collect(engine="streaming")
    return dict(sums.iter_rows())


def _differ(one: float, other: float) -> bool:
    return abs(one - other) > max(_CENT, _TOLERANCE * max(abs(one), abs(other)))
