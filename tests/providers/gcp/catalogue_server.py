"""A gRPC server on loopback that lists SKUs as Google's Cloud Billing Catalog API does, and remembers what is asked."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import grpc
from google.cloud.billing_v1.types import ListSkusRequest, ListSkusResponse, Sku

METHOD = "/google.cloud.billing.v1.CloudCatalog/ListSkus"
REGIONS = ("us-central1",)


def sku(
    description: str,
    price: str,
    unit: str = "h",
    *,
    usage: str = "OnDemand",
    regions: Sequence[str] = REGIONS,
    name: str | None = None,
    currency: str = "USD",
) -> Sku:
    """Return a SKU as the API sends it: a price of whole units and billionths, in one tier."""
    whole, part = divmod(Decimal(price), 1)
    money = {"currency_code": currency, "units": int(whole), "nanos": int(part * 10**9)}
    expression = {"usage_unit": unit, "tiered_rates": [{"start_usage_amount": 0, "unit_price": money}]}
    return Sku(
        name=f"services/6F81-5844-456A/skus/{name or description}",
        sku_id=name or description,
        description=description,
        category={"resource_family": "Compute", "usage_type": usage},
        service_regions=list(regions),
        pricing_info=[{"effective_time": "2026-11-26T21:14:02Z", "pricing_expression": expression}],
    )


class Server:
    """Answers each request with its page, once the refusals in front of it are used up."""

    def __init__(self, pages: Sequence[Sequence[Sku]], refusals: Sequence[grpc.StatusCode] = ()) -> None:
        self.pages, self.refusals = pages, list(refusals)
        self.requests: list[ListSkusRequest] = []
        self.headers: list[dict[str, Any]] = []
        self.url = ""
        self.after: Callable[[], None] = lambda: None

    def answer(self, request: ListSkusRequest, context: grpc.ServicerContext) -> ListSkusResponse:
        self.requests.append(request)
        self.headers.append(dict(context.invocation_metadata()))
        if self.refusals:
            context.abort(self.refusals.pop(0), "refused for SECRET")
        page = int(request.page_token or 0)
        self.after()
        token = str(page + 1) if page + 1 < len(self.pages) else ""
        return ListSkusResponse(skus=self.pages[page], next_page_token=token)


@contextmanager
def listing(*pages: Sequence[Sku], refusals: Sequence[grpc.StatusCode] = ()) -> Iterator[Server]:
    """Run a server with pages of SKUs; `url` is where it listens."""
    server = Server(pages, refusals)
    handler = grpc.unary_unary_rpc_method_handler(
        server.answer,
        request_deserializer=ListSkusRequest.deserialize,
        response_serializer=ListSkusResponse.serialize,
    )
    with ThreadPoolExecutor(2) as pool:
        running = grpc.server(pool)
        service, method = METHOD.strip("/").split("/")
        running.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {method: handler})])
        port = running.add_insecure_port("127.0.0.1:0")
        running.start()
        server.url = f"grpc://127.0.0.1:{port}"
        try:
            yield server
        finally:
            running.stop(None).wait()
