"""Google's machines as sums of their parts, against published totals and sums by hand.

Unit prices of us-central1: H100 9.796550569, H100 Mega 10.344275712 and B200 16.11 USD (SKUs of 2026-07-07); A3 core
and RAM from what Vertex AI charges, 15 % more (2025-08); B200's other options of 2026-07-30; G4 and its slices 2026-08.
Totals: prices of 2026-07-30 in Cyclenerd's pricing.yml.
"""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from providers.asking import Ask
from providers.gcp.catalogue import Prices, catalogue, named_part
from providers.gcp.node_prices import machines, node_listings
from providers.tables import InputError
from tests.providers.gcp.catalogue_server import sku

NOW = datetime(2026, 11, 27, tzinfo=UTC)
CORE, RAM = Decimal("0.0293227") / Decimal("1.15"), Decimal("0.0025534") / Decimal("1.15")
ON_DEMAND_SSD = sku("SSD backed Local Storage", "0.08", "GiBy.mo")
A3 = [
    sku("A3 Instance Core running in Americas", f"{CORE:.9f}"),
    sku("A3 Instance Ram running in Americas", f"{RAM:.9f}", "GiBy.h"),
    sku("Nvidia H100 80GB GPU running in Americas", "9.796550569"),
    ON_DEMAND_SSD,
]


def composed(*skus, regions=()):
    read = catalogue(skus, now=NOW, where="a price list")
    return node_listings(Prices(read.rates), Ask(now=NOW, regions=regions), as_of=read.as_of, source="a price list")


def priced(*skus):
    """USD an hour by machine type and option (variant or term, where there is one)."""
    return {
        (item.instance_type, item.variant or item.term_months or item.purchase_option): item.hourly
        for item in composed(*skus)[0]
    }


def test_an_a3_machine_on_demand_is_its_gpus_cores_memory_and_local_ssd():
    hourly = priced(*A3)["a3-highgpu-8g", "on_demand"]
    assert hourly / 8 == pytest.approx(11.06125, abs=2e-5)  # 10.979 would be without the SSD
    assert hourly == pytest.approx(208 * 0.0254980 + 1872 * 0.00222035 + 8 * 9.796550569 + 6000 * 0.08 / 730, abs=1e-4)


def test_an_a3_mega_machine_is_billed_by_skus_of_its_own_under_three_names_of_its_gpu():
    found = priced(
        sku("A3Plus Instance Core running in Americas", "0.026924"),
        sku("A3Plus Instance Ram running in Americas", "0.002344", "GiBy.h"),
        sku("Nvidia H100 80GB Plus GPU running in Americas", "10.344275712"),
        sku("Spot Preemptible A3Plus Instance Core running in Americas", "0.01", usage="Preemptible"),
        sku("Spot Preemptible A3Plus Instance Ram running in Americas", "0.001", "GiBy.h", usage="Preemptible"),
        sku("Nvidia H100 80GB Mega GPU attached to Spot Preemptible VMs running in Americas", "5", usage="Preemptible"),
        sku("SSD backed Local Storage attached to Spot Preemptible VMs", "0.04", "GiBy.mo"),  # tagged OnDemand
        *A3,
    )
    ssd = 6000 * 0.08 / 730
    assert found["a3-megagpu-8g", "on_demand"] == pytest.approx(
        208 * 0.026924 + 1872 * 0.002344 + 8 * 10.344275712 + ssd
    )
    assert found["a3-megagpu-8g", "spot"] == pytest.approx(208 * 0.01 + 1872 * 0.001 + 8 * 5 + 6000 * 0.04 / 730)


G2_TOTALS = {"on_demand": ("0.706832255", "0.853624271"), 12: ("0.445304318", "0.537783286"),
             36: ("0.318074503", "0.384130899"), "spot": ("0.397336", "0.479872")}  # fmt: skip
G2_PUBLISHED = {"on_demand": (4.001665148, 8.003330296), 12: (2.521049016, 5.042098032),
                36: (1.80074918, 3.60149836), "spot": (2.249632, 4.499264)}  # fmt: skip


