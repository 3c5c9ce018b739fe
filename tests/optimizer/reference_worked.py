"""Small plans with one instrument each, and what they cost, derived by hand in the comments."""

from instances import NOW, Case, offer, owned, series

from optimizer.demand import WorkloadRule
from optimizer.ladder import PriceMove
from tests.optimizer.reference_rows import MONTH, later

ORACLE = (40, 40, 40, 60, 80, 100, 100, 60)  # on demand at $4.00: $260.00 an hour; 60 held at $2.40: $194.00
HALF = 6 * MONTH


def oracle(*offers: dict, **changes: object) -> Case:
    return Case(usage=series("a", ORACLE), offers=[offer("od"), *offers], **changes)


def flat(need: float, *offers: dict, **changes: object) -> Case:
    """Return a year in which every hour needs as much."""
    return Case(usage=series("a", [need] * 2), offers=[offer("od"), *offers], months=12, **changes)


# R7 of finops.md: the eight hours stand for a month of 730; a floor retires on what is left to pay after the discount


def edp(usd: float, *offers: dict, **columns: object) -> Case:
    row = offer("edp", "spend_floor", 0.0, gpu_model="any", spend_usd=usd, discount_share=0.1)
    return oracle(row | columns, *offers, months=1)


RESERVED = offer("r", "reserved", 2.4)
SIGNED = {"status": "accepted"}
POOL = {"purchase_option": "prepaid"}
FLOORS = {
    "on demand alone": (oracle(months=1), 189_800),  # 260 · 730
    "reserved": (oracle(RESERVED, months=1), 141_620),  # 194 · 730
    # 189,800 · 0.9 = 170,820 is spent, and 9,180 is missing
    "a floor alone": (edp(180_000), 180_000),
    # 141,620 · 0.9 = 127,458 is spent, and 52,542 is missing
    "a floor that is signed": (edp(180_000, RESERVED, **SIGNED), 180_000),
    "a floor that may be left": (edp(180_000, RESERVED), 141_620),
    "the highest floor that costs nothing": (edp(141_620, RESERVED, **SIGNED), 141_620),
    "a floor a dollar too high": (edp(141_621, RESERVED, **SIGNED), 141_621),
    "a low floor": (edp(100_000, RESERVED), 127_458),
    # half of a sum for two months falls due in one, and 10 % is off the whole month
    "a floor for two months": (edp(360_000, term_months=2.0), 180_000),
    # a window of the last 73 hours: 18,980 is spent in them, 1,020 is missing, and no price falls
    "a floor at the end": (
        edp(20_000, **SIGNED, discount_share=0.0, start=later(NOW, 0.9), end=later(NOW, 1)),
        189_800 + 1_020,
    ),
    # 10 % of 100,000 comes back on 189,800 that is spent anyway
    "a pool": (edp(100_000, **POOL), 179_800),
    # with it, 30.75 held at 2.40 and 136.99 an hour on demand: 53,880 + 100,000 - 10,000 is no better than without
    "a pool beside reserved": (edp(100_000, RESERVED, **POOL), 141_620),
    # nothing that is bought is of model B: all of it is missing
    "a pool for another model": (edp(100_000, **POOL, **SIGNED, eligible_gpu_models="B"), 189_800 + 90_000),
    "a pool for several models": (edp(100_000, **POOL, **SIGNED, eligible_gpu_models="B, A"), 179_800),
}


# R6: what is held beside what may be added

ADDED = {"burst_gpus": 40.0, "burst_fee_usd_per_gpu_hour": 0.1, "burst_usd_per_gpu_hour": 2.0}
EXTRAS = {
    "flex": (oracle(offer("f", "flex", 0.6, use=1.8)), 8 * 176.0),
    # the levels 40-60 and 60-80 are busy in 5/8 and 3/8 of the hours: added they cost 0.1 + 2 · share, held 2.4 and on
    # demand 4 · share; 40 · 2.4 held, 40 · 0.1 + 20 · 2 added, 5 · 4 on demand
    "burst": (oracle(offer("r", "reserved", 2.4, **ADDED)), 8 * 160.0),
    # 50 · 2.4 held, 40 · 0.1 + 16.25 · 2 added, 2.5 · 4 on demand
    "burst with a minimum": (oracle(offer("r", "reserved", 2.4, min_gpus=50.0, **ADDED)), 8 * 166.5),
    "burst of nothing": (oracle(offer("r", "reserved", 2.4, **ADDED | {"burst_gpus": None})), 8 * 194.0),
    "burst on nothing": (oracle(commitments=[owned("c", 0.0, **ADDED)]), 8 * 260.0),
    # 40 · 2.4 held, as much added as above
    "burst on what is owned": (oracle(commitments=[owned("c", 40.0, 2.4, **ADDED)]), 8 * 160.0),
    # any sliver held lets all 65 GPUs that are needed on average be paid as overage, at 1 and 0.5 on top
    "overage": (
        oracle(offer("r", "reserved", 2.4, overage_usd_per_gpu_hour=1.0, adders_usd_per_gpu_hour=0.5)),
        8 * 97.5,
    ),
    # 90 · 2.4 held, and 2.5 beyond
    "overage with a minimum": (
        oracle(offer("r", "reserved", 2.4, min_gpus=90.0, overage_usd_per_gpu_hour=1.0)),
        8 * 218.5,
    ),
    # 120 · 2.4 = 288 is dearer than on demand
    "overage with too high a minimum": (
        oracle(offer("r", "reserved", 2.4, min_gpus=120.0, overage_usd_per_gpu_hour=1.0)),
        8 * 260.0,
    ),
    # a lot of 64 at 2.4; three hours need 16, 36 and 36 more: 11 on average, at 1
    "overage with a lot": (
        oracle(offer("r", "reserved", 2.4, lot_gpus=64.0, max_gpus=64.0, overage_usd_per_gpu_hour=1.0)),
        8 * (64 * 2.4 + 11),
    ),
}


