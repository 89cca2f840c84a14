from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from lrtransfer.study.evidence.consistency import (
    consistency,
    distance_estimates,
    distances,
    fit_distance,
)
from lrtransfer.study.evidence.measured import Curves, measured_curves, quantity_curves
from lrtransfer.transfer.size import POOLED
from tests.transfer.frames import Array, Quantity, make_curves, make_runs, parabola

from .rows import shown, stored

STEPS = [0, 1, 2, 4, 8, 16, 32, 64]
JITTER = {0: 0.9, 1: 1.0, 2: 1.1}


def curves_of(
    function: Quantity,
    *,
    sizes: tuple[int, ...] = (32, 64, 128),
    seeds: tuple[int, ...] = (0, 1, 2),
    steps: Iterable[int] = STEPS,
) -> Curves:
    runs = make_runs(parabola(lambda w, s: 0.0), sizes=sizes, seeds=seeds)
    measured = measured_curves(runs, make_curves(runs, steps, sharpness=function))
    return next(quantity_curves(measured, "sharpness"))


def power_law(width: int, seed: int, t: Array) -> Array:
    """10 at the widest net, below it by (32 / width)·t^0.7·jitter elsewhere."""
    return 10.0 - (width < 128) * 32 / width * JITTER[seed] * t**0.7


def test_fit_agrees_with_polyfit_and_skips_step_zero() -> None:
    t = np.array([0.0, 1, 3, 10, 50])
    g = np.array([99.0, 1, 2.5, 4, 30])
    fit = fit_distance(t, 10 + g, np.full(5, 10.0))
    beta, log_a = np.polyfit(np.log(t[1:]), np.log(g[1:]), 1)
    assert fit.beta == pytest.approx(beta)
    assert fit.log_a == pytest.approx(log_a)
    assert fit.overlap == pytest.approx(np.mean(g[1:] / 10))


def test_zeros_and_gaps_are_left_out_of_the_slope() -> None:
    t = np.array([1.0, 2, 4, 8, 16, 32])
    g = t**0.5
    g[1], g[3] = 0.0, np.nan
    fit = fit_distance(t, 10 + g, np.full(6, 10.0))
    assert fit.beta == pytest.approx(0.5)
    assert fit.overlap == pytest.approx(np.nanmean(g) / 10)


def test_two_points_are_too_few_for_a_slope() -> None:
    fit = fit_distance(np.array([1.0, 2]), np.array([3.0, 4]), np.zeros(2))
    assert np.isnan(fit.beta) and np.isnan(fit.overlap)


def test_planted_power_law_is_found_per_width_and_pooled() -> None:
    rows = stored(consistency(curves_of(power_law)))
    beta = shown(rows, "distance_exponent", "size")
    assert beta.index.tolist() == [32, 64, POOLED]
    np.testing.assert_allclose(beta["value"], 0.7, atol=1e-9)
    scale = shown(rows, "distance_scale", "size")
    assert scale.loc[32, "value"] == pytest.approx(np.mean(np.log(list(JITTER.values()))))
    time_mean = np.mean(np.array(STEPS[1:]) ** 0.7) / 10
    overlap = shown(rows, "distance_ratio", "size")
    assert overlap.loc[32, "value"] == pytest.approx(time_mean)
    assert overlap.loc[POOLED, "value"] == pytest.approx(0.75 * time_mean)
    pooled: Any = [(unit["seed"], unit["value"]) for unit in overlap.loc[POOLED, "units"]]
    expected: Any = [(seed, 0.75 * time_mean * jitter) for seed, jitter in JITTER.items()]
    np.testing.assert_allclose(pooled, expected)


def test_spread_of_the_reference_widens_the_interval() -> None:
    def noisy(width: int, seed: int, t: Array) -> Array:
        return power_law(width, seed, t) + (width == 128) * (seed - 1) * 2

    def half(function: Quantity) -> float:
        row = shown(consistency(curves_of(function)), "distance_ratio").iloc[-1]
        return row["ci_high"] - row["ci_low"]

    assert half(noisy) > 1.3 * half(power_law)


def test_distance_is_to_the_seed_mean_of_the_largest_net() -> None:
    def value(width: int, seed: int, t: Array) -> Array:
        return np.full(len(t), 5.0) if width < 128 else np.full(len(t), 6.0 + seed)

    table = distances(curves_of(value))
    assert set(table["size"]) == {32, 64}
    np.testing.assert_allclose(table["distance"], 2.0)
    assert len(table) == 2 * 3 * len(STEPS)
    assert table["step"].dtype == int


def test_steps_that_a_reference_seed_did_not_reach_are_left_out() -> None:
    def cut(width: int, seed: int, t: Array) -> Array:
        gone = (width == 128) & (seed == 0) & (t > 16)
        return np.where(gone, np.nan, power_law(width, seed, t))

    assert distances(curves_of(cut))["step"].max() == 16
    beta = shown(consistency(curves_of(cut)), "distance_exponent", "size")["value"]
    assert beta[32] == pytest.approx(0.7)


def test_one_width_has_no_rows_and_one_seed_no_interval() -> None:
    alone = curves_of(power_law, sizes=(128,))
    assert list(consistency(alone)) == [] and distances(alone).empty
    single = stored(consistency(curves_of(power_law, seeds=(0,))))
    for statistic in ("distance_exponent", "distance_ratio"):
        rows = shown(single, statistic)
        assert rows["value"].notna().all()
        assert rows[["ci_low", "ci_high"]].isna().all(axis=None)


GEOMETRIC = np.unique(np.round(np.geomspace(1, 256, 23)))


def betas(
    exponent: float,
    amplitude: float,
    noise: float,
    *,
    n: int = 150,
    widths: int = 4,
    base: float = 3.0,
) -> Any:
    """The pooled exponent's interval and the pooled overlap of simulated studies."""
    rng = np.random.default_rng(2)
    rows = []
    for _ in range(n):
        clean = base + amplitude * 2.0 ** -np.arange(widths)[:, None, None] * GEOMETRIC**exponent
        values = clean + base * noise * rng.normal(size=(widths, 3, len(GEOMETRIC)))
        reference = base + base * noise * rng.normal(size=(3, len(GEOMETRIC)))
        pooled = distance_estimates(GEOMETRIC, values, reference, [0, 1, 2])[-1]
        rows.append((pooled.exponent.interval(0.95), pooled.ratio.value))
    return rows


def test_exponent_intervals_cover_a_power_law_that_stands_above_the_noise() -> None:
    inside = [beta.low <= 0.7 <= beta.high for beta, _ in betas(0.7, 0.1, 0.0005)]
    assert 0.92 <= np.mean(inside) <= 1


def test_identical_processes_have_exponent_zero_and_the_overlap_of_their_noise() -> None:
    rows = betas(0.0, 0.0, 0.1)
    assert np.mean([beta.value for beta, _ in rows]) == pytest.approx(0, abs=0.02)
    assert np.mean([ratio for _, ratio in rows]) == pytest.approx(0.092, abs=0.003)
    assert 0.93 <= np.mean([beta.low <= 0 <= beta.high for beta, _ in rows]) <= 1
    assert np.mean([beta.low > 0 for beta, _ in rows]) <= 0.04


def test_noise_above_a_power_law_flattens_its_exponent() -> None:
    assert np.mean([beta.value for beta, _ in betas(0.7, 0.03, 0.02, n=40)]) < 0.6
