import numpy as np
import pytest

from lrtransfer.study.evidence.measured import measured_curves, quantity_curves
from lrtransfer.study.evidence.trends import trends

from .frames import make_curves, make_runs, parabola


def table(function, **options):
    runs = make_runs(parabola(lambda w, s: 0.0), **options)
    measured = measured_curves(runs, make_curves(runs, [0, 4, 16], sharpness=function))
    return trends(next(quantity_curves(measured, "sharpness")), 0.95).set_index("at")


def growing(width, seed, t):
    """∝ width^0.5 at the start, width^-0.25 at the end; 2 % between seeds."""
    return np.where(t == 0, width**0.5, width**-0.25) * 1.02**seed


def test_slopes_per_doubling_at_start_and_end():
    found = table(growing)
    assert found.loc["start", "slope"] == pytest.approx(0.5)
    assert found.loc["end", "slope"] == pytest.approx(-0.25)
    assert found.loc["end", "ci_low"] < -0.25 < found.loc["end", "ci_high"] < -0.2
    assert (found["n"] == 9).all()


def test_values_without_a_logarithm_are_left_out_and_told_by_the_count():
    found = table(lambda w, s, t: np.where((t == 0) & (s == 0), -1.0, growing(w, s, t)))
    assert found["n"].to_dict() == {"start": 6, "end": 9}
    assert found.loc["start", "slope"] == pytest.approx(0.5)


def test_runs_that_diverged_are_missing_at_the_end():
    found = table(lambda w, s, t: np.where((t == 16) & (w == 32), np.nan, growing(w, s, t)))
    assert found["n"].to_dict() == {"start": 9, "end": 6}


def test_one_seed_has_no_interval_and_one_width_no_slope():
    single = table(growing, seeds=(0,), sizes=(32, 64, 128, 256))
    assert single.loc["start", "slope"] == pytest.approx(0.5)
    assert single["ci_low"].isna().all()
    assert table(growing, sizes=(64,))["slope"].isna().all()
