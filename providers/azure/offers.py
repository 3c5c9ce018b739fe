"""Azure's public price list, and the price sheet of a billing account -> prices of GPU machines.

The public list is asked for one VM size after the other, because the order of its rows is not stable from page to page
and a size has few. The price sheet is what Microsoft and the customer agreed; it needs a login and a billing scope.
"""

import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from providers.asking import Ask, NoCredentialsError
from providers.azure import price_sheet
from providers.azure.retail import SHAPE_REMEDY, harvest, rows_of, sizes
from providers.listings import Harvest
from providers.tables import InputError
from providers.web import Web

PRICES = "https://prices.azure.com/api/retail/prices"
MANAGEMENT = "https://management.azure.com"
RETAIL, SHEET = "Azure Retail Prices API", "Azure price sheet"
SCOPE_VARIABLE = "AZURE_BILLING_SCOPE"
LOGIN = "log in (az login)"
_VERSION = "2023-01-01-preview"
_SCOPE = re.compile(
    r"/?providers/microsoft\.billing/billingaccounts/([^/\s]+)(?:/billingprofiles/([^/\s]+))?/?", re.IGNORECASE
)
Fetch = Callable[[str, Path], None]


def retail(ask: Ask) -> Harvest:
    """Return what anybody pays for each GPU machine of Azure: on demand, spot, reserved and with savings plans.

    Raises:
        InputError: the list cannot be reached, or says nothing that is understood.
        StoppedError: somebody wants the work to end.
    """
    base, web = ask.urls.get("azure-retail", PRICES), Web(RETAIL)
    ask.expect(len(sizes()))
    items = chain.from_iterable(items_of(web, base, size, ask) for size in sizes().values())
    return harvest(items, partial(rows_of, now=ask.now), ask, source=RETAIL)


def items_of(web: Web, base: str, size: str, ask: Ask) -> Iterator[Any]:
    """Return the rows of the public list about one VM size, in every region.

    Raises:
        InputError: they cannot be read to the end.
        StoppedError: somebody wants the work to end.
    """
    about = f"serviceName eq 'Virtual Machines' and armSkuName eq '{size}'"
    answer = web.get(base, {"api-version": _VERSION, "$filter": about})
    paging = Paging(base=base, official=PRICES, where=RETAIL, what=size, items="Items", link="NextPageLink")
    yield from paging.rows(web, answer, ask)


class Paging(NamedTuple):
    """How the rows of one list are spread over pages.

    base, official: the address asked, and the one that Azure's links name. where, what: the list, for messages. items,
    link: the keys of a page's rows and of the link to the next.
    """

    base: str
    official: str
    where: str
    what: str
    items: str
    link: str

    def rows(self, web: Web, answer: Any, ask: Ask) -> Iterator[Any]:  # noqa: ANN401 - JSON
        """Return the rows of a first page and of all that follow.

        Raises:
            InputError: a page is no such page, or has been there before.
        """
        followed = set()
        while True:
            rows = answer.get(self.items) if isinstance(answer, dict) else None
            if not isinstance(rows, list):
                raise InputError(self.where, f"answers {self.what} without a list of {self.items}", SHAPE_REMEDY)
            ask.advance()
            yield from rows
            link = answer.get(self.link)
            if not link:
                return
            if link in followed:
                raise InputError(self.where, f"sends the same page of {self.what} again and again", "try again later")
            followed.add(link)
            ask.expect(1)
            answer = web.get(next_page(link, self.base, self.official, self.where))


def next_page(link: object, base: str, official: str, where: str) -> str:
    """Return the address of a further page at the place that was asked: a mirror keeps the seller's own links.

    Raises:
        InputError: the link leads to somebody else, who would be told what is asked, and with which login.
    """
    to, here = urlsplit(str(link)), urlsplit(base)
    if to.hostname not in (here.hostname, urlsplit(official).hostname):
        raise InputError(where, f"links to a further page at {to.hostname}", "try again later, or check the mirror")
    return to._replace(scheme=here.scheme, netloc=here.netloc).geturl()


