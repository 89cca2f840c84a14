"""Gradient noise lets the sharpness rest below the edge of stability."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lrtransfer.theory.edge_of_stability import (
    Drift,
    Trajectory,
    constant_rate,
    simulate,
)
from lrtransfer.theory.edge_of_stability_noise import (
    noisy_resting_sharpness,
    sharpness_gap,
    simulate_noisy,
)

DRIFT = Drift(sharpening=1e-3, stabilisation=1e-2)


def noisy(deviation: float, drift: Drift = DRIFT, steps: int = 40_000) -> Trajectory:
    return simulate_noisy(
        1.0,
        drift,
        deviation=deviation,
        displacement=0.1,
        sharpness=1.9,
        steps=steps,
        generator=np.random.default_rng(0),
    )


@pytest.mark.parametrize("deviation", [0.05, 0.1, 0.2])
def test_sharpness_rests_where_noise_alone_keeps_the_energy(deviation: float) -> None:
    path = noisy(deviation)
    tail = slice(10_000, None)
    expected = noisy_resting_sharpness(1.0, DRIFT, deviation)
    assert not path.diverged
    assert path.energy[tail].mean() == pytest.approx(DRIFT.resting_energy, rel=0.02)
    gap, found = 2 - expected, 2 - path.sharpness[tail].mean()
    assert found == pytest.approx(gap, rel=0.05, abs=5e-4)


def test_the_gap_of_weak_noise_grows_with_its_variance() -> None:
    for deviation in (1e-3, 1e-2):
        exact = 2 / 0.5 - noisy_resting_sharpness(0.5, DRIFT, deviation)
        assert sharpness_gap(0.5, DRIFT, deviation) == pytest.approx(exact, rel=1e-3)
    assert sharpness_gap(0.5, DRIFT, 0.2) == pytest.approx(4 * sharpness_gap(0.5, DRIFT, 0.1))


def test_without_noise_it_is_the_semi_implicit_model() -> None:
    quiet = noisy(0.0, steps=500)
    plain = simulate(
        constant_rate(1.0), DRIFT, displacement=0.1, sharpness=1.9, steps=500, semi_implicit=True
    )
    np.testing.assert_allclose(quiet.sharpness, plain.sharpness, rtol=1e-10)


def test_noise_beyond_the_resting_energy_has_no_rest() -> None:
    assert math.isnan(noisy_resting_sharpness(1.0, DRIFT, 0.4))
    assert noisy(0.4).sharpness[-1] < 1


def test_divergence_is_told_and_cut() -> None:
    path = noisy(0.0, Drift(10.0, 1e-3), steps=5000)
    assert path.diverged
    assert len(path.rate) <= 5000
    assert np.isfinite(path.sharpness).all()


def test_what_has_no_meaning_is_refused() -> None:
    with pytest.raises(ValueError, match="deviation is -1"):
        noisy(-1.0)
    with pytest.raises(ValueError, match="steps is -1"):
        noisy(0.1, steps=-1)
