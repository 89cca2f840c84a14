import numpy as np
import pytest

from lrtransfer.study.evidence.consistency import consistency, distances, fit_distance
from lrtransfer.study.evidence.measured import measured_curves, quantity_curves
from lrtransfer.transfer.size import POOLED

from .frames import make_curves, make_runs, parabola

STEPS = [0, 1, 2, 4, 8, 16, 32, 64]
JITTER = {0: 0.9, 1: 1.0, 2: 1.1}


def curves_of(function, *, sizes=(32, 64, 128), seeds=(0, 1, 2), steps=STEPS):
    runs = make_runs(parabola(lambda w, s: 0.0), sizes=sizes, seeds=seeds)
    measured = measured_curves(runs, make_curves(runs, steps, sharpness=function))
    return next(quantity_curves(measured, "sharpness"))


def power_law(width, seed, t):
    """10 at the widest net, below it by (32 / width)·t^0.7·jitter elsewhere."""
    return 10.0 - (width < 128) * 32 / width * JITTER[seed] * t**0.7


def test_fit_agrees_with_polyfit_and_skips_step_zero():
    t = np.array([0.0, 1, 3, 10, 50])
    g = np.array([99.0, 1, 2.5, 4, 30])
    fit = fit_distance(t, 10 + g, np.full(5, 10.0))
    beta, log_a = np.polyfit(np.log(t[1:]), np.log(g[1:]), 1)
    assert fit.beta == pytest.approx(beta)
    assert fit.log_a == pytest.approx(log_a)
    assert fit.overlap == pytest.approx(np.mean(g[1:] / 10))
    assert (fit.used, fit.dropped) == (4, 0)


def test_zeros_and_gaps_are_left_out_of_the_slope_and_counted():
    t = np.array([1.0, 2, 4, 8, 16, 32])
    g = t**0.5
    g[1], g[3] = 0.0, np.nan
    fit = fit_distance(t, 10 + g, np.full(6, 10.0))
    assert fit.beta == pytest.approx(0.5)
    assert (fit.used, fit.dropped) == (4, 2)
    assert fit.overlap == pytest.approx(np.nanmean(g) / 10)


def test_two_points_are_too_few_for_a_slope():
    fit = fit_distance(np.array([1.0, 2]), np.array([3.0, 4]), np.zeros(2))
    assert np.isnan(fit.beta) and np.isnan(fit.overlap)


def test_planted_power_law_is_found_per_width_and_pooled():
    found = consistency(curves_of(power_law), 0.95).set_index("size")
    assert found.index.tolist() == [32, 64, POOLED]
    assert (found["reference_size"] == 128).all()
    np.testing.assert_allclose(found["beta"], 0.7, atol=1e-9)
    assert found.loc[32, "log_a"] == pytest.approx(np.mean(np.log(list(JITTER.values()))))
    time_mean = np.mean(np.array(STEPS[1:]) ** 0.7) / 10
    assert found.loc[32, "overlap"] == pytest.approx(time_mean)
    assert found.loc[POOLED, "overlap"] == pytest.approx(0.75 * time_mean)
    assert found.loc[POOLED, "n_points"] == 2 * 3 * 7


def test_spread_of_the_reference_widens_the_interval():
    def noisy(width, seed, t):
        return power_law(width, seed, t) + (width == 128) * (seed - 1) * 2

    def half(function):
        row = consistency(curves_of(function), 0.95).iloc[-1]
        return row["overlap_high"] - row["overlap_low"]

    assert half(noisy) > 1.3 * half(power_law)


def test_distance_is_to_the_seed_mean_of_the_largest_net():
    def value(width, seed, t):
        return np.full(len(t), 5.0) if width < 128 else np.full(len(t), 6.0 + seed)

    table = distances(curves_of(value))
    assert set(table["size"]) == {32, 64}
    np.testing.assert_allclose(table["distance"], 2.0)
    assert len(table) == 2 * 3 * len(STEPS)
    assert table["step"].dtype == int


def test_steps_that_a_reference_seed_did_not_reach_are_left_out():
    def cut(width, seed, t):
        gone = (width == 128) & (seed == 0) & (t > 16)
        return np.where(gone, np.nan, power_law(width, seed, t))

    assert distances(curves_of(cut))["step"].max() == 16
    assert consistency(curves_of(cut), 0.95).iloc[0]["beta"] == pytest.approx(0.7)


def test_one_width_has_no_rows_and_one_seed_no_interval():
    alone = curves_of(power_law, sizes=(128,))
    assert consistency(alone, 0.95).empty and distances(alone).empty
    single = consistency(curves_of(power_law, seeds=(0,)), 0.95)
    assert single["beta"].notna().all()
    assert single[["ci_low", "ci_high", "overlap_low", "overlap_high"]].isna().all(axis=None)
