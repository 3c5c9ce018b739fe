"""Azure's price list over HTTP, from a server on loopback that pages, throttles and breaks as the real one does."""

import re
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from json import dumps
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from providers.asking import Ask, StoppedError
from providers.azure import offers
from providers.azure.offers import items_of, next_page, retail
from providers.azure.retail import sizes
from providers.tables import InputError
from providers.web import Web

HERE = Path(__file__).parent


def _helper(path):
    spec = spec_from_file_location(f"azure_offers_{path.stem}", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


answering = _helper(HERE.with_name("loopback_server.py")).answering
_RETAIL = _helper(HERE / "test_retail.py")
H100, NOW, ON_DEMAND, SPOT = _RETAIL.H100, _RETAIL.NOW, _RETAIL.ON_DEMAND, _RETAIL.SPOT
SPOT_ITEM, item = _RETAIL.SPOT_ITEM, _RETAIL.item
SOLD = {H100: [item()], "Standard_NC24ads_A100_v4": [item(armSkuName="Standard_NC24ads_A100_v4", retailPrice=3.673)]}
PATH = "/api/retail/prices"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(offers, "Web", partial(Web, backoff_s=0))


def size_of(asked):
    return re.search(r"armSkuName eq '(\w+)'", asked.parameters["$filter"])[1]


def page(*items, link=None):
    return 200, {"BillingCurrency": "USD", "Items": list(items), "NextPageLink": link, "Count": len(items)}


def asking(url, **more):
    return Ask(now=NOW, urls={"azure-retail": url + PATH}, **more)


class Told:
    def __init__(self):
        self.expected = self.come = 0.0

    def expect(self, pages, _unit):
        self.expected += pages

    def advance(self, pages, _unit):
        self.come += pages


def test_every_size_with_gpus_is_asked_for_once_without_credentials():
    told = Told()
    with answering(lambda asked: page(*SOLD.get(size_of(asked), []))) as (url, asked):
        harvest = retail(asking(url, progress=told))
    assert sorted(map(size_of, asked)) == sorted(sizes().values())
    assert {one.parameters["api-version"] for one in asked} == {"2023-01-01-preview"}
    assert all("serviceName eq 'Virtual Machines'" in one.parameters["$filter"] for one in asked)
    assert all(one.authorization is None for one in asked)
    assert {(one.instance_type, one.hourly) for one in harvest.listings} == {
        (H100, ON_DEMAND), ("Standard_NC24ads_A100_v4", 3.673),
    }  # fmt: skip
    assert told.expected == told.come == len(sizes())


def test_further_pages_are_asked_for_at_the_place_that_was_asked():
    def reply(asked):
        if size_of(asked) != H100:
            return page()
        if "$skip" in asked.parameters:
            return page(SPOT_ITEM)
        link = f"https://prices.azure.com:443{PATH}?$filter=armSkuName eq '{H100}'&$skip=1000"
        return page(item(), link=link.replace(" ", "%20"))

    with answering(reply) as (url, _):
        harvest = retail(asking(url))
    assert [one.hourly for one in harvest.listings] == [ON_DEMAND, SPOT]


def test_a_link_to_somebody_else_is_not_followed():
    with (
        answering(lambda _: page(item(), link="https://evil.example/api?$skip=1")) as (url, asked),
        pytest.raises(InputError, match=r"further page at evil\.example"),
    ):
        retail(asking(url))
    assert len(asked) == 1


def test_the_sellers_own_links_stay_as_they_are():
    official = "https://prices.azure.com/api/retail/prices"
    link = f"{official}?$skip=1000"
    assert next_page(link, official, official, "list") == link


def test_pages_that_lead_in_a_circle_are_refused():
    with (
        answering(lambda _: page(item(), link=f"https://prices.azure.com{PATH}?$filter=x&$skip=1")) as (url, _),
        pytest.raises(InputError, match="again and again"),
    ):
        list(items_of(Web("list", backoff_s=0), url + PATH, H100, asking(url)))


@contextmanager
def _throttling():
    """Run a server that turns each first request away for a moment; give its address and the statuses it sent."""
    sent = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            size = re.search(r"armSkuName eq '(\w+)'", parse_qs(urlsplit(self.path).query)["$filter"][0])[1]
            first = (429, size) not in sent and size == H100
            sent.append((429 if first else 200, size))
            content = b"" if first else dumps(page(*SOLD.get(size, []))[1]).encode()
            self.send_response(sent[-1][0])
            if first:
                self.send_header("Retry-After", "1")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", sent
        finally:
            server.shutdown()
            thread.join()


def test_throttling_is_waited_out():
    with _throttling() as (url, sent):
        harvest = retail(asking(url))
    assert [status for status, size in sent if size == H100] == [429, 200]
    assert len(harvest.listings) == 2


def test_a_server_that_never_answers_is_an_error():
    with (
        answering(lambda _: (503, {})) as (url, asked),
        pytest.raises(InputError, match="does not answer after 5 more tries"),
    ):
        retail(asking(url))
    assert len(asked) == 6


def test_one_malformed_item_costs_one_warning():
    rows = {H100: [item(), item(retailPrice="a lot", armRegionName="westus")]}
    with answering(lambda asked: page(*rows.get(size_of(asked), []))) as (url, _):
        harvest = retail(asking(url))
    assert len(harvest.listings) == 1
    (found,) = harvest.found
    assert "1 of its rows cannot be read and are left out: ND96isr H100 v5" in found.message


@pytest.mark.parametrize(
    "reply", [(200, {"items": []}), (200, []), page({"sku": H100, "price": 98.32}), page()], ids=range(4)
)
def test_another_shape_is_an_error_and_no_empty_harvest(reply):
    with answering(lambda _: reply) as (url, _), pytest.raises(InputError, match="shape of the list has changed"):
        retail(asking(url))


def test_whoever_wants_the_work_to_end_is_heard_after_a_page():
    def reply(_):
        ask.stop.set()
        return page(item())

    with answering(reply) as (url, asked):
        ask = asking(url)
        with pytest.raises(StoppedError):
            retail(ask)
    assert len(asked) == 1
