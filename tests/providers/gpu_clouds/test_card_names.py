"""Spellings of GPUs that mean another card in another place."""

import pytest

from providers.card_names import named, unknown


@pytest.mark.parametrize(
    ("spelling", "memory", "form", "model"),
    [
        ("NVIDIA H100 80GB HBM3", 80, "", "H100-SXM-80GB"),
        ("H100", 80, "sxm5", "H100-SXM-80GB"),
        ("H100-80G-PCIe-NVLink", None, "", "H100-PCIE-80GB"),
        ("H100", 94, "", "H100-NVL-94GB"),
        ("H100NVL", 94, "", "H100-NVL-94GB"),
        ("NVIDIA_HGX_B200", 180, "", "B200-180GB"),
        ("NVIDIA A100-SXM4-80GB", 80, "", "A100-80GB"),
        ("A100_80G", 80, "pcie", "A100-80GB-PCIE"),
        ("A100", 80, "epyc-genoa-a100-pcie_1x2v4gb", "A100-80GB-PCIE"),
        ("A100 SXM4", 39.6, "", "A100-40GB"),
        ("H200-141G-SXM5", None, "", "H200-141GB"),
        ("NVIDIA H200 NVL", 141, "", "H200-NVL-141GB"),
        ("Tesla V100", 31.7, "", "V100-32GB"),
        ("Tesla V100 (16 GB)", None, "", "V100-16GB"),
        ("GH200 (96 GB)", None, "", "GH200-96GB"),
        ("amd_mi300x", 192, "", "MI300X-192GB"),
        ("nvidia_l40s", 48, "", "L40S-48GB"),
    ],
)
def test_what_else_a_seller_says_decides_the_card(spelling, memory, form, model):
    assert named(spelling, memory_gb=memory, form=form) == model


@pytest.mark.parametrize(
    ("spelling", "memory", "left"),
    [
        ("H100", 80, "H100"),
        ("A100", None, "A100"),
        ("A100-80GB", 80, "A100 (80 GB)"),
        ("GH200", 144, "GH200 (144 GB)"),
        ("H100T", None, "H100T"),
        ("RTX 4090", 24, "RTX 4090"),
    ],
)
def test_where_nothing_decides_the_card_stays_without_a_canonical_name(spelling, memory, left):
    assert named(spelling, memory_gb=memory) == left


def test_the_table_of_instance_types_goes_before_a_spelling():
    assert unknown("lambda", "gpu_8x_h100_sxm5", "H100") is None
    assert unknown("lambda", "gpu_8x_new", "H100") == "H100"
