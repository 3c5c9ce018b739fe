"""`tranche.toml` on the time to come, and on what moving costs: what is read, and what is refused with a remedy."""

from datetime import UTC, datetime, timedelta

import pytest

from app.changes import changes_of
from app.diagnostics import UsageError
from app.future import Outlook, buying_of, described, months, moves_of, outlook, percent, settled
from app.settings import read, schema
from optimizer.edits import Change
from optimizer.ladder import Buying, PriceMove

GPU = "H100-SXM-80GB"
START = datetime(2026, 11, 21, tzinfo=UTC)


def said(text):
    return read(text, where="tranche.toml")


def changes(text):
    return said(text).changes


def test_what_is_not_said_changes_nothing():
    found = said("[plan]\n")
    assert found.outlook == Outlook()
    assert (found.prices, found.changes, found.reading.gb_per_gpu_hour) == ((), (), ())
    assert buying_of(found.outlook, ()) == Buying()


def test_the_outlook_of_the_plan():
    found = said("""
        [plan]
        forecast = "best"
        growth_per_month = "5%"
        ladder = "3mo"
        cost_of_capital = 0.08
    """).outlook
    assert found == Outlook(forecast="best", growth_per_month=0.05, ladder_months=3, capital_per_year=0.08)
    assert buying_of(found, ()) == Buying(ladder_months=3, capital_per_year=0.08)


def test_a_growth_alone_is_the_forecast_that_grows():
    assert said("[plan]\ngrowth_per_month = '-2%'").outlook == Outlook(forecast="growth", growth_per_month=-0.02)


@pytest.mark.parametrize(
    ("text", "share"),
    [("5%", 0.05), (" +5 % ", 0.05), ("0.05", 0.05), (0.05, 0.05), ("0", 0), ("100%", 1), ("-3%", -0.03)],
)
def test_percentages(text, share):
    assert percent(text, where="x", least=-0.99) == pytest.approx(share)


@pytest.mark.parametrize("text", ["5", 5, "five", "", "101%", "-100%", "1e-2", "nan", "5%%"])
def test_what_is_no_percentage(text):
    with pytest.raises(UsageError, match=r"^x: .* is no percentage between -99% and 100%; write 5% or 0\.05"):
        percent(text, where="x", least=-0.99)


@pytest.mark.parametrize(
    ("text", "number"), [("6mo", 6), ("1y", 12), ("1.5 yr", 18), (6, 6), (0.5, 0.5), ("6", 6), (0, 0)]
)
def test_times_in_months(text, number):
    assert months(text, where="x") == number


@pytest.mark.parametrize("text", ["soon", "-1mo", "51y", True, None, "nan", [6]])
def test_what_is_no_time_in_months(text):
    with pytest.raises(UsageError, match="is no time in months; write 6mo or 1y"):
        months(text, where="x")


def test_prices_to_come():
    found = said("""
        [[prices]]
        gpu_model = "H100*"
        from = "6mo"
        factor = 0.8
        [[prices]]
        gpu_model = "h100-sxm"
        from = 2027-05-20
        factor = 0.7
        [[prices]]
        factor = 1.1
    """)
    moves, told = moves_of(found.prices, start=START, sold=[GPU])
    begins = (datetime(2027, 5, 20, tzinfo=UTC) - START) / timedelta(hours=730)
    assert moves == (
        PriceMove(gpu_model="H100*", from_month=6, factor=0.8),
        PriceMove(gpu_model=GPU, from_month=begins, factor=0.7),
        PriceMove(gpu_model="*", from_month=0, factor=1.1),
    )
    assert (told, found.diagnostics) == ([], ())


def test_prices_that_move_nothing_are_said():
    steps = said(f"""
        [[prices]]
        gpu_model = "B200*"
        factor = 0.8
        [[prices]]
        gpu_model = "{GPU}"
        from = 2026-01-01
        factor = 0.8
    """).prices
    moves, told = moves_of(steps, start=START, sold=[GPU])
    assert moves == ()
    assert [one.message for one in told] == [
        "no offer is of GPU model 'B200*', so that no price of it moves",
        f"the move of {GPU} on 2026-01-01 is left out: prices have it already",
    ]


