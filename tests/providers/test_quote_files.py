"""Quotes in a TOML file say what typed quotes say."""

import pytest

from providers.quote_files import read
from providers.quotes import offers_from
from providers.tables import InputError

SHEET = """
[[quote]]
provider = "coreweave"
gpu = "H100-SXM-80GB"
price = "22.40/node-h"
node = 8
gpus = "64..128"
lot = 16
term = "12mo"
prepaid = "25%"
start = 2027-01-01
valid_until = 2026-12-31
support = "10%"
overage = "3.10/h"
burst = "64gpus at 2.20/h"
status = "accepted"
note = "by phone, 2026-11-20"

[[quote]]
provider = "lambda"
gpu = "h100-sxm"
price = 2.1
gpus = 64
"""


def written(tmp_path, text):
    path = tmp_path / "quotes.toml"
    path.write_text(text)
    return str(path)


def test_keys_mean_what_typed_terms_mean(tmp_path):
    source = read(written(tmp_path, SHEET))
    terms = "8/node,64..128gpus,lot16,12mo,25% prepaid,from 2027-01-01,valid until 2026-12-31,support 10%"
    more = "overage 3.10/h,burst 64gpus at 2.20/h"
    typed = offers_from([f"coreweave:H100-SXM-80GB=22.40/node-h,{terms},{more}", "lambda:h100-sxm=2.1,64gpus"])
    apart = ["status", "note", "source"]
    assert source.frame.drop(apart).equals(typed.drop(apart))
    first, second = source.frame.rows(named=True)
    assert (first["status"], second["status"]) == ("accepted", "quote")
    assert first["note"] == "by phone, 2026-11-20; 22.40/node-h is 22.40 / 8 GPUs; on top: support 0.28/h"
    assert (first["source"], second["note"]) == ("quotes.toml", None)


def test_terms_of_large_deals(tmp_path):
    sheet = """
        [[quote]]
        provider = "x"
        gpu = "h100-sxm"
        price = "22.40/node-h"
        node = 8
        tiers = "64@20 256@18.4"
        exclusive = "x-deal"
        [[quote]]
        provider = "x"
        gpu = "h100-sxm"
        price = 2.1
        exit = "6mo"
        exclusive = "x-deal"
        [[quote]]
        provider = "aws"
        gpu = "any"
        price = "spend 2M"
        term = "36mo"
        discount = "8%"
    """
    texts = [
        "x:h100-sxm=22.40/node-h,8/node,tiers 64@20 256@18.4,exclusive=x-deal",
        "x:h100-sxm=2.1,exit after 6mo,exclusive=x-deal",
        "aws:any=spend 2M,36mo,8% off",
    ]
    frame = read(written(tmp_path, sheet)).frame
    assert frame.drop("source").equals(offers_from(texts).drop("source"))
    assert frame["spend_usd"].to_list() == [2_000_000, None, None]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("price = 2.1", ""), "quote 2: has no price; a quote needs provider, gpu, price"),
        (("gpus = 64\n", "gpu_s = 64\n"), "quote 2: has no key 'gpu_s'; did you mean gpus?"),
        (("gpus = 64\n", "gpus = [64]\n"), "quote 2: gpus is not one value"),
        (("gpus = 64\n", 'gpus = "64gpus,12mo"\n'), "quote 2: gpus is not one value"),
        (('term = "12mo"', 'term = "0mo"'), "column term_months: 0.0 is not above 0"),
        (('"accepted"', '"signed"'), "column status: signed is not a known value"),
        (("2.1", '"cheap"'), "'cheap' is not a price"),
        (("[[quote]]", "[[quotes]]"), "is no list of quotes; write each under a line [[quote]]"),
        (('"25%"', "25%"), "is no TOML"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, change, said):
    with pytest.raises(InputError) as refused:
        read(written(tmp_path, SHEET.replace(*change)))
    assert str(refused.value).startswith("quotes.toml: ")
    assert said in str(refused.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read(str(tmp_path / "none.toml"))
