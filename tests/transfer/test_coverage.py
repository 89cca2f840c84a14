"""Nominal 95 % intervals on simulated studies: how often they hold the truth."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from lrtransfer.transfer import drift, optimum, regret
from lrtransfer.transfer.intervals import Interval
from lrtransfer.transfer.rules import Within, verdict
from lrtransfer.transfer.sweeps import Sweep, Valley

from .frames import Array
from .simulated_sweeps import GRID, LOG2_WIDTH, SEEDS, simulate

CONFIDENCE = 0.95


def valleys(losses: Iterable[Array], cliffs: Iterable[Any]) -> tuple[Valley, ...]:
    return tuple(
        Valley(seed, GRID, loss, cliff)
        for seed, (loss, cliff) in enumerate(zip(losses, cliffs, strict=True))
    )


def drifts(vertices: Array) -> tuple[Array, Array]:
    x = np.repeat(LOG2_WIDTH, SEEDS)
    flat = vertices.reshape(len(vertices), -1)
    found = drift.slope(x, flat, 1.0)
    tail = (1 + CONFIDENCE) / 2
    squares = stats.t.ppf(tail, found.df) ** 2 * found.variance
    return found.value, np.sqrt(squares + (stats.norm.ppf(tail) * found.systematic) ** 2)


@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_optimum_intervals_cover_the_optimum(slope: float) -> None:
    studies = simulate(1200, slope)
    inside = []
    for log_loss, cliff, truth in zip(
        studies.log_loss, studies.cliff, studies.optimum, strict=True
    ):
        sweeps = [
            Sweep("mup", "width", 3, 32 * 2**place, valleys(np.exp(losses), walls))
            for place, (losses, walls) in enumerate(zip(log_loss, cliff, strict=True))
        ]
        pooled = optimum.pooled_variance([sweep.vertices[0] for sweep in sweeps])
        for sweep, at in zip(sweeps, truth, strict=True):
            _, low, high = optimum.optimum(sweep, pooled).interval(CONFIDENCE)
            inside.append(low <= at <= high)
    assert 0.92 <= np.mean(inside) <= 0.98


@pytest.mark.parametrize("slope", [0.0, 0.1, 0.25, -0.37])
def test_drift_intervals_cover_the_planted_drift(slope: float) -> None:
    # At exactly none the systematic error cancels, and 99 % are covered.
    found, half = drifts(simulate(4000, slope).vertices)
    assert 0.92 <= np.mean(np.abs(found - slope) <= half) <= 0.995


@pytest.mark.parametrize("slope", [0.03, 0.06, 0.1, 0.15, 0.2])
def test_drifts_below_a_grid_step_are_covered_less_with_almost_no_seed_scatter(
    slope: float,
) -> None:
    for shift, least in ((0.05, 0.87), (0.02, 0.85)):
        found, half = drifts(simulate(2000, slope, shift=shift, noise=shift / 5).vertices)
        assert np.mean(np.abs(found - slope) <= half) >= least


def test_drift_intervals_cover_drifts_of_any_size_at_their_nominal_rate() -> None:
    slopes = np.linspace(-0.5, 0.5, 21)
    inside = []
    for i, slope in enumerate(slopes):
        found, half = drifts(simulate(300, slope, seed=i).vertices)
        inside.append(np.mean(np.abs(found - slope) <= half))
    assert 0.92 <= np.mean(inside) <= 0.98


def test_drift_of_half_an_octave_is_told_from_none() -> None:
    found, half = drifts(simulate(1000, 0.5, shift=0.3).vertices)
    assert np.mean(found - half > 0) >= 0.9


@pytest.mark.parametrize("shift", [0.05, 0.15, 0.3])
def test_noise_alone_is_not_called_a_drift(shift: float) -> None:
    found, half = drifts(simulate(4000, 0.0, shift=shift).vertices)
    assert np.mean(np.abs(found) > half) <= 0.05


RULE = Within(-0.25, 0.25)


def verdicts(slope: float, shift: float, n: int = 1000) -> dict[str, float]:
    found, half = drifts(simulate(n, slope, shift=shift).vertices)
    judged = [verdict(RULE, Interval(f, f - h, f + h)) for f, h in zip(found, half, strict=True)]
    return {name: judged.count(name) / n for name in ("supported", "contradicted", "inconclusive")}


def test_planted_transfer_and_planted_drift_are_told_apart() -> None:
    assert verdicts(0.0, 0.15)["supported"] >= 0.95
    assert verdicts(0.5, 0.15)["contradicted"] >= 0.95
    assert verdicts(0.0, 0.15)["contradicted"] == 0
    assert verdicts(0.5, 0.15)["supported"] == 0


@pytest.mark.parametrize("shift", [0.15, 0.3, 0.6])
@pytest.mark.parametrize(("slope", "false"), [(0.25, "supported"), (0.26, "supported")])
def test_false_verdicts_at_the_threshold_are_rare(slope: float, false: str, shift: float) -> None:
    assert verdicts(slope, shift)[false] <= 0.05


def test_noise_alone_is_inconclusive() -> None:
    rng = np.random.default_rng(3)
    noise = rng.uniform(GRID[0] + 1, GRID[-1] - 1, size=(1000, len(LOG2_WIDTH), SEEDS))
    found, half = drifts(noise)
    judged = [verdict(RULE, Interval(f, f - h, f + h)) for f, h in zip(found, half, strict=True)]
    assert np.mean([j == "inconclusive" for j in judged]) >= 0.95


def test_systematic_error_of_the_vertex_is_what_the_docstring_says() -> None:
    studies = simulate(4000, 0.37, shift=0.0, offset=0.0, noise=0.0)
    error = studies.vertices[..., 0] - studies.optimum
    assert error.mean() == pytest.approx(-0.18, abs=0.02)
    assert np.sqrt(np.mean(error**2)) == pytest.approx(0.22, abs=0.02)


def test_regret_intervals_cover_the_regret_of_a_drifting_optimum() -> None:
    curvature, slope = 0.15, 0.4
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(250):
        narrow, wide = (planted(rng, at, curvature) for at in (0.3, 0.3 + slope * 4))
        _, low, high = regret.regrets([narrow, wide])[1].loss.interval(CONFIDENCE)
        # The mean of f(u0) − f(u*) over seeds, whose valleys shift with sd 0.1 about the optimum.
        truth = np.exp(-1.2) * (np.exp(curvature * (slope * 4) ** 2) - 1)
        inside.append(low <= truth <= high)
    assert 0.92 <= np.mean(inside) <= 1


def planted(rng: np.random.Generator, at: float, curvature: float) -> Sweep:
    """A sweep of quadratic valleys at `at`, seed scatter 0.1."""
    losses = [
        np.exp(
            curvature * (GRID - at - 0.1 * rng.normal()) ** 2
            - 1.2
            + 0.05 * rng.normal()
            + 0.01 * rng.normal(size=len(GRID))
        )
        for _ in range(SEEDS)
    ]
    return Sweep("mup", "width", 3, 32, valleys(losses, np.zeros((SEEDS, len(GRID)), dtype=bool)))
