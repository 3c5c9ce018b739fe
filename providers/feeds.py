"""Every feed of prices and commitments: one API or list of one seller, read whole or not at all."""

from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

from providers.asking import Ask
from providers.listings import Harvest
from providers.store import COMMITMENTS, OFFERS
from providers.tables import InputError


class Feed(NamedTuple):
    """A feed: its module and the function that reads it, what it brings and needs, and the table that it fills."""

    module: str
    function: str
    about: str
    needs: str = ""
    table: str = OFFERS

    @property
    def group(self) -> str:
        """Return the package it is in, by which all feeds of one cloud can be named."""
        return self.module.split(".")[1]

    def read(self, ask: Ask) -> Harvest:
        """Ask for everything.

        Raises:
            NoCredentialsError: it needs some and there are none.
            InputError: it cannot be reached, refuses, or answers what nobody understands.
            StoppedError: somebody wants the work to end.
        """
        harvest: Harvest = getattr(import_module(self.module), self.function)(ask)
        return harvest


KEY, LOGIN = "a key in {}", "a login ({})"
FEEDS: dict[str, Feed] = {
    "aws-prices": Feed(
        "providers.aws.offers", "on_demand_and_reserved", "on-demand and reserved prices", LOGIN.format("AWS")
    ),
    "aws-savings-plans": Feed("providers.aws.offers", "savings_plans", "savings plan rates", LOGIN.format("AWS")),
    "aws-spot": Feed("providers.aws.spot", "spot", "spot prices by zone, and interruptions", LOGIN.format("AWS")),
    "aws-capacity-blocks": Feed(
        "providers.aws.capacity_blocks", "capacity_blocks", "capacity blocks that can be had", LOGIN.format("AWS")
    ),
    "aws-commitments": Feed("providers.aws.commitments", "owned", "what is owned", LOGIN.format("AWS"), COMMITMENTS),
    "gcp-prices": Feed(
        "providers.gcp.offers", "prices", "on-demand, spot, CUD and DWS prices", "a login, or a key in GOOGLE_API_KEY"
    ),
    "gcp-negotiated": Feed(
        "providers.gcp.offers", "negotiated", "the account's own prices", "a login, and GOOGLE_BILLING_ACCOUNT"
    ),
    "gcp-commitments": Feed(
        "providers.gcp.resource_commitments", "owned", "what is owned", "a login that names a project", COMMITMENTS
    ),
    "azure-retail": Feed("providers.azure.offers", "retail", "on-demand, spot, reserved and savings plan prices"),
    "azure-price-sheet": Feed(
        "providers.azure.offers", "negotiated", "the account's own prices", "a login, and AZURE_BILLING_SCOPE"
    ),
    "azure-commitments": Feed(
        "providers.azure.commitments", "owned", "what is owned", LOGIN.format("Azure"), COMMITMENTS
    ),
    "lambda": Feed("providers.gpu_clouds.lambda_labs", "prices", "on-demand prices", KEY.format("LAMBDA_API_KEY")),
    "runpod": Feed("providers.gpu_clouds.runpod", "prices", "on-demand, spot and savings plan prices"),
    "vast": Feed("providers.gpu_clouds.vast", "prices", "the market's median prices"),
    "digitalocean": Feed(
        "providers.gpu_clouds.digitalocean", "prices", "on-demand prices", KEY.format("DIGITALOCEAN_TOKEN")
    ),
    "vultr": Feed("providers.gpu_clouds.vultr", "prices", "on-demand prices"),
    "oci": Feed("providers.gpu_clouds.oci", "prices", "on-demand prices"),
    "hyperstack": Feed(
        "providers.gpu_clouds.hyperstack",
        "prices",
        "on-demand, spot and reserved prices",
        KEY.format("HYPERSTACK_API_KEY"),
    ),
    "shadeform": Feed(
        "providers.gpu_clouds.shadeform", "prices", "prices of many clouds", KEY.format("SHADEFORM_API_KEY")
    ),
    "skypilot": Feed("providers.catalogues.skypilot", "prices", "SkyPilot's catalogue of clouds without a feed here"),
    "gpuhunt": Feed("providers.catalogues.gpuhunt", "prices", "gpuhunt's catalogue of clouds without a feed here"),
}


def chosen(names: Sequence[str]) -> dict[str, Feed]:
    """Return the feeds of the names given, of feeds or of groups such as aws and gpu_clouds; of none, all.

    Raises:
        InputError: nothing is called like that.
    """
    if not names:
        return FEEDS
    found = {name: feed for name, feed in FEEDS.items() if name in names or feed.group in names}
    known = {*FEEDS, *(feed.group for feed in FEEDS.values())}
    for name in names:
        if name not in known:
            raise InputError(name, "is no feed of prices", f"use one of {', '.join(sorted(known))}")
    return found
