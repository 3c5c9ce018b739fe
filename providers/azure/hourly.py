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


def fetch(scope: str, *, folder: Path, client: Any = None) -> str:  # noqa: ANN401 - imported only where it is used
    """Ask for the charges of the last 60 days, check them, and return the file that holds Azure's answer.

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
        found = (client or new_client()).benefit_recommendations.list(
            f"subscriptions/{account}",
            filter=" AND ".join(f"properties/{name} eq '{value}'" for name, value in _ASKED.items()),
            expand="properties/usage",
        )
        answer = {"value": [_of(account, one.as_dict()) for one in found]}
    except AzureError as error:
        said = str(error).splitlines()[0]
        remedy = "log in (az login) with the role Cost Management Reader on that subscription, or try again later"
        raise InputError(where, f"gives no hourly charges ({said})", remedy) from None
    series_of(answer, where)
    path = folder / "azure-hourly.json"
    path.write_text(json.dumps(answer))
    return str(path)


def _of(account: str, one: dict[str, Any]) -> dict[str, Any]:
    """Return a recommendation that says which subscription it is of."""
    said = one.get("properties")
    return one | {"properties": {"subscriptionId": account, **said}} if said else one


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
