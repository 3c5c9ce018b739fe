"""The language of edits: read, written, applied."""

import re
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.diagnostics import UsageError
from app.edits import FORMS, Edit, read
from app.session import Request, load
from providers.quotes import QuoteError, counter_terms

GPU = "H100-SXM-80GB"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
HOLDING, USAGE = "holding_usd_per_gpu_hour", "usage_usd_per_gpu_hour"
OFFERS = (
    f"b:{GPU}=2/h,128gpus,12mo,name=q",
    f"b:{GPU}=0.60+1.80/h,flex,12mo,8/node,name=two part",
    f"c:{GPU}=2.5/h,32..96gpus,lot8,12mo,name=range",
)


@pytest.fixture
def session(files):
    return load(Request(now=NOW, usage=(files.usage,), offers=(files.offers,), offer=OFFERS, limit=("spot<=40%",)))


def row(session, offer):
    return session.inputs.offers.filter(offer_id=offer).row(0, named=True)


@pytest.mark.parametrize(
    ("typed", "option", "node", "cells"),
    [
        ("2.10 24mo 128", "contract", None, {HOLDING: 2.1, "term_months": 24, "min_gpus": 128, "max_gpus": 128}),
        (" $2.10/h ", "contract", None, {HOLDING: 2.1}),
        (".5", "reserved", None, None),
        ("0.5", "reserved", None, {HOLDING: 0.5}),
        ("16.80/node-h", "contract", 8, {HOLDING: 2.1}),
        ("16.80/node-h", "contract", None, None),
        ("1533/mo", "contract", None, {HOLDING: 2.1}),
        ("1.1 + 2.6", "flex", None, {HOLDING: 1.1, USAGE: 2.6}),
        ("1.1", "flex", None, {HOLDING: 1.1}),
        ("2", "spot", None, {USAGE: 2.0}),
        ("1.1 + 2.6", "contract", None, None),
        ("2y", "contract", None, {"term_months": 24}),
        ("2.1 32..96gpus lot8", "contract", None, {HOLDING: 2.1, "min_gpus": 32, "max_gpus": 96, "lot_gpus": 8}),
        (
            "2.1, ramp 64@1 128@4, 25% prepaid",
            "contract",
            None,
            {HOLDING: 2.1, "ramp": "64@1 128@4", "upfront_share": 0.25},
        ),
        ("2.1 2.2", "contract", None, None),
        ("2.1 128 64", "contract", None, None),
        ("2.1 name=x", "contract", None, None),
        ("2.1 spot", "contract", None, None),
        ("2.1", "prepaid", None, None),
        ("support 10%", "contract", None, None),
        ("2.1e3", "contract", None, None),
        ("two", "contract", None, None),
        ("", "contract", None, None),
        ("nan", "contract", None, None),
    ],
)
def test_terms_are_read_as_a_vendor_says_them(typed, option, node, cells):
    if cells is None:
        with pytest.raises(QuoteError):
            counter_terms(typed, option=option, node=node)
    else:
        assert counter_terms(typed, option=option, node=node) == pytest.approx(cells)


@given(
    offer=st.text(min_size=1, max_size=20),
    text=st.from_regex(r"[a-z0-9.%$]{1,5}( [a-z0-9.]{1,5}){0,3}", fullmatch=True),
)
@settings(max_examples=200)
def test_an_edit_that_is_written_is_read_as_the_same(offer, text):
    for verb in ("counter", "note", "accept"):
        edit = Edit(verb=verb, offer=offer, text=text)
        assert read(str(edit)) == edit
    for verb in ("decline", "reopen"):
        assert read(f"{verb} {str(edit).split(' ', 1)[1][: -len(text)]}").offer == offer
    for verb in ("quote", "limit"):
        assert read(f"{verb}   {text} ") == Edit(verb=verb, text=text)


@given(st.text(max_size=40))
def test_any_line_is_an_edit_or_a_named_error(line):
    for typed in (line, *(f"{verb} {line}" for verb in FORMS)):
        with suppress(UsageError):
            assert read(typed).verb in FORMS


