"""The order of a bill: a documented example, a plain loop, and the linear program that it is never below."""

import math

import numpy as np
import pytest
from scipy.optimize import linprog

from optimizer.replay_orders import INSTANCE_PLANS, PLANS, RESOURCES, Cover, Use, kind_of, left_on_demand
from optimizer.tariffs import Rate, Tariff


def tariff(option: str = "reserved", *, rates: tuple = (), **columns: object) -> Tariff:
    terms = {
        "offer_id": "x", "provider": "aws", "region": None, "gpu_model": "A", "instance_type": None, "status": "list",
        "holding": 1.0, "usage": 0.0, "advertised_usage": 0.0, "upfront_share": 0.0, "term_months": None,
        "start": None, "end": None, "lot": None, "minimum": 0.0, "maximum": math.inf, "owned": None, "currency": "USD",
    }  # fmt: skip
    return Tariff(**{**terms, "purchase_option": option, "rates": tuple(Rate(*rate) for rate in rates), **columns})


ONE_FAMILY = (("A100-40GB", "us-1", 1.0), ("A100-80GB", "us-1", 2.0))


@pytest.mark.parametrize(
    ("own", "kind"),
    [
        (tariff(), RESOURCES),
        (tariff("capacity_block"), RESOURCES),
        (tariff("cud", provider="gcp"), RESOURCES),
        (tariff("contract", provider="coreweave"), None),
        (tariff("flex", usage=1.0), None),
        (tariff(usage=0.5, salvage=0.5), None),
        (tariff("on_demand", holding=0.0, usage=4.0), None),
        (tariff("spot", holding=0.0, usage=1.0), None),
        (tariff("savings_plan", rates=ONE_FAMILY), INSTANCE_PLANS),
        (tariff("savings_plan", rates=(*ONE_FAMILY, ("H100-SXM-80GB", "us-1", 3.0))), PLANS),
        (tariff("savings_plan", rates=(*ONE_FAMILY, ("A100-80GB", "eu-1", 3.0))), PLANS),
        (tariff("savings_plan", rates=(("A100-80GB", None, 3.0),)), PLANS),
        (tariff("savings_plan", rates=ONE_FAMILY, provider="azure"), PLANS),
        (tariff("savings_plan", rates=ONE_FAMILY, provider="lambda"), None),
    ],
)
def test_the_place_in_the_order(own, kind):
    assert kind_of(own) == kind


# The example of "How Savings Plans apply to your usage": on-demand and plan rates of what runs in one hour.
# It gives the case of $25; the others follow from its rules by hand.
DOCUMENTED = {
    "c5.9xlarge": (4.0, 2.0, 1.0),
    "c5.24xlarge": (10.0, 8.0, 1.0),
    "fargate vcpu": (1.5, 1.0, 10.0),
    "fargate gb": (2.0, 1.0, 5.0),
}


@pytest.mark.parametrize(
    ("commitment", "left"),
    [
        (25.0, (0.0, 0.0, 0.0, 0.0)),  # 2 + 8 + 10 + 5: everything, and nothing is lost
        (24.0, (0.0, 0.125, 0.0, 0.0)),  # the lowest saving, 20 %, goes last
        (5.0, (1.0, 1.0, 10.0, 0.0)),  # both save 50 %: the lower rate goes first
        (6.0, (0.5, 1.0, 10.0, 0.0)),
        (12.0, (0.0, 1.0, 5.0, 0.0)),
        (0.0, (1.0, 1.0, 10.0, 5.0)),
    ],
)
def test_the_documented_example(commitment, left):
    uses = [
        Use(provider="aws", gpu_model=name, region="us-1", usd=usd, gpu_hours=np.array([count]))
        for name, (usd, _, count) in DOCUMENTED.items()
    ]
    plan = tariff("savings_plan", rates=tuple((name, None, rate) for name, (_, rate, _) in DOCUMENTED.items()))
    found = left_on_demand(uses, [Cover(tariff=plan, amount=np.array([commitment]))])
    assert found[:, 0] == pytest.approx(left, abs=1e-12)


def test_a_reservation_for_one_region_goes_before_one_for_all():
    """Each pays for 5: the one for all regions is left for what only it can pay for, though that saves less."""
    uses = [
        Use(provider="aws", gpu_model="A", region=region, usd=usd, gpu_hours=np.array([5.0]))
        for region, usd in (("us-1", 4.0), ("eu-1", 3.0), (None, 2.0))
    ]
    bought = [Cover(tariff=tariff(region=region), amount=np.array([5.0])) for region in (None, "us-1")]
    assert left_on_demand(uses, bought)[:, 0].tolist() == [0.0, 0.0, 5.0]


MODELS = ("A-1", "A-2", "B-1")
REGIONS = (None, "us-1", "eu-1")
HOURS = 3


def uses_at_random(rng: np.random.Generator) -> list[Use]:
    return [
        Use(
            provider=str(rng.choice(["aws", "azure"])),
            gpu_model=str(rng.choice(MODELS)),
            region=REGIONS[rng.integers(3)],
            usd=float(rng.choice([1.0, 2.0, rng.uniform(1, 5)])),
            gpu_hours=rng.choice([0.0, 3.0, rng.uniform(0, 10)], HOURS),
        )
        for _ in range(rng.integers(1, 7))
    ]