def g2(option):
    """The SKUs that the published totals of g2-standard-4 and -8 tell: 4 vCPUs and 16 GiB apart, with one L4 each."""
    four, eight = map(Decimal, G2_TOTALS[option])
    host, gpu = (eight - four) / 4, 2 * four - eight
    ram = Decimal("0.001")  # any split of a vCPU and its 4 GiB gives the same totals
    before, gpu_words, cpu, after, usage = {
        "on_demand": ("", "Nvidia L4 GPU running", "Instance Core running", "", "OnDemand"),
        "spot": ("Spot Preemptible ", "Nvidia L4 GPU attached to Spot Preemptible VMs running", "Instance Core running",
                 "", "Preemptible"),
        12: ("Commitment v1: ", "Commitment v1: Nvidia L4 GPU running", "Cpu", " for 1 Year", "Commit1Yr"),
        36: ("Commitment v1: ", "Commitment v1: Nvidia L4 GPU running", "Cpu", " for 3 Years", "Commit3Yr"),
    }[option]  # fmt: skip
    memory = cpu.replace("Core", "Ram").replace("Cpu", "Ram")
    return [
        sku(f"{before}G2 {cpu} in Americas{after}", f"{host - 4 * ram:.9f}", usage=usage),
        sku(f"{before}G2 {memory} in Americas{after}", f"{ram:.9f}", "GiBy.h", usage=usage),
        sku(f"{gpu_words} in Americas{after}", f"{gpu:.9f}", usage=usage),
    ]


@pytest.mark.parametrize("option", [*G2_TOTALS])
def test_larger_g2_machines_cost_what_is_published(option):
    found = priced(*(each for other in G2_TOTALS for each in g2(other)))
    assert found["g2-standard-48", option] == pytest.approx(G2_PUBLISHED[option][0], abs=1e-7)
    assert found["g2-standard-96", option] == pytest.approx(G2_PUBLISHED[option][1], abs=1e-7)


A4 = [
    sku("A4 Nvidia B200 (1 gpu slice) running in Americas", "16.11"),
    sku("Spot Preemptible A4 Nvidia B200 (1 gpu slice) running in Americas", "4.9542"),  # tagged OnDemand
    sku("DWS Calendar Mode A4 Nvidia B200 (1 gpu slice) in Americas", "11.277"),
    sku("DWS Defined Duration A4 Nvidia B200 (1 gpu slice) running in Americas", "8.055"),
    sku("Commitment v1: A4 Nvidia B200 (1 gpu slice) in Americas for 1 Year", "11.1159", usage="Commit1Yr"),
    sku("Commitment v1: A4 Nvidia B200 (1 gpu slice) in Americas for 3 Years", "7.0884", usage="Commit3Yr"),
]


def test_an_a4_machine_is_eight_slices_and_none_is_sold_on_demand():
    found = priced(*A4)
    assert found == pytest.approx(
        {
            ("a4-highgpu-8g", "spot"): 39.6336,
            ("a4-highgpu-8g", "dws-calendar"): 90.216,
            ("a4-highgpu-8g", "dws-flex-start"): 64.44,
            ("a4-highgpu-8g", 12): 88.9272,
            ("a4-highgpu-8g", 36): 56.7072,
        }
    )


def test_each_option_says_what_it_is_and_whether_it_can_be_had():
    found = {item.variant or item.term_months or item.purchase_option: item for item in composed(*A4)[0]}
    assert (found["dws-calendar"].purchase_option, found["dws-calendar"].availability) == ("capacity_block", "listed")
    assert found["dws-calendar"].term_months == 3
    flex = found["dws-flex-start"]
    assert (flex.purchase_option, flex.availability, flex.interruptions) == ("spot", "unknown", 168)
    assert found["spot"].availability == "unknown"
    assert (found[36].purchase_option, found[36].availability) == ("cud", "listed")
    assert "reservation" in found[36].note


def test_an_a3_machine_by_flex_start_costs_what_was_billed():
    found = priced(
        sku("Nvidia H100 80GB GPU attached to DWS Defined Duration VMs running in Americas", "4.200761"),
        sku("DWS Defined Duration A3 Core running in Americas", "0.010934"),
        sku("DWS Defined Duration A3 Ram running in Americas", "0.000952", "GiBy.h"),
        sku("DWS Defined Duration SSD backed Local Storage running in Americas", "0.08", "GiBy.mo"),
    )
    # 33.606088 + 2.274272 + 1.782144 + 0.65753425 USD on an invoice of August 2025
    assert found["a3-highgpu-8g", "dws-flex-start"] == pytest.approx(38.32003825)
    assert found["a3-highgpu-1g", "dws-flex-start"] == pytest.approx(4.200761 + 0.284284 + 0.222768 + 0.0821918)