def negotiated(
    ask: Ask,
    *,
    client: Any = None,  # noqa: ANN401 - imported only where it is used
    fetch: Fetch | None = None,
) -> Harvest:
    """Return what this customer pays for GPU machines, from the price sheet of the billing account in the environment.

    Args:
        ask: what for.
        client: a CostManagementClient; without one, Azure's own chain of credentials.
        fetch: how a link to a finished sheet is fetched.

    Raises:
        NoCredentialsError: there is no billing scope, or no login.
        InputError: the login has expired, has no access, or the sheet cannot be read.
        StoppedError: somebody wants the work to end.
    """
    account, profile = _scope()
    from azure.core.exceptions import AzureError

    ask.expect(2)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "sheet"
        try:
            link = _link(client or _client(ask), account, profile, ask)
            ask.advance()
            (fetch or _fetch)(link, path)
        except AzureError as error:
            raise refused(error, SHEET, "with a role that may see charges on that billing account") from None
        ask.advance()
        read = partial(price_sheet.rows_of, now=ask.now)
        return harvest(price_sheet.lines(path, SHEET), read, ask, source=SHEET, note="negotiated")


def refused(error: Exception, where: str, remedy: str) -> InputError:
    """Return what to raise for an error of the SDK; it says no more of it than its code, which holds no secret."""
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

    code = re.search(r"AADSTS\d+", str(error))
    response = getattr(error, "response", None)
    if isinstance(error, ClientAuthenticationError) and not code and response is None:
        return NoCredentialsError(where, "there is no login to Azure", f"{LOGIN} {remedy}")
    if code:
        return InputError(where, f"the login to Azure is refused or has expired ({code[0]})", f"{LOGIN} {remedy}")
    status = f"answers {error.status_code}" if isinstance(error, HttpResponseError) and error.status_code else ""
    problem = status or f"cannot be reached ({type(error).__name__})"
    return InputError(where, problem, f"{LOGIN} {remedy}, or try again later")


def _scope() -> tuple[str, str | None]:
    given = os.environ.get(SCOPE_VARIABLE, "").strip()
    shape = "/providers/Microsoft.Billing/billingAccounts/ID[/billingProfiles/ID]"
    if not given:
        raise NoCredentialsError(SHEET, f"{SCOPE_VARIABLE} is not set", f"set it to {shape}")
    match = _SCOPE.fullmatch(given)
    if not match:
        raise InputError(SHEET, f"{SCOPE_VARIABLE} is no billing scope", f"set it to {shape}")
    if ":" in match[1] and not match[2]:  # as the ids of Customer Agreements are, whose sheets belong to a profile
        raise InputError(SHEET, f"{SCOPE_VARIABLE} names no billing profile", "add /billingProfiles/ID")
    return match[1], match[2]


def _link(client: Any, account: str, profile: str | None, ask: Ask) -> str:  # noqa: ANN401
    """Have the sheet of this month written, and return where it is.

    Customer Agreements answer with a `downloadUrl`, Enterprise Agreements with `properties.reportUrl`; both may come
    within `properties`.
    """
    sheets = client.price_sheet
    if profile:
        poller = sheets.begin_download_by_billing_profile(account, profile)
    else:
        poller = sheets.begin_download_by_billing_account(account, f"{ask.now:%Y%m}")
    answer = poller.result() or {}
    inner = answer.get("properties") or {}
    link = next((place[key] for place in (answer, inner) for key in ("downloadUrl", "reportUrl") if place.get(key)), "")
    if not link:
        raise InputError(SHEET, "was not written", "try again later")
    return str(link)


def _client(ask: Ask) -> Any:  # noqa: ANN401
    from azure.identity import DefaultAzureCredential
    from azure.mgmt.costmanagement import CostManagementClient

    return CostManagementClient(DefaultAzureCredential(), base_url=ask.urls.get("azure-price-sheet", MANAGEMENT))


def _fetch(link: str, path: Path) -> None:
    """Fetch a finished sheet, whose link is its permission."""
    from azure.storage.blob import BlobClient

    with path.open("wb") as file, BlobClient.from_blob_url(link) as blob:
        blob.download_blob().readinto(file)
