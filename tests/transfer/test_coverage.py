"""Nominal 95 % intervals on simulated studies: how often they hold the truth."""

import numpy as np
import pytest

from lrtransfer.study.evidence import consistency
from lrtransfer.transfer import drift, optimum, regret
from lrtransfer.transfer.intervals import Interval
from lrtransfer.transfer.rules import Within, verdict
from lrtransfer.transfer.sweeps import Sweep, Valley

from .simulated_sweeps import GRID, LOG2_WIDTH, SEEDS, simulate

CONFIDENCE = 0.95


def drifts(vertices):
    x = np.repeat(LOG2_WIDTH, SEEDS)
    flat = vertices.reshape(len(vertices), -1)
    return drift.slope_and_half_width(x, flat, 1.0, CONFIDENCE)


@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_optimum_intervals_cover_the_optimum(slope):
    studies = simulate(1200, slope)
    inside = []
    none = np.zeros(SEEDS, dtype=np.int64)
    for vertices, truth in zip(studies.vertices, studies.optimum, strict=True):
        pooled = optimum.pooled_variance(list(vertices))
        for of_width, at in zip(vertices, truth, strict=True):
            found = optimum.interval(
                of_width, none, pooled=pooled, spacing=1.0, confidence=CONFIDENCE
            )
            inside.append(found.low <= at <= found.high)
    assert 0.92 <= np.mean(inside) <= 0.98


@pytest.mark.parametrize("slope", [0.0, 0.1, 0.25, -0.37])
def test_drift_intervals_cover_the_planted_drift(slope):
    # At exactly none the systematic error cancels, and 99 % are covered.
    found, half = drifts(simulate(4000, slope).vertices)
    assert 0.92 <= np.mean(np.abs(found - slope) <= half) <= 0.995


@pytest.mark.parametrize("slope", [0.03, 0.06, 0.1, 0.15, 0.2])
def test_drifts_below_a_grid_step_are_covered_less_with_almost_no_seed_scatter(slope):
    for shift, least in ((0.05, 0.87), (0.02, 0.85)):
        found, half = drifts(simulate(2000, slope, shift=shift, noise=shift / 5).vertices)
        assert np.mean(np.abs(found - slope) <= half) >= least


def test_drift_intervals_cover_drifts_of_any_size_at_their_nominal_rate():
    slopes = np.linspace(-0.5, 0.5, 21)
    inside = []
    for i, slope in enumerate(slopes):
        found, half = drifts(simulate(300, slope, seed=i).vertices)
        inside.append(np.mean(np.abs(found - slope) <= half))
    assert 0.92 <= np.mean(inside) <= 0.98


def test_drift_of_half_a_doubling_is_told_from_none():
    found, half = drifts(simulate(1000, 0.5, shift=0.3).vertices)
    assert np.mean(found - half > 0) >= 0.9


@pytest.mark.parametrize("shift", [0.05, 0.15, 0.3])
def test_noise_alone_is_not_called_a_drift(shift):
    found, half = drifts(simulate(4000, 0.0, shift=shift).vertices)
    assert np.mean(np.abs(found) > half) <= 0.05


RULE = Within(-0.25, 0.25)


def verdicts(slope, shift, n=1000):
    found, half = drifts(simulate(n, slope, shift=shift).vertices)
    judged = [verdict(RULE, Interval(f, f - h, f + h)) for f, h in zip(found, half, strict=True)]
    return {name: judged.count(name) / n for name in ("supported", "contradicted", "inconclusive")}


def test_planted_transfer_and_planted_drift_are_told_apart():
    assert verdicts(0.0, 0.15)["supported"] >= 0.95
    assert verdicts(0.5, 0.15)["contradicted"] >= 0.95
    assert verdicts(0.0, 0.15)["contradicted"] == 0
    assert verdicts(0.5, 0.15)["supported"] == 0


