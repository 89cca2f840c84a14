"""Closed forms of momentum's edges against the iterations they are about."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from lrtransfer.theory import momentum
from lrtransfer.theory.momentum import (
    averaged_edge,
    gradient_penalty,
    heavy_ball_edge,
    nesterov_edge,
    period_two_energy,
    ringing_onset,
    second_moment_radius,
    small_batch_plateau,
)


@pytest.mark.parametrize(
    ("beta", "heavy_ball", "averaged", "nesterov", "small_batch"),
    [(0.5, 3.0, 6, 1.5, 1.0), (0.9, 3.8, 38, 1.357, 0.2), (0.95, 3.9, 78, 1.345, 0.1)],
)
def test_the_edges_of_the_literature(
    beta: float, heavy_ball: float, averaged: float, nesterov: float, small_batch: float
) -> None:
    assert heavy_ball_edge(beta) == pytest.approx(heavy_ball)
    assert averaged_edge(beta) == pytest.approx(averaged)
    assert nesterov_edge(beta) == pytest.approx(nesterov, abs=5e-4)
    assert small_batch_plateau(beta) == pytest.approx(small_batch)


def test_the_plateaus_of_small_and_large_batches_are_nineteen_apart_at_0_9() -> None:
    assert heavy_ball_edge(0.9) / small_batch_plateau(0.9) == pytest.approx(19)
    assert gradient_penalty(0.9) == pytest.approx(19)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
def test_torchs_momentum_diverges_just_above_the_edge(beta: float, *, nesterov: bool) -> None:
    if nesterov and beta == 0:
        return  # torch refuses it
    edge = (nesterov_edge if nesterov else heavy_ball_edge)(beta)
    for factor, diverges in ((0.95, False), (1.05, True)):
        w = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
        optimizer = torch.optim.SGD([w], lr=factor * edge, momentum=beta, nesterov=nesterov)
        for _ in range(100):
            optimizer.zero_grad()
            (w.square() / 2).sum().backward()
            optimizer.step()
        assert (abs(w.item()) > 1) == diverges


def roots(beta: float, curvature: float) -> np.ndarray:
    """Return the eigenvalues of the average form on a quadratic, `curvature` = ηλ."""
    return np.roots([1, -(1 + beta - (1 - beta) * curvature), beta])


@pytest.mark.parametrize(("beta", "known"), [(0.9, 0.0263), (0.95, 0.0128)])
def test_modes_of_the_average_form_ring_above_the_onset(beta: float, known: float) -> None:
    onset = ringing_onset(beta)
    assert onset == pytest.approx(known, abs=5e-5)
    assert np.isreal(roots(beta, 0.999 * onset)).all()
    assert not np.isreal(roots(beta, 1.001 * onset)).any()
    assert np.abs(roots(beta, averaged_edge(beta))).max() == pytest.approx(1)


def test_one_curvature_per_batch_is_stable_below_twice_its_mean_over_its_square() -> None:
    batches = [[[1.0]], [[3.0]]]
    assert second_moment_radius(batches, 0.99 * 0.8) < 1 < second_moment_radius(batches, 1.01 * 0.8)
    same = [[[2.0]]]
    plateau = small_batch_plateau(0.9) / 2.0
    assert second_moment_radius(same, plateau, beta=0.9) == pytest.approx(1)


def test_the_second_moments_grow_as_the_radius_says() -> None:
    random = np.random.default_rng(0)
    hessians = np.array([a @ a.T for a in random.normal(size=(4, 2, 2))])
    rate = 0.3
    moments = np.outer([1.0, 0.5], [1.0, 0.5])
    for _ in range(200):
        before = np.trace(moments)
        steps = [np.eye(2) - rate * h for h in hessians]
        moments = np.mean([s @ moments @ s for s in steps], axis=0)
    assert np.trace(moments) / before == pytest.approx(second_moment_radius(hessians, rate))


@pytest.mark.parametrize(("sharpness", "known"), [(5.0, 1.0), (4.2, 0.2), (3.9, 0.0)])
def test_gradient_descent_on_the_quartic_settles_on_the_orbit(
    sharpness: float, known: float
) -> None:
    assert period_two_energy(sharpness, 1.0, 0.5) == pytest.approx(known)
    energy, w = period_two_energy(sharpness, 1.0, 0.5), 0.1
    for _ in range(4000):
        w -= 0.5 * (sharpness * w - w**3)
    if sharpness != 5.0:  # there the orbit itself is unstable
        assert w**2 == pytest.approx(energy, abs=1e-6)
    w = math.sqrt(energy)
    assert w - 0.5 * (sharpness * w - w**3) == pytest.approx(-w)


@pytest.mark.parametrize(
    "form", [heavy_ball_edge, averaged_edge, nesterov_edge, small_batch_plateau, ringing_onset]
)
def test_a_momentum_of_one_is_refused(form: Callable[[float], float]) -> None:
    with pytest.raises(ValueError, match=r"lies in \[0, 1\)"):
        form(1.0)


def test_no_small_batch_plateau_of_nesterov_is_asserted() -> None:
    assert not [name for name in dir(momentum) if "nesterov" in name and "batch" in name]


def test_hessians_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"give \(batches, n, n\)"):
        second_moment_radius(np.eye(2), 0.1)
