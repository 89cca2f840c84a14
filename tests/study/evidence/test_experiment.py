import numpy as np
import pandas as pd
import pytest

from lrtransfer.study.evidence.experiment import fit_experiment
from lrtransfer.study.storage.paths import FIT_TABLES

from .frames import make_curves, make_runs, parabola

#: Tables of what the probe `alignment` measures (tests of their own).
ALIGNMENT = {
    "phases",
    "phase_slopes",
    "arm_differences",
    "predicted_updates",
    "implicit_warmup",
    "warmup_summary",
    "conditions",
}
#: Tables whose observations are arms (tests/fits/test_predictors.py).
OVER_ARMS = {"predictors", "predictor_differences"}
QUANTITIES = {"sharpness", "preconditioned_sharpness", "subset_loss", "ntk", "gauss_newton"}


@pytest.fixture
def runs():
    return make_runs(parabola(lambda w, s: 0.1 * s))


def test_every_table_is_returned_with_its_columns(runs):
    full = fit_experiment(
        runs,
        make_curves(
            runs,
            [0, 1, 4, 16, 64],
            **dict.fromkeys(QUANTITIES, lambda w, s, t: 1.0 + t / w + 0.01 * s),
        ),
    )
    assert tuple(full) == FIT_TABLES
    assert {name for name, found in full.items() if found.empty} == ALIGNMENT | OVER_ARMS
    assert set(full["consistency"]["quantity"]) == QUANTITIES
    assert set(full["trends"]["quantity"]) == QUANTITIES - {"subset_loss"}
    assert set(full["changes"]["quantity"]) == QUANTITIES - {"subset_loss"}
    bare = fit_experiment(runs.assign(measured=False), make_curves(runs, [0]))
    assert {n: list(t.columns) for n, t in bare.items()} == {
        n: list(t.columns) for n, t in full.items()
    }
    assert bare["consistency"].empty and not bare["optima"].empty


def test_depth_is_fitted_as_width_is():
    def optimum(size, seed):
        return 0.3 * np.log2(size / 64) + 0.05 * seed

    def curve(size, seed, t):
        return 1.0 + t / size + 0.01 * seed * (1 + t)

    tables = {}
    for axis in ("width", "depth"):
        runs = make_runs(parabola(optimum), axis=axis)
        tables[axis] = fit_experiment(runs, make_curves(runs, [0, 1, 4, 16], sharpness=curve))
    for name in set(FIT_TABLES) - ALIGNMENT - OVER_ARMS - {"predicted_drifts"}:
        of_width = tables["width"][name]
        of_depth = tables["depth"][name]
        assert set(of_depth["axis"]) == {"depth"} and set(of_depth["fixed"]) == {64}
        same = ["axis", "fixed", "refused"]  # a refusal names the axis
        of_depth, of_width = (t.drop(columns=same, errors="ignore") for t in (of_depth, of_width))
        pd.testing.assert_frame_equal(of_depth, of_width)


def test_arms_may_differ_in_their_steps(runs):
    long = make_runs(parabola(lambda w, s: 0.0), arm="long")

    def curve(size, seed, t):
        return 1.0 + 0.01 * seed + t / size

    curves = pd.concat(
        [make_curves(runs, [0, 1, 4], sharpness=curve),
         make_curves(long, [0, 2, 8, 64], sharpness=curve)]
    )  # fmt: skip
    fits = fit_experiment(pd.concat([runs, long]), curves)
    last = fits["distances"].groupby("arm")["step"].max()
    assert last.to_dict() == {"mup": 4, "long": 64}
    ratio = fits["edge_of_stability"].set_index(["arm", "size"])["ratio"]
    assert ratio["mup", 32] == pytest.approx((1.01 + 4 / 32) / 2)
    assert ratio["long", 32] == pytest.approx((1.01 + 64 / 32) / 2)


def test_one_learning_rate_has_open_intervals_and_a_measured_end(runs):
    single = make_runs(parabola(lambda w, s: 0.0), grid=(0,))
    fits = fit_experiment(single, make_curves(single, [0, 4], ntk=lambda w, s, t: w + s + t))
    assert np.isinf(fits["drift"][["ci_low", "ci_high"]]).all(axis=None)
    assert not fits["trends"].empty


def test_a_largest_net_without_a_common_step_has_no_distance(runs):
    def value(size, seed, t):
        return np.where((size == 128) & (t != seed), np.nan, 1.0 + t)

    fits = fit_experiment(runs, make_curves(runs, [0, 1, 2, 4], sharpness=value))
    assert fits["distances"].empty
    assert fits["consistency"]["beta"].isna().all()


def test_arms_keep_their_order_of_appearance(runs):
    both = pd.concat([make_runs(parabola(lambda w, s: 0.0), arm="sp"), runs])
    assert fit_experiment(both, make_curves(both, [0]))["drift"]["arm"].tolist() == ["sp", "mup"]


def test_everything_diverged_is_defined():
    runs = make_runs(lambda w, s, lr: np.inf)
    fits = fit_experiment(runs, make_curves(runs, [0]))
    assert (fits["optima"]["n_seeds"] == 0).all()
    assert fits["drift"]["slope"].isna().all()


def test_no_runs_several_experiments_and_bad_confidence_are_refused(runs):
    curves = make_curves(runs, [0])
    with pytest.raises(ValueError, match="runs is empty"):
        fit_experiment(runs.iloc[:0], curves)
    with pytest.raises(ValueError, match="several experiments"):
        fit_experiment(pd.concat([runs, runs.assign(experiment="other")]), curves)
    with pytest.raises(ValueError, match="confidence"):
        fit_experiment(runs, curves, confidence=95)