def test_a_counter_changes_the_terms_that_it_names(session):
    before, after = row(session, "range"), row(session.after("counter range 2.1 24mo 64"), "range")
    assert {name for name in before if before[name] != after[name]} == {HOLDING, "term_months", "min_gpus", "max_gpus"}
    assert (after[HOLDING], after["term_months"], after["min_gpus"], after["max_gpus"]) == (2.1, 24, 64, 64)
    two = row(session.after("counter 'two part' 4.00/node-h, from 2027-01-01"), "two part")
    assert (two[HOLDING], two[USAGE], two["start"]) == (0.5, 1.8, datetime(2027, 1, 1, tzinfo=UTC))


def test_a_quote_that_is_typed_stands_beside_the_others(session):
    twice = session.after(f"quote d:{GPU}=1.85/h,64gpus,12mo").after(f"quote d:{GPU}=1.80/h,64gpus,12mo")
    names = set(twice.inputs.offers["offer_id"]) - set(session.inputs.offers["offer_id"])
    assert names == {"d-h100-sxm-80gb-quote", "d-h100-sxm-80gb-quote-2"}
    assert twice.plan().summary.cost < session.plan().summary.cost
    assert [found.message for found in twice.diagnostics if found.code == "typed-edit"] == [
        f"typed: quote d:{GPU}=1.85/h,64gpus,12mo",
        f"typed: quote d:{GPU}=1.80/h,64gpus,12mo",
    ]


def test_what_is_accepted_is_bought_and_what_is_declined_is_not(session):
    dear = session.after("counter q 9")
    assert not [bought for bought in dear.plan().purchases if bought.tariff.offer_id == "q"]
    [bought] = [bought for bought in dear.after("accept q").plan().purchases if bought.tariff.offer_id == "q"]
    assert bought.gpus == 128
    with pytest.raises(UsageError, match="names no one number of GPUs; write accept range 64"):
        session.after("accept range")
    [bought] = [one for one in session.after("accept range 64").plan().purchases if one.tariff.offer_id == "range"]
    assert bought.gpus == 64
    cheap = session.after("counter q 0.1")
    assert [bought.gpus for bought in cheap.plan().purchases if bought.tariff.offer_id == "q"] == [128]
    declined = cheap.after("decline q").plan()
    assert "q" not in {bought.tariff.offer_id for bought in declined.purchases}
    assert "q" not in {value.tariff.offer_id for value in declined.walk_away}
    assert cheap.after("decline q").after("reopen q").plan().summary.cost == cheap.plan().summary.cost


def test_a_note_changes_no_figure(session):
    noted = session.after("note q they can start in   March")
    assert row(noted, "q")["note"] == "they can start in March"
    assert noted.plan().summary == session.plan().summary


def test_limits_come_and_go(session):
    assert session.after("limit spot<=60%").inputs.limits.described() == {"spot": "60%"}
    assert session.after("limit upfront<=1M").inputs.limits.described() == {"spot": "40%", "upfront": "1000000"}
    assert session.after("limit spot").inputs.limits.described() == {}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("buy q", "'buy' is no edit; the edits are counter"),
        ("counter q", "cannot be read; write counter OFFER TERMS"),
        ("counter", "cannot be read; write counter OFFER TERMS"),
        ("counter 'q 2", "quotation mark that is not closed"),
        ("counter od 2", "there is no quote 'od'"),
        ("counter rang 2", "did you mean range?"),
        ("counter q 2 lot0", "lot_gpus"),
        ("counter q 2.1 0mo", "term_months"),
        ("accept q many", "'many' is no number of GPUs"),
        ("accept q -3", "'-3' is no number of GPUs"),
        ("decline q now", "cannot be read; write decline OFFER"),
        ("quote x", "does not name provider, GPU and price"),
        ("limit spot<=x", "has a value that cannot be read"),
        ("limit upfront", "there is no limit 'upfront'; there are spot"),
    ],
)
def test_what_cannot_be_is_one_line(session, line, said):
    with pytest.raises(UsageError, match=re.escape(said)) as raised:
        session.after(line)
    assert "\n" not in str(raised.value)
