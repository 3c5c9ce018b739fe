"""Google's price list of Compute Engine (gRPC), and a billing account's own prices (REST) -> listings of GPU machines.

Sources: Cloud Billing Catalog API v1, ListSkus; Cloud Billing Pricing API v1beta, billingAccounts.skus.prices.list.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

from providers.asking import Ask, NoCredentialsError
from providers.gcp.catalogue import Catalogue, Prices, Rate, catalogue, per_hour
from providers.gcp.node_prices import node_listings
from providers.listings import Harvest
from providers.names import few
from providers.tables import Diagnostic, InputError
from providers.web import Web

SERVICE = "services/6F81-5844-456A"  # Compute Engine
WHERE = "Google Cloud price list"
OWN_WHERE = "Google Cloud prices of the billing account"
PRICING_URL = "https://cloudbilling.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
RETRY_S, FIRST_WAIT_S, TIMEOUT_S = 120.0, 0.5, 60.0
LOG_IN = "log in (gcloud auth application-default login)"
_REFUSED = "check the key in GOOGLE_API_KEY, or log in again, and that the Cloud Billing API is enabled"
_PAGE = 5000  # the most that Google gives
_UNLIMITED = (("grpc.max_receive_message_length", -1),)
_SHOWN = 3


def prices(ask: Ask) -> Harvest:
    """Return what every GPU machine costs by Google's list, in USD an hour.

    Raises:
        NoCredentialsError: there is neither a key in GOOGLE_API_KEY nor a login.
        InputError: Google refuses, does not answer, or answers nothing that is understood.
    """
    read = read_catalogue(ask)
    found = Prices(read.rates)
    listings, notes = node_listings(found, ask, as_of=read.as_of, source="Google Cloud Billing Catalog API")
    return Harvest(listings=listings, found=(*read.found, *found.diagnostics(), *notes))


def negotiated(ask: Ask) -> Harvest:
    """Return what every GPU machine costs at the prices of the billing account in GOOGLE_BILLING_ACCOUNT.

    A SKU for which the account has no price of its own keeps that of the list.

    Raises:
        NoCredentialsError: no account is named, or there is no login.
        InputError: as `prices` does.
    """
    account = os.environ.get("GOOGLE_BILLING_ACCOUNT", "").removeprefix("billingAccounts/")
    if not account:
        raise NoCredentialsError(OWN_WHERE, "no account is named", "set GOOGLE_BILLING_ACCOUNT to its id")
    web, _ = signed(OWN_WHERE)
    read = read_catalogue(ask)
    base = ask.urls.get("gcp-negotiated", PRICING_URL).rstrip("/")
    rates, notes = _own(read.rates, _own_rows(web, f"{base}/v1beta/billingAccounts/{account}/skus/-/prices", ask))
    found = Prices(rates)
    source = "Google Cloud Billing Pricing API"
    listings, further = node_listings(
        found, ask, as_of=f"{ask.now:%Y-%m-%dT%H:%M:%SZ}", source=source, note="negotiated"
    )
    own = [replace(listing, variant="-".join(filter(None, (listing.variant, "negotiated")))) for listing in listings]
    return Harvest(listings=own, found=(*read.found, *notes, *found.diagnostics(), *further))


def read_catalogue(ask: Ask) -> Catalogue:
    """Read the price list of Compute Engine.

    Raises:
        NoCredentialsError, InputError: as `prices` does.
    """
    with _client(ask.urls.get("gcp-prices")) as client:
        return catalogue(_skus(client, ask), now=ask.now, where=WHERE)


def signed(where: str) -> tuple[Web, str | None]:
    """Return a session that is logged in by Google's own chain, and the project that the login names.

    Raises:
        NoCredentialsError: nobody is logged in.
        InputError: the login has expired.
    """
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
    from google.auth.transport.requests import Request

    headers: dict[str, str] = {}
    credentials: Any
    try:
        credentials, project = google.auth.default(scopes=[SCOPE])
        credentials.before_request(Request(), "GET", PRICING_URL, headers)
    except DefaultCredentialsError:
        raise NoCredentialsError(where, "nobody is logged in to Google Cloud", LOG_IN) from None
    except GoogleAuthError as error:
        raise InputError(where, f"the login is not accepted ({type(error).__name__})", LOG_IN) from None
    return Web(where, headers=headers), project


@contextmanager
def _client(url: str | None) -> Iterator[Any]:
    """Return a client of the catalogue: with a key, with a login, or without either for another address (grpc://)."""
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud.billing_v1 import CloudCatalogClient

    key = os.environ.get("GOOGLE_API_KEY")
    try:
        if url:
            client = CloudCatalogClient(transport=_transport(url))
        else:
            client = CloudCatalogClient(client_options={"api_key": key} if key else None)
    except DefaultCredentialsError:
        remedy = f"set GOOGLE_API_KEY, or {LOG_IN}"
        raise NoCredentialsError(WHERE, "there is no key, and nobody is logged in to Google Cloud", remedy) from None
    with client:
        yield client


def _transport(url: str) -> Any:  # noqa: ANN401 - imported only where it is used
    import grpc  # has no types
    from google.cloud.billing_v1.services.cloud_catalog.transports import CloudCatalogGrpcTransport

    return CloudCatalogGrpcTransport(channel=grpc.insecure_channel(url.removeprefix("grpc://"), options=_UNLIMITED))


def _skus(client: Any, ask: Ask) -> Iterator[Any]:  # noqa: ANN401
    """Return the SKUs of every page; how many pages there are, only the last one tells."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    request = {"parent": SERVICE, "currency_code": "USD", "page_size": _PAGE}
    ask.expect(1)
    try:
        for page in client.list_skus(request=request, retry=_retry(), timeout=TIMEOUT_S).pages:
            if page.next_page_token:
                ask.expect(1)
            yield from page.skus
            ask.advance()
    except (GoogleAPIError, GoogleAuthError) as error:
        raise _refusal(error) from None


def _retry() -> Any:  # noqa: ANN401
    from google.api_core import exceptions
    from google.api_core.retry import Retry, if_exception_type

    again = (
        exceptions.ServiceUnavailable,
        exceptions.ResourceExhausted,
        exceptions.InternalServerError,
        exceptions.DeadlineExceeded,
    )
    return Retry(predicate=if_exception_type(*again), initial=FIRST_WAIT_S, maximum=30.0, timeout=RETRY_S)


def _refusal(error: Exception) -> InputError:
    """Return what to say of an error; Google's own text is left out, as it may hold what was sent."""
    from google.api_core.exceptions import ClientError
    from google.auth.exceptions import GoogleAuthError

    name = type(error).__name__
    if isinstance(error, ClientError | GoogleAuthError):
        return InputError(WHERE, f"Google refuses ({name})", _REFUSED)
    return InputError(WHERE, f"does not answer ({name})", "try again later")


def _own_rows(web: Web, url: str, ask: Ask) -> Iterator[Mapping[str, Any]]:
    token = None
    ask.expect(1)
    while token != "":
        page = web.get(url, {"currencyCode": "USD", "pageSize": str(_PAGE)} | ({"pageToken": token} if token else {}))
        if not isinstance(page, dict):
            raise InputError(OWN_WHERE, "answers something of another shape", "try a newer version of tranche")
        token = page.get("nextPageToken", "")
        if token:
            ask.expect(1)
        yield from page.get("billingAccountPrices", ())
        ask.advance()


def _own(rates: Sequence[Rate], rows: Iterator[Mapping[str, Any]]) -> tuple[list[Rate], list[Diagnostic]]:
    """Put the prices of an account into rates, and tell what is not understood.

    Raises:
        InputError: the account has no price for any of them.
    """
    needed, own, odd = {rate.sku for rate in rates}, {}, []
    for row in rows:
        sku = str(row.get("name", "")).removesuffix("/price").rpartition("/")[2]
        if sku in needed:
            try:
                own[sku] = _own_price(row)
            except (LookupError, TypeError, ValueError, ArithmeticError):
                odd.append(sku)
    if not own:
        problem = "has no price of any part of a GPU machine that is understood"
        raise InputError(OWN_WHERE, problem, "check GOOGLE_BILLING_ACCOUNT, or try a newer version of tranche")
    kept = len(needed) - len(own)
    return [replace(rate, hourly=own.get(rate.sku, rate.hourly)) for rate in rates], list(_kept(kept, odd))


def _own_price(row: Mapping[str, Any]) -> Decimal:
    rate = row["rate"]
    money, unit = rate["tiers"][-1]["contractPrice"], rate["unitInfo"]
    quantity = Decimal(unit.get("unitQuantity", {}).get("value", "1"))
    if row["currencyCode"] != "USD":
        raise ValueError("currency")
    return per_hour((int(money.get("units", 0)), int(money.get("nanos", 0))), unit["unit"]) / quantity


def _kept(kept: int, odd: Sequence[str]) -> Iterator[Diagnostic]:
    if kept:
        text = f"{kept} SKUs of GPU machines have no price of the account; that of the list is used"
        yield Diagnostic(level="note", code="gcp-list-price-kept", message=text, where=OWN_WHERE)
    if odd:
        text = f"{len(odd)} prices of the account are not understood, such as those of {few(odd, _SHOWN)}"
        hint = "the list price is used for them; try again with a newer version of tranche"
        yield Diagnostic(level="warning", code="gcp-malformed-price", message=text, hint=hint, where=OWN_WHERE)
