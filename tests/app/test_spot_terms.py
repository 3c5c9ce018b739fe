"""Spot through the whole command: whom it may serve, gangs, and a limit on each of its pools."""

import pytest

HABITS = {
    "mean_hours_between_interruptions": 24,
    "restart_hours": 0.25,
    "checkpoint_hours": 0.5,
    "checkpoint_cost_hours": 0.02,
    "gpus_per_node": 8,
}


@pytest.fixture
def spot(files):
    """Return a book with on demand at $4, and spot at a price."""

    def book(price, **columns):
        return files.table("spot.csv", [files.on_demand(), files.offer("s", "spot", usage=price, **columns)])

    return book


def soft(files, value="true"):
    return files.table("usage.csv", [{**row, "interruptible": value} for row in files.hours()])


def served_by(found):
    return {row["offer_id"]: row["gpu_hours"] for row in found["mix"]}


@pytest.mark.parametrize("price", [0, 1])
@pytest.mark.parametrize("said", ["usage", "settings", "nothing"])
def test_what_needs_a_guarantee_is_never_on_spot(plan, files, spot, price, said):
    """Not where the usage says that it may not be interrupted, nor the settings against it, nor where nobody does."""
    given = {"usage": "false", "settings": "true"}
    if said in given:
        soft(files, given[said])
    config = files.text("own.toml", f'[workloads."train"]\n{"interruptible = false" if said == "settings" else ""}\n')
    found = plan("--config", config, "--limit", "spot<=100%", offers=spot(price))
    assert served_by(found) == {"od": 520}
    assert float(found["summary"]["cost"]) == 520 * 4


def test_what_may_be_interrupted_is_on_spot_for_nothing(plan, files, spot):
    soft(files)
    found = plan(offers=spot(0))
    assert served_by(found) == {"s": 520}
    assert float(found["summary"]["cost"]) == 0


def test_gangs_pay_for_each_other(plan, files, spot):
    """8 nodes are interrupted 8 times as often: 2.00 · (1 + 0.02/0.5 + 8 · 0.5/24)."""
    soft(files)
    config = files.text("gangs.toml", '[workloads."train"]\ngang_gpus = 64\n')
    found = plan("--config", config, offers=spot(2, **HABITS))
    assert float(found["summary"]["cost"]) == pytest.approx(520 * 2 * (1.04 + 4 / 24), abs=0.01)
    assert [float(row["cost"]) for row in found["mix"]] == pytest.approx([520 * 2 * (1.04 + 4 / 24)], abs=0.01)
    [note] = [found["message"] for found in found["diagnostics"] if found["code"] == "gang"]
    assert note == "train: gangs of 64 GPUs are interrupted 8 times as often: s at $2.1217 costs it $2.4133"


@pytest.mark.parametrize("value", ["0", "-8", "inf", "nan", "1e9", '"64"', "true"])
def test_a_gang_that_is_no_number_of_gpus_is_refused(tranche, files, value):
    config = files.text("bad.toml", f'[workloads."train"]\ngang_gpus = {value}\n')
    ran = tranche("plan", files.usage, "--offers", files.offers, "--config", config)
    assert ran.code == 2
    assert 'workloads."train"' in ran.err
    assert "gang_gpus" in ran.err


@pytest.mark.parametrize(
    ("config", "options"),
    [
        ('[limits]\n"spot.each" = "25%"\n', []),
        ("[limits]\nspot.each = 0.25\n", []),
        ("", ["--limit", "spot.each<=25%"]),
    ],
)
def test_a_limit_on_each_pool(plan, files, spot, config, options):
    soft(files)
    found = plan("--config", files.text("own.toml", config), *options, offers=spot(1))
    assert served_by(found) == {"od": 390, "s": 130}
    assert found["inputs"]["limits"] == {"spot.each": "25%"}
    [limit] = found["limits"]
    assert (limit["name"], float(limit["saving"])) == ("spot.each", pytest.approx(5.2 * 3.0))


def test_both_limits_on_spot_stand_in_one_table(plan, files, spot):
    soft(files)
    config = files.text("own.toml", '[limits]\nspot = "20%"\n"spot.each" = "25%"\n')
    assert served_by(plan("--config", config, offers=spot(1))) == {"od": 416, "s": 104}


def test_a_limit_on_something_else_of_spot_is_refused(tranche, files):
    for config in ('[limits]\n"spot.all" = "25%"\n', '[limits]\nspot.all = "25%"\n'):
        ran = tranche("plan", files.usage, "--offers", files.offers, "--config", files.text("own.toml", config))
        assert ran.code == 2
        assert "spot" in ran.err
