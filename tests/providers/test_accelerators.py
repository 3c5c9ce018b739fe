"""One name per GPU: spellings resolve, ambiguous ones are refused, instance types count."""

import csv
import re
from importlib.resources import files
from pathlib import Path

import pytest

from providers.accelerators import canonical, did_you_mean, instance_gpus, is_ambiguous, known

PRICES = Path(__file__).parents[2].parent / "shared" / "data" / "prices"


def rows(source):
    text = source.read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def bundled(name):
    return rows(files("data").joinpath(name))


@pytest.mark.parametrize(
    ("spelling", "model"),
    [
        ("H100-SXM-80GB", "H100-SXM-80GB"),
        ("h100_sxm", "H100-SXM-80GB"),
        ("NVIDIA H100 80GB HBM3", "H100-SXM-80GB"),
        ("NVIDIA-H100-80GB-HBM3", "H100-SXM-80GB"),
        ("nvidia-h100-80gb", "H100-SXM-80GB"),
        ("nvidia-tesla-a100", "A100-40GB"),
        ("NVIDIA A100-SXM4-80GB", "A100-80GB"),
        ("NVIDIA A100 80GB PCIe", "A100-80GB-PCIE"),
        ("a100-80gb", "A100-80GB"),
        (" L4 ", "L4-24GB"),
        ("a10g", "A10G-24GB"),
        ("A10", "A10-24GB"),
        ("Tesla T4", "T4-16GB"),
        ("gb300-288gb", "GB300-270GB"),
    ],
)
def test_a_spelling_has_one_canonical_name(spelling, model):
    assert canonical(spelling) == model
    assert not is_ambiguous(spelling)


@pytest.mark.parametrize(
    "spelling", ["H100", "A100", "A100-SXM", "a100_sxm4", "A100 PCIe", "V100", "H100 (80 GB)", "nvidia a100"]
)
def test_a_spelling_of_different_cards_is_refused(spelling):
    assert is_ambiguous(spelling)
    assert canonical(spelling) is None


def test_an_unknown_name_is_neither_known_nor_ambiguous():
    assert canonical("Z9000") is None
    assert not is_ambiguous("Z9000")
    assert not known("H100")
    assert instance_gpus("aws", "m7i.large") is None


def test_canonical_names_map_to_themselves_and_carry_their_memory():
    for row in bundled("accelerators.csv"):
        assert known(row["gpu_model"])
        assert canonical(row["gpu_model"]) == row["gpu_model"]
        assert f"-{row['memory_gb']}GB" in row["gpu_model"]
        assert row["source"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", row["as_of"])


def test_spellings_are_listed_once_and_name_known_models():
    spellings = bundled("spellings.csv")
    assert len({row["spelling"].casefold() for row in spellings}) == len(spellings)
    meanings = {}
    for row in spellings:
        assert row["source"]
        assert not row["gpu_model"] or known(row["gpu_model"])
        meanings.setdefault(re.sub(r"[\s_-]", "", row["spelling"]).casefold(), set()).add(row["gpu_model"])
    assert [key for key, models in meanings.items() if len(models) > 1] == []


def test_no_ambiguous_spelling_is_a_canonical_name():
    for row in bundled("spellings.csv"):
        assert is_ambiguous(row["spelling"]) == (not row["gpu_model"])


@pytest.mark.parametrize(
    ("provider", "instance_type", "expected"),
    [
        ("aws", "p5.48xlarge", ("H100-SXM-80GB", 8.0)),
        ("aws", "p4d.24xlarge", ("A100-40GB", 8.0)),
        ("aws", "g6f.xlarge", ("L4-24GB", 0.125)),
        ("azure", "standard_nc40ads_h100_v5", ("H100-NVL-94GB", 1.0)),
        ("azure", "Standard_ND96asr_v4", ("A100-40GB", 8.0)),
        ("azure", "Standard_ND96amsr_A100_v4", ("A100-80GB", 8.0)),
        ("azure", "Standard_NC24ads_A100_v4", ("A100-80GB-PCIE", 1.0)),
        ("gcp", "a3-megagpu-8g", ("H100-SXM-80GB", 8.0)),
        ("gcp", "a2-megagpu-16g", ("A100-40GB", 16.0)),
        ("GCP", "g4-standard-6", ("RTXPRO6000-96GB", 0.125)),
        ("lambda", "gpu_8x_h100_sxm5", ("H100-SXM-80GB", 8.0)),
    ],
)
def test_an_instance_type_has_a_model_and_a_count(provider, instance_type, expected):
    assert instance_gpus(provider, instance_type) == expected


def test_every_bundled_instance_type_resolves():
    table = bundled("instance_types.csv")
    keys = [(row["provider"], row["instance_type"]) for row in table]
    assert keys == sorted(set(keys))
    for row in table:
        assert row["source"]
        assert known(row["gpu_model"])
        assert instance_gpus(row["provider"], row["instance_type"]) == (row["gpu_model"], float(row["gpus"]))
        assert float(row["gpus"]) > 0


def test_an_instance_type_used_as_a_spelling_means_the_same_card():
    for row in bundled("instance_types.csv"):
        assert canonical(row["instance_type"]) in (None, row["gpu_model"])


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("H100-SMX-80GB", "H100-SXM-80GB"),
        ("A100-80G", "A100-80GB"),
        ("l40s-48", "L40S-48GB"),
        ("pentium", None),
    ],
)
def test_a_typing_error_gets_a_suggestion(name, meant):
    assert did_you_mean(name) == meant


@pytest.mark.skipif(not PRICES.exists(), reason="the collected sources are not on this machine")
def test_every_collected_alias_resolves_or_is_declared_ambiguous():
    for row in rows(PRICES / "gpu_aliases.csv"):
        if "*" in row["spelling"]:
            continue  # a family of instance types, which have their own table
        bare = re.sub(r"\s*[(\[].*", "", row["spelling"])
        found = canonical(row["spelling"]) or canonical(bare)
        # SkyPilot calls Azure's PCIe cards by the canonical name of the SXM card.
        skypilot_pcie = row["gpu_model"] == "A100-80GB-PCIE" and bare == "A100-80GB"
        if found is None:
            assert is_ambiguous(row["spelling"]) or is_ambiguous(bare), row
        elif not skypilot_pcie:
            assert found == row["gpu_model"], row


@pytest.mark.skipif(not PRICES.exists(), reason="the collected sources are not on this machine")
def test_every_collected_instance_type_with_a_count_is_bundled():
    for row in rows(PRICES / "instance_gpu_map.csv"):
        if row["gpu_count"]:
            found = instance_gpus(row["cloud"], row["instance_type"])
            assert found == (row["gpu_model"], pytest.approx(float(row["gpu_count"])))
