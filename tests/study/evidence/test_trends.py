from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lrtransfer.study.evidence.measured import measured_curves, quantity_curves
from lrtransfer.study.evidence.trends import trends
from tests.transfer.frames import Array, Quantity, make_curves, make_runs, parabola

from .rows import shown


def found(function: Quantity, **options: Any) -> pd.DataFrame:
    runs = make_runs(parabola(lambda w, s: 0.0), **options)
    measured = measured_curves(runs, make_curves(runs, [0, 4, 16], sharpness=function))
    return shown(trends(next(quantity_curves(measured, "sharpness"))), "trend", "at")


def growing(width: int, seed: int, t: Array) -> Array:
    """∝ width^0.5 at the start, width^-0.25 at the end; 2 % between seeds."""
    return np.where(t == 0, width**0.5, width**-0.25) * 1.02**seed


def test_slopes_per_octave_at_start_and_end() -> None:
    rows = found(growing)
    assert rows.loc["start", "value"] == pytest.approx(0.5)
    assert rows.loc["end", "value"] == pytest.approx(-0.25)
    x, y = np.repeat([5.0, 6.0, 7.0], 3), -0.25 * np.repeat([5.0, 6.0, 7.0], 3)
    fit = stats.linregress(x, y + np.tile(np.arange(3) * np.log2(1.02), 3))
    half = stats.t.ppf(0.975, 7) * fit.stderr
    assert rows.loc["end", "ci_low"] == pytest.approx(-0.25 - half)
    assert rows.loc["end", "ci_high"] == pytest.approx(-0.25 + half)
    assert rows["units"].map(len).to_dict() == {"start": 9, "end": 9}


def test_values_without_a_logarithm_are_left_out_and_told_by_the_count() -> None:
    rows = found(lambda w, s, t: np.where((t == 0) & (s == 0), -1.0, growing(w, s, t)))
    assert rows["units"].map(len).to_dict() == {"start": 6, "end": 9}
    assert rows["n_seeds"].to_dict() == {"start": 2, "end": 3}
    assert rows.loc["start", "value"] == pytest.approx(0.5)


def test_runs_that_diverged_are_missing_at_the_end() -> None:
    rows = found(lambda w, s, t: np.where((t == 16) & (w == 32), np.nan, growing(w, s, t)))
    assert rows["units"].map(len).to_dict() == {"start": 9, "end": 6}


def test_one_seed_has_no_interval_and_one_width_no_slope() -> None:
    single = found(growing, seeds=(0,), sizes=(32, 64, 128, 256))
    assert single.loc["start", "value"] == pytest.approx(0.5)
    assert single["ci_low"].isna().all()
    assert found(growing, sizes=(64,))["value"].isna().all()