@pytest.mark.parametrize("shift", [0.15, 0.3, 0.6])
@pytest.mark.parametrize(("slope", "false"), [(0.25, "supported"), (0.26, "supported")])
def test_false_verdicts_at_the_threshold_are_rare(slope, false, shift):
    assert verdicts(slope, shift)[false] <= 0.05


def test_noise_alone_is_inconclusive():
    rng = np.random.default_rng(3)
    noise = rng.uniform(GRID[0] + 1, GRID[-1] - 1, size=(1000, len(LOG2_WIDTH), SEEDS))
    found, half = drifts(noise)
    judged = [verdict(RULE, Interval(f, f - h, f + h)) for f, h in zip(found, half, strict=True)]
    assert np.mean([j == "inconclusive" for j in judged]) >= 0.95


def test_systematic_error_of_the_vertex_is_what_the_docstring_says():
    studies = simulate(4000, 0.37, shift=0.0, offset=0.0, noise=0.0)
    error = studies.vertices[..., 0] - studies.optimum
    assert error.mean() == pytest.approx(-0.18, abs=0.02)
    assert np.sqrt(np.mean(error**2)) == pytest.approx(0.22, abs=0.02)


def test_regret_intervals_cover_the_regret_of_a_drifting_optimum():
    curvature, slope = 0.15, 0.4
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(250):
        narrow, wide = (planted(rng, at, curvature) for at in (0.3, 0.3 + slope * 4))
        found = regret.regret([narrow, wide], CONFIDENCE).iloc[1]
        # The mean of f(u0) − f(u*) over seeds, whose valleys shift with sd 0.1 about the optimum.
        truth = np.exp(-1.2) * (np.exp(curvature * (slope * 4) ** 2) - 1)
        inside.append(found["ci_low"] <= truth <= found["ci_high"])
    assert 0.92 <= np.mean(inside) <= 1


def planted(rng, at, curvature):
    """A sweep of quadratic valleys at `at`, seed scatter 0.1."""
    cliff = np.zeros(len(GRID), dtype=bool)
    losses = (
        np.exp(
            curvature * (GRID - at - 0.1 * rng.normal()) ** 2
            - 1.2
            + 0.05 * rng.normal()
            + 0.01 * rng.normal(size=len(GRID))
        )
        for _ in range(SEEDS)
    )
    return Sweep("mup", "width", 3, 32, tuple(Valley(GRID, loss, cliff) for loss in losses))


STEPS = np.unique(np.round(np.geomspace(1, 256, 23)))


def betas(exponent, amplitude, noise, *, n=150, widths=4, base=3.0):
    rng = np.random.default_rng(2)
    rows = []
    for _ in range(n):
        clean = base + amplitude * 2.0 ** -np.arange(widths)[:, None, None] * STEPS**exponent
        values = clean + base * noise * rng.normal(size=(widths, SEEDS, len(STEPS)))
        reference = base + base * noise * rng.normal(size=(SEEDS, len(STEPS)))
        rows.append(consistency.intervals(STEPS, values, reference, CONFIDENCE)[-1])
    return rows


def test_exponent_intervals_cover_a_power_law_that_stands_above_the_noise():
    rows = betas(0.7, 0.1, 0.0005)
    inside = [r["ci_low"] <= 0.7 <= r["ci_high"] for r in rows]
    assert 0.92 <= np.mean(inside) <= 1


def test_identical_processes_have_exponent_zero_and_the_overlap_of_their_noise():
    rows = betas(0.0, 0.0, 0.1)
    assert np.mean([r["beta"] for r in rows]) == pytest.approx(0, abs=0.02)
    assert np.mean([r["overlap"] for r in rows]) == pytest.approx(0.092, abs=0.003)
    assert 0.93 <= np.mean([r["ci_low"] <= 0 <= r["ci_high"] for r in rows]) <= 1
    assert np.mean([r["ci_low"] > 0 for r in rows]) <= 0.04


def test_noise_above_a_power_law_flattens_its_exponent():
    assert np.mean([r["beta"] for r in betas(0.7, 0.03, 0.02, n=40)]) < 0.6
