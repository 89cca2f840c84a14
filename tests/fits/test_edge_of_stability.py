import numpy as np
import pytest

from lrtransfer.fits.edge_of_stability import edge_of_stability
from lrtransfer.fits.measured import measured_curves

from .frames import make_curves, make_runs, parabola


def table(function, **options):
    runs = make_runs(parabola(lambda w, s: 0.0), reference=2.0, **options)
    curves = make_curves(runs, [0, 16], sharpness=function)
    return edge_of_stability(measured_curves(runs, curves), 0.95).set_index("width")


def test_ratio_is_the_final_sharpness_over_two_over_the_learning_rate():
    found = table(lambda w, s, t: (0.5 + 0.1 * (s - 1)) * np.where(t == 16, 1, 9) * w / 64)
    assert found["ratio"].to_dict() == pytest.approx({32: 0.5, 64: 1.0, 128: 2.0, 0: 3.5 / 3})
    assert found.loc[0, "ci_low"] < 3.5 / 3 < found.loc[0, "ci_high"]


def test_a_run_that_did_not_reach_the_end_is_not_counted():
    found = table(lambda w, s, t: np.where((t == 16) & (s == 0) & (w == 32), np.nan, 0.5))
    assert found["n_seeds"].to_dict() == {32: 2, 64: 3, 128: 3, 0: 3}
    assert found.loc[32, "ratio"] == pytest.approx(1.0)
