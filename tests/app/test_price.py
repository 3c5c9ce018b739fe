"""Offers for one GPU, cheapest first; and the schemas that the command prints."""

import csv
import io

import jsonschema
import pytest

GPU = "H100-SXM-80GB"


@pytest.fixture
def book(files):
    spot = {
        "mean_hours_between_interruptions": 50,
        "restart_hours": 1,
        "checkpoint_hours": 2,
        "checkpoint_cost_hours": 0.1,
    }
    rows = [
        files.on_demand(region="us-east-1", as_of="2026-11-01", source="a page"),
        files.offer("spot", "spot", usage=2, region="eu-west-1", as_of="2026-10-22", **spot),
        files.offer("flex", "flex", holding=0.6, usage=1.8, lot_gpus=8, term_months=12, as_of="last week"),
        files.offer("other", "on_demand", usage=1) | {"gpu_model": "L4-24GB"},
        files.offer("odd", "on_demand", usage=1) | {"gpu_model": "Vega"},
    ]
    return files.table("book.csv", rows)


def test_cheapest_first_with_spot_at_its_effective_price(tranche, book):
    ran = tranche("price", "h100-sxm", "--offers", book, "--now", "2026-11-21", "--format", "json")
    assert [row["offer_id"] for row in ran.json] == ["spot", "flex", "od"]
    spot, flex, on_demand = ran.json
    effective = 2 * (1 + 0.1 / 2 + (2 / 2 + 1) / 50)  # 1 + δ/τ + (τ/2 + r)/M
    assert float(spot["all_in_usd_per_gpu_hour"]) == pytest.approx(effective)
    assert spot["advertised_usd_per_gpu_hour"] == "2.00"
    assert (spot["age_days"], on_demand["age_days"], flex["age_days"]) == (30, 20, None)
    assert (flex["all_in_usd_per_gpu_hour"], flex["lot_gpus"], flex["term_months"]) == ("2.40", 8, 12)


def test_forms_agree(tranche, book):
    common = ["price", GPU, "--offers", book, "--now", "2026-11-21", "--format"]
    rows = tranche(*common, "json").json
    cells = list(csv.DictReader(io.StringIO(tranche(*common, "csv").out)))
    assert [{name: "" if cell is None else str(cell) for name, cell in row.items()} for row in rows] == cells
    table = tranche(*common, "table").out.splitlines()
    assert [line.split()[0] for line in table[3 : 3 + len(rows)]] == [row["offer_id"] for row in rows]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [(["--option", "spot"], ["spot"]), (["--region", "us-*"], ["od"]), (["--region", "*"], ["spot", "flex", "od"])],
)
def test_filters(tranche, book, arguments, names):
    ran = tranche("price", GPU, "--offers", book, "--format", "json", *arguments)
    assert [row["offer_id"] for row in ran.json] == names


def test_a_name_that_only_the_book_knows(tranche, book):
    ran = tranche("price", "Vega", "--offers", book, "--format", "json")
    assert [row["offer_id"] for row in ran.json] == ["odd"]
    assert "Vega" in ran.err


@pytest.mark.parametrize(
    ("gpu", "said"),
    [
        ("H100-SMX-80GB", "H100-SMX-80GB is no GPU that is known; did you mean H100-SXM-80GB?"),
        ("H100", "H100 may mean H100-NVL-94GB or H100-PCIE-80GB or H100-SXM-80GB; write one of them"),
        ("abacus", "abacus is no GPU that is known; on offer are H100-SXM-80GB, L4-24GB, Vega"),
    ],
)
def test_a_name_that_means_nothing_or_too_much(tranche, book, gpu, said):
    ran = tranche("price", gpu, "--offers", book)
    assert (ran.code, ran.out, ran.err) == (2, "", f"tranche: error: {said}\n")


def test_nothing_on_offer_is_an_empty_answer_with_a_warning(tranche, book):
    ran = tranche("price", "B200-180GB", "--offers", book, "--format", "json")
    assert (ran.code, ran.json) == (0, [])
    assert "no offer of B200-180GB" in ran.err


def test_the_bundled_book_says_its_age(tranche, files):
    ran = tranche("price", GPU, "--now", "2026-11-21", "--format", "json")
    assert len(ran.json) > 10
    assert "the newest is 12 days old" in ran.err
    prices = [float(row["all_in_usd_per_gpu_hour"]) for row in ran.json]
    assert prices == sorted(prices)


@pytest.mark.parametrize("kind", ["usage", "offers", "commitments", "config", "plan"])
def test_every_schema_is_one(tranche, files, kind):
    jsonschema.Draft202012Validator.check_schema(tranche("schema", kind).json)


def test_schema_of_a_row_takes_good_rows_and_refuses_bad_ones(tranche, files):
    usage = jsonschema.Draft202012Validator(tranche("schema", "usage").json)
    row = files.hours()[0]
    assert usage.is_valid({**row, "team": None, "extra": 1})
    for bad in ({"gpu_hours": -1}, {"gpu_hours": None}, {"purchase_option": "barter"}):
        assert not usage.is_valid({**row, **bad})
    assert not usage.is_valid({name: cell for name, cell in row.items() if name != "hour"})


