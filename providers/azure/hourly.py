"""Azure's one hourly series: what a subscription was charged on demand in each hour, as savings plans would see it.

Azure bills by the day. Its savings plan recommendations (Microsoft.CostManagement/benefitRecommendations) come with the
charges that they were computed from, an hour each, of everything in the subscription that a savings plan could cover.
Whether that is what its GPU machines cost is for `optimizer.day_shapes` to see.
"""

import json
import re
from pathlib import Path
from typing import Any

from providers.azure.api import new_client
from providers.azure.hourly_series import series_of
from providers.tables import InputError

_ASKED = {"scope": "Single", "lookBackPeriod": "Last60Days", "term": "P1Y"}
_SCOPE = re.compile(r"/?subscriptions/([^/]+)/?", re.IGNORECASE)
_GROUP = re.compile(r"/?subscriptions/([^/]+)/resourceGroups/.+", re.IGNORECASE)
_PLANS = ("compute_savings_plan", "")
_NOTHING = "gives no hourly charges: nothing there ran on demand that a savings plan could cover"


def fetch(scope: str, *, folder: Path, client: Any = None) -> str:  # noqa: ANN401 - imported only where it is used
    """Ask for the charges of the last 60 days, check them, and return the file that holds them.

    Args:
        scope: /subscriptions/ID.
        folder: where to write.
        client: a CostManagementClient; without one, Azure's own chain of credentials.

    Raises:
        InputError: the scope is no subscription, there are no credentials, no permission or no charges, or what comes
            is no series of hours.
    """
    where = f"azure-hourly:{scope}"
    account = _subscription(scope, where)
    from azure.core.exceptions import AzureError

    try:
        answers = list(
            (client or new_client()).benefit_recommendations.list(
                f"subscriptions/{account}",
                filter=" AND ".join(f"properties/{name} eq '{value}'" for name, value in _ASKED.items()),
                expand="properties/usage",
            )
        )
    except AzureError as error:
        said = str(error).splitlines()[0]
        remedy = "log in (az login) with the role Cost Management Reader on that subscription, or try again later"
        raise InputError(where, f"gives no hourly charges ({said})", remedy) from None
    saved = _saved(_one(answers, where), account)
    series_of(saved, where)
    path = folder / "azure-hourly.json"
    path.write_text(json.dumps(saved))
    return str(path)


def _subscription(scope: str, where: str) -> str:
    """Return the ID of a subscription.

    A bill has no column that says which resource group a row is of once its machine is named, so that the rows of one
    could not be held against its series; and a billing scope is many subscriptions in one sum.
    """
    found = _SCOPE.fullmatch(scope)
    if found:
        return found[1]
    if group := _GROUP.fullmatch(scope):
        problem = "is a resource group, whose machines are not told apart from others in the table of a bill"
        raise InputError(where, problem, f"name the whole subscription: azure-hourly:/subscriptions/{group[1]}")
    problem = "is no subscription, and the charges of several are one sum that no machine can be held against"
    raise InputError(where, problem, "write azure-hourly:/subscriptions/ID, once for each subscription")


def _one(answers: list[Any], where: str) -> Any:  # noqa: ANN401
    """Return what is said of compute; other plans (databases) have series of their own."""
    found = [one.properties for one in answers if one.properties and _is_of_compute(one.properties)]
    if not found:
        remedy = "wait until machines have run there for some days, or do without: the bill's days then stay days"
        raise InputError(where, _NOTHING, remedy)
    if len(found) > 1:
        raise InputError(where, f"gives {len(found)} series where one is expected", "report this with the answer")
    return found[0]


def _is_of_compute(said: Any) -> bool:  # noqa: ANN401
    charges = said.usage.charges if said.usage else None
    return bool(charges) and (said.arm_sku_name or "").casefold() in _PLANS


def _saved(said: Any, account: str) -> dict[str, Any]:  # noqa: ANN401
    """Return what is kept of an answer; `providers.azure.hourly_series` reads it."""
    first, last = said.first_consumption_date, said.last_consumption_date
    return {
        "tranche_source": "azure_hourly",
        "subscription": account,
        "currency": said.currency_code,
        "first": first and first.isoformat(),
        "last": last and last.isoformat(),
        "grain": said.usage.usage_grain and str(getattr(said.usage.usage_grain, "value", said.usage.usage_grain)),
        "hours": said.total_hours,
        "charges": [float(charge) for charge in said.usage.charges],
    }
