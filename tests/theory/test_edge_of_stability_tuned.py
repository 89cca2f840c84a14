"""CDAT in the reduced model: the numbers of the paper's Fig. 9 setting, and its invariants."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from lrtransfer.theory.edge_of_stability import Drift, sharpening_law
from lrtransfer.theory.edge_of_stability_tuned import (
    Start,
    TunedTrajectory,
    invariant,
    resting_sharpness,
    simulate_tuned,
    simulate_tuned_normalised,
    tuned_rate,
)

DRIFT = Drift(sharpening=5e-2, stabilisation=1e-1)
START = Start(rate=0.05, sharpness=18, energy=4, other_energy=4)
NU = 0.1


@cache
def run(sigma: float, steps: int) -> TunedTrajectory:
    return simulate_tuned(sigma, DRIFT, START, curvature=NU, steps=steps)


@pytest.mark.parametrize("sigma", [1.9, 2.0])
def test_both_forms_of_the_model_agree(sigma: float) -> None:
    one = run(sigma, 500)
    other = simulate_tuned_normalised(sigma, DRIFT, START, curvature=NU, steps=500)
    for name in ("rate", "sharpness", "log_energy", "log_other_energy", "excess"):
        np.testing.assert_allclose(
            getattr(other, name), getattr(one, name), rtol=1e-9, atol=1e-9, err_msg=name
        )


@pytest.mark.parametrize(
    ("step", "rate", "sharpness", "excess", "energy"),
    [
        (1, 0.111115, 17.9825, -0.001883, 0.04),
        (10, 0.111226, 18.02846, 0.005234, 0.04388),
        (100, 0.108356, 18.4662, 9.18e-4, 0.06514),
        (500, 0.099036, 20.1988, 3.96e-4, 0.0966),
        (1000, 0.090851, 22.0173, 3.0e-4, 0.1364),
    ],
)
def test_on_the_edge(
    step: int, rate: float, sharpness: float, excess: float, energy: float
) -> None:
    path = run(2.0, 20_000)
    assert path.rate[step] == pytest.approx(rate, abs=6e-7)
    assert path.sharpness[step] == pytest.approx(sharpness, abs=6e-5)
    assert path.excess[step] == pytest.approx(excess, abs=6e-7)
    assert path.energy[step] == pytest.approx(energy, abs=6e-5)


def test_on_the_edge_sharpness_comes_to_rest() -> None:
    path = run(2.0, 60_000)
    assert path.sharpness[10_000] == pytest.approx(30.265, abs=5e-4)
    assert path.rate[-1] == pytest.approx(0.065657, abs=5e-7)
    assert path.sharpness[-1] == pytest.approx(30.4612, abs=5e-5)
    assert path.excess[-1] == pytest.approx(0, abs=1e-12)
    assert path.energy[-1] == pytest.approx(DRIFT.resting_energy, abs=1e-9)


def test_on_the_edge_the_energy_over_sharpness_to_the_fourth_is_kept() -> None:
    path = run(2.0, 60_000)
    kept = invariant(path)
    assert kept[500] == pytest.approx(-14.3597, abs=5e-5)
    assert kept[-1] == pytest.approx(-14.3590, abs=5e-5)
    for step in (500, 1000, 5000):
        expected = resting_sharpness(path.sharpness[step], path.energy[step], DRIFT)
        assert path.sharpness[-1] == pytest.approx(expected, rel=3e-4)


@pytest.mark.parametrize(
    ("step", "rate", "sharpness", "excess"),
    [
        (10, 0.106653, 18.0283, -0.0772),
        (50, 0.109003, 18.2451, -0.011228),
        (100, 0.107422, 18.5154, -0.011048),
        (500, 0.096829, 20.5525, -0.00993),
    ],
)
def test_below_the_edge(step: int, rate: float, sharpness: float, excess: float) -> None:
    path = run(1.9, 200_000)
    assert path.rate[step] == pytest.approx(rate, abs=6e-7)
    assert path.sharpness[step] == pytest.approx(sharpness, abs=6e-5)
    assert path.excess[step] == pytest.approx(excess, rel=1e-3)


def test_below_the_edge_sharpness_grows_for_ever() -> None:
    path = run(1.9, 200_000)
    for step, expected in ((1000, 22.846), (10_000, 48.134), (200_000, 200.7)):
        assert path.sharpness[step] == pytest.approx(expected, rel=1e-4)
    assert path.excess[-1] == pytest.approx(-path.rate[-1] * NU, rel=5e-3)
    ratios = path.log_energy - path.log_other_energy
    assert abs(ratios[-1] - ratios[-2]) < 1e-5
    law = sharpening_law(np.arange(200_001.0), sharpness=18.0, drift=DRIFT)
    np.testing.assert_allclose(path.sharpness[1000:], law[1000:], rtol=0.01)


@pytest.mark.parametrize(("sigma", "expected"), [(2.01, 913), (2.0625, 169), (2.1, 109)])
def test_beyond_the_edge_sharpness_collapses_and_the_map_diverges(
    sigma: float, expected: int
) -> None:
    path = run(sigma, 3000)
    assert path.diverged
    assert len(path.rate) == pytest.approx(expected, abs=10)
    assert path.sharpness[: expected - 20].min() < 2


def test_just_beyond_the_edge_sharpness_falls_for_long() -> None:
    path = run(2.001, 200_000)
    assert not path.diverged
    assert 0.5 < path.sharpness[-1] < 0.7


def test_the_greedy_rate_zigzags() -> None:
    path = run(1.0, 1000)
    assert (path.excess < -0.99).mean() > 0.3
    assert path.excess.max() > 100


def test_the_rate_lies_between_the_edges_of_both_directions() -> None:
    generator = np.random.default_rng(0)
    for _ in range(200):
        lam = float(np.exp(generator.uniform(0, 5)))
        log_p, log_g = generator.uniform(-900, 50, 2).tolist()
        rate = tuned_rate(2.0, lam, NU, log_p, log_g)
        assert 2 / lam <= rate * (1 + 1e-12)
        assert rate <= 2 / NU * (1 + 1e-12)


def test_the_rate_survives_energies_below_the_smallest_float() -> None:
    plain = tuned_rate(2.0, 18.0, NU, -2.0, -3.0)
    assert tuned_rate(2.0, 18.0, NU, -2000.0, -2001.0) == pytest.approx(plain, rel=1e-12)
    assert tuned_rate(2.0, 18.0, NU, -np.inf, -2000.0) == pytest.approx(20.0)


def test_what_has_no_meaning_is_refused() -> None:
    with pytest.raises(ValueError, match="energy is 0"):
        Start(rate=1, sharpness=1, energy=0, other_energy=1)
    with pytest.raises(ValueError, match="curvature is 0"):
        simulate_tuned(2, DRIFT, START, curvature=0, steps=1)
    with pytest.raises(ValueError, match="steps is -1"):
        simulate_tuned_normalised(2, DRIFT, START, curvature=NU, steps=-1)