def test_schema_of_the_settings(tranche, files):
    config = jsonschema.Draft202012Validator(tranche("schema", "config").json)
    assert config.is_valid({"plan": {"horizon": "1y"}, "limits": {"spot": "4%", "provider.aws": "50%", "upfront": 2e6}})
    assert not config.is_valid({"limits": {"spott": "4%"}})
    assert not config.is_valid({"workloads": {"a/*": {"runs_on": {"L4-24GB": 0}}}})


def test_data_that_has_to_travel_is_part_of_the_price(tranche, book):
    given = [
        "price",
        GPU,
        "--offers",
        book,
        "--now",
        "2026-11-21",
        "--data-at",
        "aws",
        "--egress",
        "0.5",
        "--gpus",
        "8",
    ]
    rows = tranche(*given, "--format", "json").json
    month = 0.5 * 8 * 730  # GB: the first hundred are free, the next ten thousand cost nine cents
    expected = (month - 100) * 0.09 / month * 0.5
    assert float(rows[0]["data_usd_per_gpu_hour"]) == pytest.approx(expected, abs=1e-6)
    table = tranche(*given).out
    assert "Data" in table.splitlines()[2]
    assert f"${2.40 + expected:.4f}" in table
    ran = tranche("price", GPU, "--offers", book, "--data-at", "nobody")
    assert (ran.code, "nobody knows what egress costs there" in ran.err) == (2, True)


def test_what_is_on_top_of_a_price_is_all_in(tranche, files):
    row = files.offer("c", "contract", holding=2, term_months=12, adders_usd_per_gpu_hour=0.25)
    (price,) = tranche("price", GPU, "--offers", files.table("book.csv", [row]), "--format", "json").json
    assert (price["all_in_usd_per_gpu_hour"], price["advertised_usd_per_gpu_hour"]) == ("2.25", "2.00")


@pytest.mark.parametrize("columns", [80, 160])
def test_no_line_is_wider_than_the_terminal(tranche, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    ran = tranche("price", GPU, "--offers", "bundled", "--data-at", "aws", "--now", "2026-11-27")
    table = [line for line in ran.out.splitlines()[2:] if line.startswith(("Offer", "aws-", "azure-", "gcp-"))]
    assert len(table) > 8
    assert max(map(len, table)) <= columns
    assert ("Source" in ran.out.splitlines()[2]) is (columns == 160)


def test_careful_marks(tranche, files):
    rows = [
        files.offer("old", "on_demand", usage=2, as_of="2026-10-01", confidence="low"),
        files.offer("new", "on_demand", usage=3, as_of="2026-11-20T08:00:00Z", availability="unknown"),
        files.offer("when", "on_demand", usage=4),
    ]
    ran = tranche("price", GPU, "--offers", files.table("book.csv", rows), "--now", "2026-11-21", "--format", "json")
    marks = {row["offer_id"]: row["marks"] for row in ran.json}
    assert marks == {"old": "stale, low confidence", "new": "may not be had", "when": "of unknown age"}


def test_what_has_no_price_is_said_and_not_shown_as_0(tranche, files):
    other = files.offer("x-l4", "spot", usage=1) | {"gpu_model": "L4-24GB", "provider": "x"}
    rows = [files.offer("x", "on_demand", usage=2), other]
    ran = tranche("price", GPU, "--offers", files.table("book.csv", rows))
    assert ran.out.splitlines()[-1] == "No price known: spot at x"


def test_equivalents_are_suggested_in_the_words_of_the_settings(tranche, files):
    ran = tranche("price", "h100-sxm", "--equivalents")
    assert '"B200-180GB" = 1.68' in ran.out
    assert "nothing uses them until they stand in tranche.toml" in ran.out
    snippet = "\n".join(ran.out.splitlines()[-2:]).replace("NAME", "train")
    files.text("tranche.toml", snippet + "\n")
    assert tranche("plan", files.usage, "--offers", files.offers, "--horizon", "history").code == 0
    rows = tranche("price", "h100-sxm", "--equivalents", "--format", "json").json
    assert rows[0]["gpu_model"] == GPU
    assert tranche("price", "h100-sxm", "--equivalents", "--format", "csv").code == 2


def test_hidden_costs_of_those_who_sell_the_gpu(tranche, files):
    book = files.table("book.csv", [files.offer("x", "on_demand", usage=2) | {"provider": "aws"}])
    rows = tranche("price", GPU, "--offers", book, "--hidden-costs", "--format", "json").json
    assert {row["provider"] for row in rows} == {"aws"}
    first = next(row for row in rows if row["item"] == "internet_egress" and row["from_gb"] == "100")
    assert (first["until_gb"], first["usd"], first["confidence"]) == ("10100", "0.09", "medium")
    assert all(row["source"] for row in rows)
    assert "internet_egress" in tranche("price", GPU, "--offers", book, "--hidden-costs").out