G4 = [
    sku("G4 Instance Core running in Iowa", "0.04891"),
    sku("G4 Instance Ram running in Iowa", "0.00587", "GiBy.h"),
    sku("RTX 6000 96GB running in Iowa", "1.09565"),
]


def test_a_g4_machine_with_part_of_a_gpu_has_a_price_of_its_own():
    found = priced(*G4, sku("1/8 vGPU no lssd running in Iowa", "0.64688"))
    assert found["g4-standard-48", "on_demand"] == pytest.approx(4.49993)
    assert found["g4-standard-384", "on_demand"] == pytest.approx(8 * 4.49993)
    assert found["g4-standard-6", "on_demand"] == pytest.approx(0.64688)  # and not an eighth of 4.49993
    assert found["g4-standard-24", "on_demand"] == pytest.approx(2.58752)


def test_part_of_a_gpu_is_left_out_where_it_has_no_price_of_its_own():
    listings, (note,) = composed(*G4)
    assert {item.instance_type for item in listings} == {f"g4-standard-{size}" for size in (48, 96, 192, 384)}
    assert note.message.startswith("3 prices lack a part")


def test_part_of_a_gpu_that_cannot_be_committed_is_no_commitment_at_the_price_on_demand():
    gpu = sku("Commitment v1: RTX 6000 96GB in Iowa for 1 Year", "0.7", usage="Commit1Yr")
    found = priced(*G4, gpu, sku("1/8 vGPU no lssd running in Iowa", "0.64688"))
    assert ("g4-standard-48", 12) in found
    assert ("g4-standard-6", 12) not in found


def test_a_machine_with_a_part_that_has_no_price_is_left_out_and_counted():
    listings, (note,) = composed(*A3[1:])
    assert listings == []
    assert "a3-highgpu-8g on_demand in us-central1 (A3 core)" in note.message
    assert (note.level, note.code) == ("note", "gcp-part-without-price")


def test_a_price_of_nought_is_a_placeholder_and_no_price():
    free = sku("A3 Instance Core running in Americas", "0")
    assert composed(free, *A3[1:])[0] == []


def test_hosts_stay_on_demand_where_only_gpus_can_be_committed():
    gpu = sku("Commitment v1: Nvidia H100 80GB GPU in Americas for 1 Year", "6", usage="Commit1Yr")
    found = {(item.instance_type, item.term_months): item for item in composed(*A3, gpu)[0]}
    listing = found["a3-highgpu-8g", 12]
    on_demand = priced(*A3)["a3-highgpu-8g", "on_demand"]
    assert listing.hourly == pytest.approx(on_demand - 8 * (9.796550569 - 6))
    assert "no commitment for A3 core and A3 memory and local SSD" in listing.note


def test_hosts_with_a_commitment_but_gpus_without_one_give_no_commitment():
    host = [
        sku("Commitment v1: A2 Cpu in Americas for 1 Year", "0.02", usage="Commit1Yr"),
        sku("Commitment v1: A2 Ram in Americas for 1 Year", "0.002", "GiBy.h", usage="Commit1Yr"),
    ]
    on_demand = [
        sku("A2 Instance Core running in Americas", "0.03"),
        sku("A2 Instance Ram running in Americas", "0.004", "GiBy.h"),
        sku("Nvidia Tesla A100 80GB GPU running in Americas", "3.9"),
        ON_DEMAND_SSD,
    ]
    found = priced(*host, *on_demand)
    assert found["a2-ultragpu-1g", "on_demand"] == pytest.approx(12 * 0.03 + 170 * 0.004 + 3.9 + 375 * 0.08 / 730)
    assert ("a2-ultragpu-1g", 12) not in found


def test_a3_machines_of_fewer_than_eight_gpus_are_not_sold_on_demand():
    assert {name for name, _ in priced(*A3)} == {"a3-highgpu-8g"}


def test_only_regions_that_are_asked_for_are_composed():
    far = [sku(each.description, "1", each.pricing_info[0].pricing_expression.usage_unit, regions=["europe-west4"])
           for each in A3]  # fmt: skip
    assert {item.region for item in composed(*A3, *far)[0]} == {"us-central1", "europe-west4"}
    assert {item.region for item in composed(*A3, *far, regions=("europe-*",))[0]} == {"europe-west4"}


