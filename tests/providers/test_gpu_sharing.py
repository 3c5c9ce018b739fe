"""Parts of GPUs: published worked examples come out, and the parts of a card are the card."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.gpu_sharing import (
    exposure,
    mig_part,
    profile_of,
    replica,
    replicas_of,
    split_equally,
    split_error,
    unallocatable,
)

CARD_USD = 3.00  # the course's example: a $3.00 card in four replicas, 55 % active


def test_four_replicas_of_a_three_dollar_card_are_allocated_75_cents_each() -> None:
    assert [CARD_USD * replica(4)] * 4 == [0.75] * 4


def test_an_equal_split_of_the_measured_activity_is_41_25_cents_each() -> None:
    assert CARD_USD * split_equally(0.55, 4) == pytest.approx(0.4125)


def test_what_an_equal_split_gets_wrong_sums_to_nothing() -> None:
    shares = (0.70, 0.25, 0.025, 0.025)
    assert [CARD_USD * 0.55 * share for share in shares] == pytest.approx([1.155, 0.4125, 0.04125, 0.04125])
    errors = split_error(0.55, shares)
    assert errors == pytest.approx([-0.2475, 0.0, 0.12375, 0.12375])
    assert sum(errors) == pytest.approx(0.0)


def test_mig_slices_of_a_three_dollar_card_pay_by_their_compute() -> None:
    parts = [mig_part("H100-SXM-80GB", profile) for profile in ("3g.40gb", "3g.40gb", "1g.10gb")]
    assert [CARD_USD * part.compute for part in parts if part] == pytest.approx([1.2857, 1.2857, 0.4286], abs=5e-5)


def test_seven_small_slices_leave_a_sixth_of_the_memory_of_an_a100_to_nobody() -> None:
    left = unallocatable("A100-40GB", ["1g.5gb"] * 7)
    assert left is not None
    assert left.compute == pytest.approx(0.0)
    assert left.memory == pytest.approx(0.169, abs=5e-4)


def test_two_halves_leave_a_seventh_of_the_compute_to_nobody() -> None:
    left = unallocatable("A100-80GB", ["3g.40gb", "3g.40gb"])
    assert left is not None
    assert left == pytest.approx((1 / 7, 0.0))


def test_exposure_is_the_part_of_the_used_gpus_that_are_shared() -> None:
    assert exposure(exclusive=40 * 0.62, shared=24 * 0.91) == pytest.approx(0.468, abs=5e-4)
    assert exposure(exclusive=0.0, shared=0.0) is None


def test_four_pods_of_a_quarter_of_the_cores_are_one_gpu_hour() -> None:
    assert sum(replica(1, percent=25) for _ in range(4)) == 1.0


@pytest.mark.parametrize(
    ("model", "profile", "compute", "memory"),
    [  # NVIDIA Multi-Instance GPU User Guide, supported profiles: fractions of SMs and of memory
        ("A30-24GB", "2g.12gb", 2 / 4, 2 / 4),
        ("A100-80GB", "1g.20gb", 1 / 7, 2 / 8),
        ("A100-80GB", "4g.40gb", 4 / 7, 4 / 8),
        ("H200-141GB", "3g.71gb", 3 / 7, 4 / 8),
        ("H200-141GB", "1g.35gb", 1 / 7, 2 / 8),
        ("B200-180GB", "1g.23gb", 1 / 7, 1 / 8),
        ("B200-180GB", "7g.180gb", 1, 1),
        ("GH200-96GB", "1g.12gb+me", 1 / 7, 1 / 8),
        ("RTXPRO6000-96GB", "1g.24gb", 1 / 4, 1 / 4),
        (None, "2g.20gb", 2 / 7, None),
    ],
)
def test_mig_profiles_are_what_the_vendor_says(
    model: str | None, profile: str, compute: float, memory: float | None
) -> None:
    assert mig_part(model, profile) == (compute, memory)


@pytest.mark.parametrize(("model", "profile"), [("L4-24GB", "1g.5gb"), ("A30-24GB", "7g.24gb"), ("A100-40GB", "x")])
def test_what_is_no_slice_of_the_card_is_none(model: str, profile: str) -> None:
    assert mig_part(model, profile) is None
    assert unallocatable(model, [profile]) is None


def test_a_resource_of_kubernetes_names_its_profile() -> None:
    assert profile_of("nvidia_com_mig_1g_10gb") == profile_of("nvidia.com/mig-1g.10gb") == "1g.10gb"
    assert profile_of("nvidia_com_gpu_shared") is None


@given(cards=st.integers(1, 16), replicas=st.integers(1, 64))
def test_the_replicas_of_a_machine_make_its_cards(cards: int, replicas: int) -> None:
    units = cards * replicas
    assert units * replica(replicas_of(units, cards)) == pytest.approx(cards)


@given(slices=st.lists(st.sampled_from(["1g.10gb", "2g.20gb", "3g.40gb"]), max_size=7))
def test_slices_and_what_is_left_make_one_card(slices: list[str]) -> None:
    parts = [part for profile in slices if (part := mig_part("A100-80GB", profile))]
    left = unallocatable("A100-80GB", slices)
    assert left is not None
    assert sum(part.compute for part in parts) + left.compute == pytest.approx(1.0)