EVERY_CHANGE = """
    [[changes]]
    workload = "new"
    gpu_model = "h100-sxm"
    gpus = 64
    start = 2027-03-01
    like = "train"
    interruptible = true
    per_month = "5%"
    [[changes]]
    workload = "old/*"
    retire = true
    start = 2027-01-01T06:00:00
    end = 2027-02-01T00:00:00+02:00
    [[changes]]
    workload = "a"
    gpu_model = "H100*"
    factor = 0.9
    gpu_sharing = 4
    distilled = 0.5
    [[changes]]
    workload = "b"
    scale_to_zero = true
    idle_below = 0.2
    [[changes]]
    workload = "c"
    to_model = "nvidia_h100_80gb_hbm3"
    ratio = 0.4
    [[changes]]
    workload = "d"
    scale_to_zero = true
"""


def test_planned_changes():
    def utc(*parts):
        return datetime(*parts, tzinfo=UTC)

    assert changes(EVERY_CHANGE) == (
        Change(workload="new", gpu_model=GPU, gpus=64, start=utc(2027, 3, 1), like="train", interruptible=True,
               per_month=0.05),
        Change(workload="old/*", factor=0.0, start=utc(2027, 1, 1, 6), end=utc(2027, 1, 31, 22)),
        Change(workload="a", gpu_model="H100*", factor=0.9 * 0.5 / 4),
        Change(workload="b", idle_below=0.2),
        Change(workload="c", to_model=GPU, factor=0.4),
        Change(workload="d", idle_below=0.1),
    )  # fmt: skip


def test_an_unknown_gpu_model_is_used_as_written_with_a_warning():
    _, found = changes_of([{"workload": "a", "to_model": "GTX 9999"}, {"workload": "a", "factor": 0.5}], "x")
    assert [one.code for one in found] == ["unknown-gpu-model"]


