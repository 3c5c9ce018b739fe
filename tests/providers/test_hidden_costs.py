"""Tiers of hidden costs are added up as a bill would."""

import pytest

from providers.hidden_costs import OUT, cost, egress_usd_per_gb, tiers


@pytest.mark.parametrize(
    ("provider", "gb", "usd"),
    [
        ("aws", 50, 0),
        ("aws", 100, 0),
        ("aws", 10_100, 900),
        ("aws", 60_100, 900 + 40_000 * 0.085 + 10_000 * 0.07),
        ("aws", 200_100, 900 + 40_000 * 0.085 + 100_000 * 0.07 + 50_000 * 0.05),
        ("gcp", 1_000, 120),
        ("gcp", 20_000, 120 + 9_000 * 0.11 + 10_000 * 0.08),
        ("lambda", 1e6, 0),
    ],
)
def test_egress_of_a_month(provider, gb, usd):
    assert cost(provider, OUT, gb=gb) == pytest.approx(usd)


def test_what_nobody_knows_is_unknown_and_never_0():
    assert cost("runpod", "cross_zone", gb=1) is None
    assert cost("nobody", OUT, gb=1) is None
    assert egress_usd_per_gb("nobody", "aws", gb=1) is None


def test_a_rate_ends_where_its_last_tier_ends():
    assert cost("aws", "object_storage", gb=51_200) == pytest.approx(51_200 * 0.023)
    assert cost("aws", "object_storage", gb=51_201) is None


def test_the_provider_that_data_leaves_is_paid():
    assert egress_usd_per_gb("aws", "lambda", gb=10_100) == pytest.approx(900 / 10_100)
    assert egress_usd_per_gb("lambda", "aws", gb=10_100) == 0
    assert egress_usd_per_gb("aws", "aws", gb=10_100) == 0


def test_every_row_says_where_it_comes_from():
    assert all(tier.source and tier.confidence in ("high", "medium", "low") for tier in tiers("aws", OUT))
    ends = [tier.until_gb for tier in tiers("aws", OUT)][:-1]
    assert ends == [tier.from_gb for tier in tiers("aws", OUT)][1:]
