"""What is planned from: only what was given, or the demo, labelled."""

from datetime import UTC, datetime

import pytest

from app.diagnostics import UsageError
from app.session import Request, load

NOW = datetime(2026, 11, 21, tzinfo=UTC)
GPU = "H100-SXM-80GB"


def test_without_usage_everything_is_the_demo_and_says_so(files):
    session = load(Request(now=NOW))
    assert session.demo
    assert [origin.path for origin in session.offers] == ["bundled/offers.csv", "bundled/demo_offers.csv"]
    assert [origin.path for origin in session.commitments] == ["bundled/demo_commitments.csv"]
    assert session.config is not None
    assert session.config.path == "bundled/demo.toml"
    assert session.inputs.limits.spot == pytest.approx(0.4)
    assert session.inputs.months == 12
    label = next(found for found in session.diagnostics if found.code == "demo")
    assert label.message.startswith("demo data: fictional usage and quotes on the bundled price book of 2025-")


def test_given_offers_are_the_only_offers(files):
    session = load(Request(now=NOW, usage=(files.usage,), offers=(files.offers,)))
    assert session.inputs.offers["offer_id"].to_list() == ["od"]
    assert session.inputs.commitments is None
    assert not session.demo
    assert session.diagnostics == ()


def test_a_typed_quote_alone_is_the_only_offer(files):
    session = load(Request(now=NOW, usage=(files.usage,), offer=(f"b:{GPU}=2/h",)))
    assert session.inputs.offers["offer_id"].to_list() == [f"b-{GPU.lower()}-quote"]


def test_usage_alone_is_priced_by_the_bundle_which_says_how_old_it_is(files):
    session = load(Request(now=NOW, usage=(files.usage,)))
    assert [origin.path for origin in session.offers] == ["bundled/offers.csv"]
    [note] = session.diagnostics
    assert note.code == "bundled-prices"
    assert note.message.endswith("2026-11-09; the newest is 12 days old")


def test_the_bundle_can_be_asked_for_beside_a_quote(files):
    session = load(Request(now=NOW, usage=(files.usage,), offers=("bundled",), offer=(f"b:{GPU}=2/h",)))
    assert [origin.path for origin in session.offers] == ["bundled/offers.csv", "--offer"]


def test_a_quote_typed_on_the_demo_comes_on_top(files):
    session = load(Request(now=NOW, offer=(f"b:{GPU}=2/h",)))
    assert [origin.path for origin in session.offers][-2:] == ["bundled/demo_offers.csv", "--offer"]


def test_several_files_are_one_table_with_hours_in_order(files):
    late, early = files.table("late.csv", files.hours()[4:]), files.table("early.csv", files.hours()[:4])
    session = load(Request(now=NOW, usage=(late, early), offers=(files.offers,)))
    assert session.inputs.usage["hour"].is_sorted()
    assert [origin.rows for origin in session.usage] == [4, 4]


def test_gpu_names_become_canonical_and_unknown_ones_warn_once(files):
    rows = files.hours()
    names = ["nvidia_h100_80gb_hbm3", "H100-SXM", "GTX 9999", "GTX 9999", "H100", "Vega", GPU, GPU]
    usage = files.table("names.csv", [{**row, "gpu_model": name} for row, name in zip(rows, names, strict=True)])
    session = load(Request(now=NOW, usage=(usage,), offers=(files.offers,)))
    assert set(session.inputs.usage["gpu_model"]) == {GPU, "GTX 9999", "H100", "Vega"}
    [warning] = session.diagnostics
    assert (warning.level, warning.code, warning.where) == ("warning", "unknown-gpu-model", "names.csv")
    assert warning.message.endswith(": GTX 9999, H100, Vega")
    assert "H100 is ambiguous: name the memory and form, H100-NVL-94GB or" in warning.hint


def test_settings_are_found_upward_and_limits_of_the_command_line_win(files, monkeypatch):
    files.text("tranche.toml", """
        [plan]
        horizon = "history"
        [limits]
        spot = "40%"
        "provider.aws" = "50%"
        [limits.provider]
        gcp = 0.25
        [workloads."tr*"]
        interruptible = true
        movable = false
        regions = ["us-*"]
        runs_on = {"NVIDIA A10" = 0.5}
    """)  # fmt: skip
    below = files.folder / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    session = load(Request(now=NOW, usage=(files.usage,), offers=(files.offers,), limit=("spot<=10%",)))
    assert session.inputs.months is None
    assert session.inputs.limits.described() == {"spot": "10%", "provider.aws": "50%", "provider.gcp": "25%"}
    [rule] = session.inputs.rules
    assert (rule.pattern, rule.interruptible, rule.movable, rule.regions) == ("tr*", True, False, ("us-*",))
    assert rule.runs_on == {"A10-24GB": 0.5}


def test_an_edited_price_is_a_new_session(files):
    session = load(Request(now=NOW, usage=(files.usage,), offers=(files.offers,), offer=(f"b:{GPU}=2/h,name=q",)))
    edited = session.after("counter q 1.5")
    prices = [one.inputs.offers.filter(offer_id="q")["holding_usd_per_gpu_hour"].item() for one in (session, edited)]
    assert prices == [2, 1.5]
    assert edited.inputs.offers.filter(offer_id="od").equals(session.inputs.offers.filter(offer_id="od"))
    with pytest.raises(UsageError, match="there is no quote 'none'"):
        session.after("counter none 1")