CHANGE = "[[changes]]\nworkload = 'a'\n"
FAULTS = {
    "no method": (
        "[plan]\nforecast = 'seasonal-men'",
        "[plan] forecast: there is no forecast 'seasonal-men'; did you mean",
    ),
    "odd method": ("[plan]\nforecast = 'zzz'", "[plan] forecast: there is no forecast 'zzz'; use best, typical, "),
    "growth without a rate": ("[plan]\nforecast = 'growth'", "[plan]: growth needs a rate; write --growth 5%"),
    "a rate nobody uses": (
        "[plan]\nforecast = 'trend'\ngrowth_per_month = '5%'",
        "[plan]: trend does not grow by a rate; use growth, or",
    ),
    "growth of 500 %": ("[plan]\ngrowth_per_month = 5", "[plan] growth_per_month: 5.0 is no percentage between"),
    "no capital": ("[plan]\ncost_of_capital = '-1%'", "[plan] cost_of_capital: '-1%' is no percentage between 0% and"),
    "no ladder": ("[plan]\nladder = '0mo'", "[plan] ladder: '0mo' is no time between two purchases; write 3mo"),
    "free": ("[[prices]]\nfactor = 0", "[[prices]] factor: Expected `float` > 0"),
    "no factor": ("[[prices]]\nfrom = '6mo'", "[[prices]]: Object missing required field `factor`"),
    "no month": ("[[prices]]\nfactor = 1\nfrom = 'soon'", "[[prices]] from: 'soon' is no time in months"),
    "no day": ("[[prices]]\nfactor = 1\nfrom = '2027-13-01'", "[[prices]] from: 2027-13-01 is no date; write 2027-"),
    "a table of prices": ("[prices]\nfactor = 1", "prices is no list of tables; write each under a line [[prices]]"),
    "unknown key of a price": ("[[prices]]\nfactr = 1", "[[prices]] has no key 'factr'; did you mean factor?"),
    "unknown key of a change": (f"{CHANGE}retired = true", "[[changes]] has no key 'retired'; did you mean retire?"),
    "which change": (f"{CHANGE}retire = true\n{CHANGE}factor = -1", "[[changes]] 2 factor: Expected `float` >= 0.0"),
    "no change": (CHANGE, "[[changes]]: says no change; write gpus for a launch, or retire, factor,"),
    "backwards": (
        f"{CHANGE}retire = true\nstart = 2027-02-01\nend = 2027-02-01",
        "[[changes]]: ends on 2027-02-01, which is not after its start",
    ),
    "like without gpus": (f"{CHANGE}like = 'b'", "[[changes]]: only a launch has like; say with how many gpus"),
    "a launch that retires": (
        f"{CHANGE}gpus = 4\ngpu_model = 'L4-24GB'\nretire = true",
        "[[changes]]: a launch has no retire; make that a change of its own",
    ),
    "a launch on any GPU": (f"{CHANGE}gpus = 4", "[[changes]]: a launch needs one workload and one gpu_model, such as"),
    "a ratio to nothing": (f"{CHANGE}ratio = 2.0", "[[changes]]: has a ratio, but moves to no other GPU model"),
    "to a glob": (f"{CHANGE}to_model = 'H*'", "[[changes]] to_model: 'H*' is no GPU model; name one, such as"),
    "idle below, kept": (f"{CHANGE}factor = 0.5\nidle_below = 0.3", "[[changes]]: has idle_below, but gives nothing"),
    "retired and grown": (
        f"{CHANGE}retire = true\nper_month = '5%'",
        "[[changes]]: what is retired has nothing left for per",
    ),
    "no start": (f"{CHANGE}retire = true\nstart = 'soon'", "[[changes]] start: soon is no date; write 2027-03-01"),
    "negative egress": ("[egress]\naws = -1", "[egress]: Expected `float` >= 0.0"),
    "no quality": ("[workloads.a]\nquality = {gcp = 0}", '[workloads."a"] quality'),
    "negative migration": ("[workloads.a]\nmigration_usd = -5", '[workloads."a"] migration_usd: Expected `float` >= 0'),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_refused(fault):
    text, expected = FAULTS[fault]
    with pytest.raises(UsageError) as caught:
        said(text)
    assert str(caught.value).startswith(f"tranche.toml: {expected}")


def options(**given):
    return outlook(**{"forecast": None, "growth": None, "ladder": None, "capital": None, **given})


def test_options_win_over_the_settings():
    told = Outlook(forecast="growth", growth_per_month=0.05, ladder_months=3, capital_per_year=0.08)
    assert settled(options(), told, months=12) == told
    assert settled(options(growth="1%", ladder="6mo", capital="0"), told, months=12) == Outlook(
        forecast="growth", growth_per_month=0.01, ladder_months=6, capital_per_year=0.0
    )
    trend = settled(options(forecast="trend", ladder="none"), told, months=12)
    assert (trend.forecast, trend.growth_per_month) == ("trend", None)
    assert buying_of(trend, ()).ladder_months is None


@pytest.mark.parametrize(
    ("asked", "told", "horizon", "expected"),
    [
        (
            {"forecast": "trend"},
            Outlook(),
            None,
            "--forecast trend: the horizon is the history, and there is nothing to",
        ),
        ({"growth": "5%"}, Outlook(), None, "--forecast growth: the horizon is the history"),
        ({"ladder": "3mo"}, Outlook(), None, "--ladder 3mo: the horizon is the history"),
        ({}, Outlook(ladder_months=3), None, "--ladder 3mo: the horizon is the history"),
        ({"growth": "5%"}, Outlook(forecast="trend"), 12, "--forecast: trend does not grow by a rate"),
        ({"ladder": "0.1mo"}, Outlook(), 12, "--ladder: a purchase every 0.1 months of 12 is more than 60 dates"),
    ],
)
def test_what_does_not_go_together(asked, told, horizon, expected):
    with pytest.raises(UsageError) as caught:
        settled(options(**asked), told, months=horizon)
    assert str(caught.value).startswith(expected)


def test_what_was_asked_is_said_for_reports():
    found = settled(options(forecast="best", growth="2.5%", ladder="3mo", capital="8%"), Outlook(), months=12)
    said = {"forecast": "best", "growth": "2.5%", "capital": "8%", "ladder": "3mo", "idle": "committed"}
    assert described(found, commit_idle=True) == said
    assert described(settled(options(ladder="none", capital="0"), Outlook(), months=12), commit_idle=False) == {}


def test_a_typical_history_without_a_ladder_is_no_conflict():
    asked = options(forecast="typical", ladder="none")
    assert settled(asked, Outlook(), months=None).forecast == "typical"


def test_the_schema_has_it_all():
    found = schema()
    kinds = {name: found["$defs"][name]["properties"] for name in ("PlanTable", "PriceTable", "ChangeTable")}
    assert {"forecast", "growth_per_month", "ladder", "cost_of_capital"} <= set(kinds["PlanTable"])
    assert set(kinds["PriceTable"]) == {"gpu_model", "from", "factor"}
    assert {"start", "gpus", "retire", "to_model", "ratio", "gpu_sharing"} <= set(kinds["ChangeTable"])
    assert {"prices", "changes", "egress"} <= set(found["$defs"]["Tables"]["properties"])
    workload = found["$defs"]["WorkloadTable"]["properties"]
    assert {"data_at", "egress_gb_per_gpu_hour", "migration_usd", "overlap_hours", "quality"} <= set(workload)
