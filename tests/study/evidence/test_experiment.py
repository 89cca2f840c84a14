"""All estimates of an experiment: which there are, of what, and on what data."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from lrtransfer.study.evidence.consistency import distances
from lrtransfer.study.evidence.estimates import Estimates
from lrtransfer.study.evidence.experiment import Experiment
from lrtransfer.study.evidence.measured import measured_curves, quantity_curves
from tests.transfer.frames import Array, make_curves, make_runs, parabola

from . import decay_runs, predictor_runs
from .rows import shown, stored, stored_courses
from .tuner_frames import tuner_curves, tuner_runs

#: Statistics of sweeps, whatever was measured.
OF_SWEEPS = {
    *("optimum", "optimal_loss", "best_grid_rate", "valley_low", "valley_high", "drift"),
    *("regret", "relative_regret", "fit_error", "kappa", "penalty", "penalty_slope"),
    *("curvature_growth", "given_up", "transfer_rate", "log2_loss", "best_rate"),
}
OF_CURVATURE = {
    *(
        "overlap",
        "distance_growth",
        "distance_exponent",
        "distance_scale",
        "trend",
        "change",
        "fall",
    ),
    *("edge_ratio", "edge"),
}
OF_ALIGNMENT = {
    *("level", "slope", "difference", "warmup_deviation", "warmup_delay", "warmup_left"),
    *("steady_state", "samples_per_input", "total_decay", "updates"),
}
OVER_ARMS = {
    *("rank_correlation", "rank_correlation_absolute", "explained", "explained_absolute"),
    "rank_correlation_difference",
}
OF_TUNERS = {
    *("log2_loss_at_price", "late_mean", "late_growth", "fall_from_peak", "rise_from_start"),
    "share_below",
}
QUANTITIES = {"sharpness", "preconditioned_sharpness", "subset_loss", "ntk", "gauss_newton"}


@pytest.fixture
def runs() -> pd.DataFrame:
    return make_runs(parabola(lambda w, s: 0.1 * s))


def fit(runs: pd.DataFrame, curves: pd.DataFrame) -> Estimates:
    return stored(Experiment(runs, curves).estimates())


def statistics(runs: pd.DataFrame, curves: pd.DataFrame) -> set[str]:
    return set(fit(runs, curves).frame["statistic"])


def test_a_study_has_the_statistics_of_what_it_measured(runs: pd.DataFrame) -> None:
    assert statistics(runs.assign(measured=False), make_curves(runs, [0])) == OF_SWEEPS
    curvature = dict.fromkeys(QUANTITIES, lambda w, s, t: 1.0 + t / w + 0.01 * s)
    of_curvature = make_curves(runs, [0, 1, 4, 16, 64], **curvature)
    # The kernel's curvature is also a predictor.
    assert statistics(runs, of_curvature) == OF_SWEEPS | OF_CURVATURE | {"predicted_drift"}
    alignment = decay_runs.study()
    assert statistics(*alignment) == OF_SWEEPS | OF_ALIGNMENT | {"predicted_drift"}
    over_arms = statistics(*predictor_runs.study())
    assert over_arms >= OVER_ARMS | {"predicted_drift"}
    tuners = tuner_runs({"greedy": {1.0: -1.0}, "constant": {1.0: 0.0}})
    both = {
        "rate": (8.0, 0.5),
        "edge_sharpness": (1.0, 16.0),
        "one_step_greedy": (-1.0, -1.0),
        "one_step_on_edge": (-2.0, 2.0),
    }
    curves = tuner_curves(tuners, {"greedy": both, "constant": both})
    assert statistics(tuners, curves) == OF_SWEEPS | OF_TUNERS


def test_quantities_are_compared_and_curvatures_also_followed(runs: pd.DataFrame) -> None:
    curvature = dict.fromkeys(QUANTITIES, lambda w, s, t: 1.0 + t / w + 0.01 * s)
    found = fit(runs, make_curves(runs, [0, 1, 4, 16, 64], **curvature))
    assert set(found.rows("overlap")["quantity"]) == QUANTITIES
    assert set(found.rows("trend")["quantity"]) == QUANTITIES - {"subset_loss"}
    assert set(found.rows("change")["quantity"]) == QUANTITIES - {"subset_loss"}


def test_courses_are_of_the_implicit_warmup_and_the_predicted_updates() -> None:
    found = stored_courses(Experiment(*decay_runs.study()).courses())
    quantities = found.frame.groupby("statistic")["quantity"].unique().map(set).to_dict()
    assert quantities == {
        "implicit_warmup": {"measured", "predicted", "simplified"},
        "predicted_update": {"relative_update", "weight_rms"},
    }


def test_rows_say_of_which_net_they_are(runs: pd.DataFrame) -> None:
    found = fit(runs, make_curves(runs, [0, 1, 4], sharpness=lambda w, s, t: w + s + t))
    of_net = ["arm", "axis", "fixed", "size"]
    nets = [("mup", "width", 3, size) for size in (32, 64, 128)]
    for statistic in ("optimum", "regret", "optimal_loss", "best_rate"):
        rows = found.rows(statistic)
        assert list(rows[of_net].itertuples(index=False, name=None)) == nets, statistic
    assert found.rows("regret")["at"].tolist() == ["reference", "", ""]
    (drift,) = found.rows("drift").to_dict("records")
    assert (drift["size"], drift["n_sizes"], drift["n_seeds"]) == (0, 3, 3)


@pytest.mark.parametrize("study", [decay_runs.study, predictor_runs.study])
def test_no_two_rows_are_of_the_same(
    study: Callable[[], tuple[pd.DataFrame, pd.DataFrame]],
) -> None:
    frame = fit(*study()).frame
    named = ["statistic", "arm", "baseline", "fixed", "size", "rate", "quantity", "at"]
    assert not frame[named].duplicated().any()


def test_the_side_of_a_censored_optimum_is_in_its_row() -> None:
    runs = make_runs(parabola(lambda w, s: 5.0 if w == 128 else 0.1 * s))
    rows = shown(fit(runs, make_curves(runs, [0])), "optimum", "size")
    assert rows["at"].to_dict() == {32: "", 64: "", 128: "high"}
    assert rows["ci_high"].map(np.isinf).to_dict() == {32: False, 64: False, 128: True}


def test_depth_is_estimated_as_width_is() -> None:
    def optimum(size: int, seed: int) -> float:
        return 0.3 * np.log2(size / 64) + 0.05 * seed

    def curve(size: int, seed: int, t: Array) -> Array:
        return 1.0 + t / size + 0.01 * seed * (1 + t)

    frames = {}
    for axis in ("width", "depth"):
        runs = make_runs(parabola(optimum), axis=axis)
        curves = make_curves(runs, [0, 1, 4, 16], sharpness=curve, ntk=curve)
        frames[axis] = fit(runs, curves).frame
    assert set(frames["depth"]["axis"]) == {"depth"} and set(frames["depth"]["fixed"]) == {64}
    same = ["axis", "fixed"]
    of_depth, of_width = (frames[axis].drop(columns=same) for axis in ("depth", "width"))
    pd.testing.assert_frame_equal(of_depth, of_width)


def test_arms_may_differ_in_their_steps(runs: pd.DataFrame) -> None:
    long = make_runs(parabola(lambda w, s: 0.0), arm="long")

    def curve(size: int, seed: int, t: Array) -> Array:
        return 1.0 + 0.01 * seed + t / size

    curves = pd.concat(
        [make_curves(runs, [0, 1, 4], sharpness=curve),
         make_curves(long, [0, 2, 8, 64], sharpness=curve)]
    )  # fmt: skip
    both = pd.concat([runs, long])
    measured = measured_curves(both, curves)
    last = {own.arm: distances(own)["step"].max() for own in quantity_curves(measured, "sharpness")}
    assert last == {"mup": 4, "long": 64}
    ratio = shown(fit(both, curves), "edge_ratio", "arm", "size", at="1")["value"]
    assert ratio["mup", 32] == pytest.approx((1.01 + 4 / 32) / 2)
    assert ratio["long", 32] == pytest.approx((1.01 + 64 / 32) / 2)


def test_one_learning_rate_has_open_intervals_and_a_measured_end() -> None:
    single = make_runs(parabola(lambda w, s: 0.0), grid=(0,))
    found = fit(single, make_curves(single, [0, 4], ntk=lambda w, s, t: w + s + t))
    assert np.isinf(shown(found, "drift")[["ci_low", "ci_high"]]).all(axis=None)
    assert not found.rows("trend").empty


def test_a_largest_net_without_a_common_step_has_no_distance(runs: pd.DataFrame) -> None:
    def value(size: int, seed: int, t: Array) -> Array:
        return np.where((size == 128) & (t != seed), np.nan, 1.0 + t)

    curves = make_curves(runs, [0, 1, 2, 4], sharpness=value)
    (own,) = quantity_curves(measured_curves(runs, curves), "sharpness")
    assert distances(own).empty
    for statistic in ("distance_exponent", "overlap", "distance_growth"):
        rows = fit(runs, curves).rows(statistic)
        assert len(rows) and rows["value"].isna().all()


def test_arms_keep_their_order_of_appearance(runs: pd.DataFrame) -> None:
    both = pd.concat([make_runs(parabola(lambda w, s: 0.0), arm="sp"), runs])
    found = fit(both, make_curves(both, [0], sharpness=lambda w, s, t: w + t))
    for statistic in ("drift", "optimum", "best_rate", "edge", "given_up"):
        arms = list(dict.fromkeys(found.rows(statistic)["arm"]))
        assert arms == ["sp", "mup"], statistic


def test_everything_diverged_is_defined() -> None:
    runs = make_runs(lambda w, s, lr: np.inf)
    found = fit(runs, make_curves(runs, [0]))
    assert (found.rows("optimum")["n_seeds"] == 0).all()
    assert found.rows("drift")["value"].isna().all()
    for statistic in OF_SWEEPS - {"log2_loss", "best_rate"}:
        rows = shown(found, statistic)
        assert len(rows) and rows[["ci_low", "ci_high"]].isna().all(axis=None), statistic
    initial = found.rows("log2_loss")["value"]
    assert initial.tolist() == pytest.approx([np.log2(2.3)] * len(initial))


def test_no_runs_and_several_experiments_are_refused(runs: pd.DataFrame) -> None:
    curves = make_curves(runs, [0])
    with pytest.raises(ValueError, match="runs is empty"):
        Experiment(runs.iloc[:0], curves)
    with pytest.raises(ValueError, match="several experiments"):
        Experiment(pd.concat([runs, runs.assign(experiment="other")]), curves)