def test_of_two_prices_of_one_part_the_dearer_counts_in_any_order_and_is_told():
    other = sku("Nvidia H100 80GB GPU running in Iowa", "9", name="other")
    for skus in ([*A3, other], [other, *A3]):
        read = catalogue(skus, now=NOW, where="a price list")
        prices = Prices(read.rates)
        assert prices.of("H100 GPU", "on_demand", "us-central1") == Decimal("9.796550569")
        assert prices.diagnostics()[0].code == "gcp-two-prices"


@pytest.mark.parametrize(
    "description",
    [
        "Reserved A2 Core in Netherlands",
        "Reserved Nvidia Tesla A100 80GB GPU in Virginia",
        "Nvidia H100 80GB GPU attached to Sole Tenancy VMs running in Americas",
        "G2 Custom Instance Core running in Americas",
        "N1 Predefined Instance Core running in Americas",
        "Nvidia L4 GPU Virtual Workstation running in Americas",
        "Nvidia L40 GPU running in Netherlands",
        "C4D Instance Local SSD running in Americas",
        "Commitment v1: A3 Cpu in Americas for 5 Years",
        "VM state: preserved local SSD in Bangkok",
        "Commitment v1: C4D Local SSD in Americas for 3 Years",
    ],
)
def test_what_is_no_price_of_a_part_of_a_gpu_machine_is_passed_over(description):
    assert named_part(description, "OnDemand") is None


def test_calendar_mode_is_told_from_reservations_that_are_paid_otherwise():
    assert named_part("Reserved Nvidia H100 80GB GPU in Seoul in Calendar Mode", "OnDemand") == ("H100 GPU", "calendar")
    assert named_part("Reserved Nvidia H100 80GB Mega GPU in Americas in Calendar Mode", "OnDemand") == (
        "H100 Mega GPU",
        "calendar",
    )


def test_memory_by_the_decimal_gigabyte_is_told_from_memory_by_the_gibibyte():
    skus = [sku("A3 Instance Ram running in Americas", "0.001", "GBy.h"), *A3]
    read = catalogue(skus[:1], now=NOW, where="a price list")
    assert read.rates[0].hourly == Decimal("0.001073741824")


def test_the_last_of_several_tiers_counts():
    tiered = sku("Nvidia L4 GPU running in Americas", "0.56004")
    free = {"start_usage_amount": 0, "unit_price": {"currency_code": "USD"}}
    paid = {"start_usage_amount": 10, "unit_price": {"currency_code": "USD", "nanos": 560040000}}
    tiered.pricing_info[0].pricing_expression.tiered_rates = [free, paid]
    assert catalogue([tiered], now=NOW, where="a price list").rates[0].hourly == Decimal("0.56004")


def test_skus_that_are_not_understood_are_counted_in_one_warning():
    odd = [
        sku("A3 Instance Core running in Tokyo", "0.03", "s"),
        sku("A3 Instance Ram running in Tokyo", "0.03", "GiBy.h", currency="JPY"),
        sku("Nvidia L4 GPU running in Tokyo", "0.5"),
    ]
    odd[2].pricing_info = []
    read = catalogue([*odd, *A3], now=NOW, where="a price list")
    (warning,) = read.found
    assert warning.message.startswith("3 SKUs are not understood, such as A3 Instance Core running in Tokyo (unit 's')")
    assert len(read.rates) == 4


def test_a_list_without_any_part_of_a_gpu_machine_has_another_shape():
    with pytest.raises(InputError, match="names no part of a GPU machine with a price"):
        catalogue([sku("N1 Predefined Instance Core running in Americas", "0.03")], now=NOW, where="a price list")


def test_every_machine_that_the_table_sizes_can_be_composed():
    sized = {machine.name for machine in machines() if None not in machine.parts.values()}
    assert {"a2-megagpu-16g", "a2-ultragpu-8g", "a3-megagpu-8g", "a4-highgpu-8g", "g2-standard-96"} <= sized
    assert len(sized) >= 9 + 5 + 8 + 7 + 1  # of A2, A3, G2 and G4, and a4-highgpu-8g