def cover_at_random(rng: np.random.Generator, *, dollars: bool) -> Cover:
    rates = {(str(rng.choice(MODELS)), REGIONS[rng.integers(3)]) for _ in range(rng.integers(1, 5))}
    if dollars:
        shown = tuple((*place, float(rng.uniform(0.3, 3))) for place in sorted(rates, key=str))
        own = tariff("savings_plan", rates=shown, provider=str(rng.choice(["aws", "azure"])))
    else:
        model, region = min(rates, key=str)
        own = tariff(gpu_model=model, region=region, provider=str(rng.choice(["aws", "azure"])))
    return Cover(tariff=own, amount=rng.choice([0.0, 4.0, rng.uniform(0, 12)], HOURS), unit=float(rng.choice([1, 0.9])))


def taken_from(cover: Cover, use: Use) -> float | None:
    """Say what a GPU-hour takes, from the words of the rule."""
    own, places = cover.tariff, (None, use.region)
    if own.provider != use.provider:
        return None
    if not own.rates:
        return 1.0 if (own.gpu_model, own.region) in [(use.gpu_model, place) for place in places] else None
    fits = [rate for rate in own.rates if rate.gpu_model == use.gpu_model and rate.region in places]
    return cover.unit * min(rate.usd for rate in fits) if fits else None


def hour_by_loop(uses: list[Use], covers: list[Cover], hour: int) -> list[float]:
    """Apply the rule as it is written: again and again the best of all pairs that are left, kind by kind.

    Of pairs that are equal in everything the first goes first.
    """
    left, spare = [use.gpu_hours[hour] for use in uses], [cover.amount[hour] for cover in covers]
    for regional in (True, False):  # reservations: of one region first, the dearest use first
        for use in sorted(range(len(uses)), key=lambda index: -uses[index].usd):
            for own, cover in enumerate(covers):
                there = not cover.tariff.rates and (cover.tariff.region is not None) == regional
                if there and taken_from(cover, uses[use]) is not None:
                    paid = min(left[use], spare[own])
                    left[use], spare[own] = left[use] - paid, spare[own] - paid
    for narrow in (True, False):
        chosen = [index for index, cover in enumerate(covers) if cover.tariff.rates and is_narrow(cover) == narrow]
        while True:
            pairs = [
                (1 - draws / uses[use].usd, -draws, -use, -own)
                for own in chosen
                for use in range(len(uses))
                if (draws := taken_from(covers[own], uses[use])) is not None and min(left[use], spare[own]) > 0
            ]
            if not pairs:
                break
            _, rate, use, own = (abs(number) for number in max(pairs))
            paid = min(left[use], spare[own] / rate)
            left[use] = left[use] - paid
            spare[own] = 0.0 if left[use] > 0 else spare[own] - paid * rate
    return left


def is_narrow(cover: Cover) -> bool:
    own = cover.tariff
    places = {(rate.gpu_model[0], rate.region) for rate in own.rates}
    return own.provider == "aws" and len(places) == 1 and None not in {region for _, region in places}


def least_by_program(uses: list[Use], covers: list[Cover], hour: int) -> float:
    """Return the least $ on demand over all ways to apply what was bought."""
    pairs = [
        (use, own, draws)
        for use in range(len(uses))
        for own in range(len(covers))
        if (draws := taken_from(covers[own], uses[use])) is not None
    ]
    rows = np.zeros((len(uses) + len(covers), len(pairs)))
    for column, (use, own, draws) in enumerate(pairs):
        rows[use, column], rows[len(uses) + own, column] = 1.0, draws
    most = [*(use.gpu_hours[hour] for use in uses), *(cover.amount[hour] for cover in covers)]
    whole = sum(use.usd * use.gpu_hours[hour] for use in uses)
    saved = [-uses[use].usd for use, _, _ in pairs]
    return whole + (linprog(saved, A_ub=rows, b_ub=most, method="highs-ds").fun if pairs else 0.0)


@pytest.mark.parametrize("seed", range(60))
def test_the_order_is_that_of_a_plain_loop_and_never_beats_the_program(seed):
    rng = np.random.default_rng(seed)
    uses, covers = uses_at_random(rng), [cover_at_random(rng, dollars=bool(rng.integers(2))) for _ in range(4)]
    left = left_on_demand(uses, covers)
    prices = np.array([use.usd for use in uses])
    for hour in range(HOURS):
        billed = float(prices @ left[:, hour])
        assert billed == pytest.approx(prices @ hour_by_loop(uses, covers, hour), abs=1e-9)
        assert billed >= least_by_program(uses, covers, hour) - 1e-9
    assert (left >= 0).all()
    assert (left <= [use.gpu_hours for use in uses]).all()


@pytest.mark.parametrize("dollars", [True, False])
@pytest.mark.parametrize("seed", range(30))
def test_one_kind_alone_is_applied_as_the_program_would(seed, dollars):
    rng = np.random.default_rng(seed)
    uses = uses_at_random(rng)
    covers = [cover_at_random(rng, dollars=dollars) for _ in range(1 if dollars else 5)]
    left = left_on_demand(uses, covers)
    for hour in range(HOURS):
        billed = sum(use.usd * row[hour] for use, row in zip(uses, left, strict=True))
        assert billed == pytest.approx(least_by_program(uses, covers, hour), abs=1e-9)
