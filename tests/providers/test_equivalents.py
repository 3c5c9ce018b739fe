"""What other GPUs can do is a ratio of two published measurements, and only a suggestion."""

import pytest

from providers.equivalents import equivalents_of


def beside(model, other):
    return next(one for one in equivalents_of(model) if one.gpu_model == other)


@pytest.mark.parametrize(
    ("other", "work", "ratio"),
    [
        ("B200-180GB", "Llama 2 70B inference, offline", 12864 / 3902),  # MLPerf Inference v5.1, tokens/s a GPU
        ("B200-180GB", "Llama 3.1 405B inference, offline", 207.6 / 48.95),
        ("L4-24GB", "Stable Diffusion XL inference, offline", 0.25 / 2.26),
        ("GB200-186GB", "Llama 3.1 405B pre-training, 512 GPUs", 1968.5 / 896.9),  # GPU-hours a run: fewer is better
        ("A100-80GB", "BERT large fp16 training, 1 GPU", 152 / 311),
    ],
)
def test_ratios_of_published_figures(other, work, ratio):
    assert beside("H100-SXM-80GB", other).ratios[work] == pytest.approx(ratio, rel=0.01)


def test_the_other_way_round_is_the_inverse():
    there, back = beside("H100-SXM-80GB", "H200-141GB"), beside("H200-141GB", "H100-SXM-80GB")
    assert there.ratios.keys() == back.ratios.keys()
    for work, ratio in there.ratios.items():
        assert ratio * back.ratios[work] == pytest.approx(1)


def test_the_lowest_ratio_is_suggested_and_nothing_where_memory_does_not_fit():
    b200 = beside("H100-SXM-80GB", "B200-180GB")
    assert b200.suggestion == min(b200.ratios.values()) < 2
    small = beside("H100-SXM-80GB", "L4-24GB")
    assert (small.fits, small.suggestion) == (False, None)
    assert small.ratios


def test_a_gpu_is_its_own_equal_and_stands_first():
    first = equivalents_of("H200-141GB")[0]
    assert (first.gpu_model, set(first.ratios.values()), first.tflops, first.bandwidth) == (
        "H200-141GB",
        {1.0},
        989,
        4800,
    )


def test_of_an_unknown_gpu_nothing_is_said():
    assert equivalents_of("Vega") == []
