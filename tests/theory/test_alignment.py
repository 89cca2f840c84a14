"""The laws of alignment against matrices drawn at random, in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from lrtransfer.theory import alignment as theory
from lrtransfer.theory.alignment import Array

DRAWS = 20


def measured(matrix: Array, inputs: Array) -> float:
    return float(
        np.linalg.norm(matrix @ inputs) / (np.linalg.norm(matrix) * np.linalg.norm(inputs))
    )


def root_mean_square(values: list[float]) -> float:
    return math.sqrt(np.mean(np.square(values)))


def gaussians(*shapes: tuple[int, int], seed: int = 0) -> list[Array]:
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape) for shape in shapes]


def test_the_relative_change_is_ratio_times_relative_update() -> None:
    weight, update, inputs = gaussians((7, 11), (7, 11), (11, 5))
    change = np.linalg.norm(update @ inputs) / np.linalg.norm(weight @ inputs)
    ratio = measured(update, inputs) / measured(weight, inputs)
    relative = np.linalg.norm(update) / np.linalg.norm(weight)
    assert change == pytest.approx(ratio * relative, rel=1e-14)


@pytest.mark.parametrize(("fan_in", "reference"), [(64, 0.1249), (256, 0.0625), (1024, 0.0313)])
def test_weights_independent_of_the_inputs_align_as_one_over_root_c(
    fan_in: int, reference: float
) -> None:
    weight, inputs = gaussians((256, fan_in), (fan_in, 512))
    assert theory.weight_alignment(fan_in) == pytest.approx(reference, abs=1.01e-4)
    assert measured(weight, inputs) == pytest.approx(theory.weight_alignment(fan_in), rel=0.01)


def test_the_update_of_one_sample_is_fully_aligned() -> None:
    gradient, inputs = gaussians((32, 1), (64, 1))
    assert measured(gradient @ inputs.T, inputs) == pytest.approx(1, rel=1e-14)
    assert theory.update_alignment(64, 1) == 1
    assert theory.gram_update_alignment(gradient, inputs) == pytest.approx(1, rel=1e-14)
    assert theory.alignment_ratio(64, 1) == pytest.approx(8)


@pytest.mark.parametrize(
    ("samples", "formula", "simulated"),
    [(16, 0.258, 0.263), (256, 0.088, 0.088), (4096, 0.0644, 0.0645)],
)
def test_gradient_descent_on_noise_aligns_by_batch_and_width(
    samples: int, formula: float, simulated: float
) -> None:
    values = []
    for seed in range(DRAWS if samples < 4096 else 2):
        gradient, inputs = gaussians((256, samples), (256, samples), seed=seed)
        values.append(measured(gradient @ inputs.T, inputs))
    law = theory.update_alignment(256, samples)
    assert law == pytest.approx(formula, abs=1e-3)  # its first row left out −1/(BC)
    assert law == pytest.approx(simulated, rel=0.025)
    assert root_mean_square(values) == pytest.approx(law, rel=0.02)


@pytest.mark.parametrize("samples", [16, 512])
def test_on_a_held_out_batch_the_own_samples_are_missing(samples: int) -> None:
    plain, signed = [], []
    for seed in range(DRAWS):
        gradient, inputs, other = gaussians((128, samples), (128, samples), (128, 512), seed=seed)
        plain.append(measured(gradient @ inputs.T, other))
        signed.append(measured(np.sign(gradient @ inputs.T), other))
    law = theory.update_alignment(128, samples, held_out=True)
    assert law == pytest.approx(128**-0.5, rel=1e-14)
    assert root_mean_square(plain) == pytest.approx(law, rel=0.02)
    assert theory.sign_update_alignment(128, samples, held_out=True) == law
    assert root_mean_square(signed) == pytest.approx(law, rel=0.02)


def test_a_sign_update_on_noise_aligns_like_its_law() -> None:
    law = theory.sign_update_alignment(256, 4096)
    assert law == pytest.approx(0.0637, abs=1.01e-4)
    gradient, inputs = gaussians((256, 4096), (256, 4096))
    assert measured(np.sign(gradient @ inputs.T), inputs) == pytest.approx(law, rel=0.01)
    values = []
    for seed in range(DRAWS):
        gradient, inputs = gaussians((256, 16), (256, 16), seed=seed)
        values.append(measured(np.sign(gradient @ inputs.T), inputs))
    assert root_mean_square(values) == pytest.approx(
        theory.sign_update_alignment(256, 16), rel=0.03
    )
    assert theory.sign_update_alignment(1, 1) == 1


@pytest.mark.parametrize(("fan_in", "samples"), [(256, 16), (256, 256), (64, 1024)])
def test_the_ratio_goes_from_root_c_over_b_to_one(fan_in: int, samples: int) -> None:
    ratios = []
    for seed in range(DRAWS):
        weight, gradient, inputs = gaussians(
            (256, fan_in), (256, samples), (fan_in, samples), seed=seed
        )
        ratios.append(measured(gradient @ inputs.T, inputs) / measured(weight, inputs))
    law = theory.alignment_ratio(fan_in, samples)
    assert root_mean_square(ratios) == pytest.approx(law, rel=0.02)
    assert law == pytest.approx(math.sqrt(1 + fan_in / samples), rel=0.005)


@pytest.mark.parametrize("rank", [1, 3, 12])
def test_the_gram_form_is_exact_for_any_inputs(rank: int) -> None:
    left, right, gradient = gaussians((20, rank), (rank, 12), (7, 12))
    inputs = left @ right
    expected = measured(gradient @ inputs.T, inputs)
    assert theory.gram_update_alignment(gradient, inputs) == pytest.approx(expected, rel=1e-12)
    if rank == 1:
        assert expected == pytest.approx(1, rel=1e-12)


def test_log_alignment_is_one_when_full_and_a_half_when_none() -> None:
    assert theory.log_alignment(1.0, 64) == 1
    assert theory.log_alignment(theory.weight_alignment(64), 64) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.weight_alignment(0), "fan_in is 0"),
        (lambda: theory.update_alignment(4, 0), "samples 0"),
        (lambda: theory.sign_update_alignment(0, 4), "fan_in is 0"),
        (lambda: theory.log_alignment(0.0, 4), "alignment is 0.0"),
        (lambda: theory.log_alignment(0.5, 1), "fan_in 1"),
        (
            lambda: theory.gram_update_alignment(np.ones((2, 3)), np.ones((4, 5))),
            r"gradients have shape \(2, 3\)",
        ),
        (lambda: theory.gram_update_alignment(np.zeros((2, 3)), np.ones((4, 3))), "vanish"),
    ],
)
def test_what_has_no_meaning_is_refused_by_name(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
