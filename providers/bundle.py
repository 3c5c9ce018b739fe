"""What ships with the program: the price book, and a fictional demo to try everything on."""

from importlib.resources import files

from providers.columns import Table
from providers.files import Source, from_bytes
from providers.tables import COMMITMENTS, OFFERS, USAGE


def price_book() -> Source:
    """Return the bundled list prices; every row says where and when it was read."""
    return _table("offers.csv", OFFERS)


def demo_usage() -> Source:
    """Return half a year of GPU use of a made-up company."""
    return _table("demo_usage.parquet", USAGE)


def demo_quotes() -> Source:
    """Return quotes that no vendor made."""
    return _table("demo_offers.csv", OFFERS)


def demo_commitments() -> Source:
    """Return what the made-up company owns."""
    return _table("demo_commitments.csv", COMMITMENTS)


def demo_settings_text() -> str:
    """Return what the made-up company allows its plan to do, as TOML."""
    return files("data").joinpath("demo.toml").read_text("utf-8")


def _table(name: str, table: Table) -> Source:
    return from_bytes(files("data").joinpath(name).read_bytes(), table, where=f"bundled/{name}")