# What is bought: at which price, until when, when

TIERED = offer("t", "reserved", 2.5, tiers="64@2.20 256@1.95")
LEFT = offer("r", "reserved", 2.4, exit_after_months=6.0)
COMES = owned("c", 60.0, 1.0, start=later(NOW, 6))  # from month 6 on there is less to buy
RUNGS = [owned(f"c{month:02}", 5.0, 2.0, start=NOW, end=later(NOW, month)) for month in range(1, 13)]
CHEAPER = (PriceMove(gpu_model="A", from_month=6.0, factor=0.5),)
BOUGHT = {
    "64 at 2.20 to serve 60": (flat(60, TIERED), 8760 * 140.8),  # 60 at 2.50 would be 150
    "50 at 2.50": (flat(50, TIERED), 8760 * 125.0),
    "a tier beyond the most": (flat(60, TIERED | {"max_gpus": 62.0}), 8760 * 150.0),
    "300 at 1.95": (flat(300, TIERED), 8760 * 585.0),
    # 64 in lots of 24 are 72, at 2.20
    "a tier in lots": (flat(70, TIERED | {"lot_gpus": 24.0}), 8760 * 158.4),
    # of two blocks of 40 only one: 40 · 2 + 20 · 4
    "one of two": (
        flat(60, *(offer(name, "contract", 2.0, max_gpus=40.0, exclusive="either") for name in "xy")),
        8760 * 160.0,
    ),
    # 100 held, then 40 beside 60 owned
    "given back": (flat(100, LEFT, commitments=[COMES]), HALF * (240 + 96 + 60)),
    # 40 held all year, 60 on demand until month 6
    "kept": (flat(100, LEFT | {"exit_after_months": None}, commitments=[COMES]), HALF * (96 + 240 + 96 + 60)),
    # 3 lots of 30 and 10 on demand, then any 40
    "given back in part": (flat(100, LEFT | {"lot_gpus": 30.0}, commitments=[COMES]), HALF * (216 + 40 + 96 + 60)),
    "owned and given back": (flat(4, commitments=[owned("c", 10.0, 2.0, exit_after_months=6.0)]), HALF * (20 + 8)),
    # R9: twelve rungs of 5 run out month by month after demand has dropped from 60 to 40, and 20 + 15 + 10 + 5 = 50
    # months of a GPU are stranded; what is missing from month 6 on is bought a month at a time
    "a ladder": (
        flat(40, offer("r", "reserved", 2.0, term_months=1.0), commitments=RUNGS, ladder_months=1.0),
        (40 * 12 + 50) * MONTH * 2.0,
    ),
    "one block": (flat(40, commitments=[owned("c", 60.0, 2.0)]), (40 * 12 + 240) * MONTH * 2.0),
    # the second half year at half the price
    "later and cheaper": (
        flat(10, offer("r", "reserved", 2.0, term_months=6.0), ladder_months=6.0, moves=CHEAPER),
        HALF * (20 + 10),
    ),
    "too long to wait": (
        flat(10, offer("r", "reserved", 2.0, term_months=12.0), ladder_months=6.0, moves=CHEAPER),
        HALF * (20 + 20),
    ),
    "given back and bought cheaper": (
        flat(
            10,
            offer("r", "reserved", 2.0, term_months=12.0, exit_after_months=6.0),
            ladder_months=6.0,
            moves=CHEAPER,
        ),
        HALF * (20 + 10),
    ),
    "a quote is not renewed": (
        flat(10, offer("q", "contract", 2.0, term_months=6.0, status="quote"), ladder_months=6.0),
        HALF * (20 + 40),
    ),
    # adders do not move
    "on demand moves": (
        Case(usage=series("a", [10] * 2), offers=[offer("od", adders_usd_per_gpu_hour=0.5)], months=12, moves=CHEAPER),
        HALF * (45 + 25),
    ),
    "a quote does not move": (
        Case(usage=series("a", [10] * 2), offers=[offer("od", status="quote")], months=12, moves=CHEAPER),
        HALF * 80,
    ),
}


# Moving: 80 GPU-hours whose data is at aws, where an hour costs 4


def moved(price: float, **said: object) -> Case:
    offers = [offer("od"), offer("there", price=price, provider="gcp")]
    return Case(usage=series("a", [10] * 8, provider="aws"), offers=offers, rules=(WorkloadRule(pattern="a", **said),))


MOVED = {
    "stays": (moved(3.6, egress_usd_per_gpu_hour=0.5), 80 * 4.0),
    "goes": (moved(3.4, egress_usd_per_gpu_hour=0.5), 80 * 3.9),
    "is there already": (moved(3.6, egress_usd_per_gpu_hour=0.5, data_at="gcp"), 80 * 3.6),
    "goes for 40 once": (moved(3.4, migration_usd=40.0), 80 * 3.9),
    # two of eight hours are paid twice: 1.25 · 2.8
    "overlaps": (moved(2.8, overlap_hours=2.0), 80 * 3.5),
    "stays rather than overlap": (moved(3.6, overlap_hours=2.0), 80 * 4.0),
    # an hour there does 0.8 of one: 2.6 / 0.8 + 0.5
    "is slower there": (moved(2.6, quality={"gcp": 0.8}, egress_usd_per_gpu_hour=0.5), 80 * 3.75),
    "is faster at home": (moved(3.4, quality={"aws": 1.25}), 80 * 3.2),
}
