import numpy as np
import pandas as pd
import pytest

from lrtransfer.transfer.sweeps import Valley, sweeps

from .frames import INITIAL_LOSS, make_runs, parabola


def first_valley(runs: pd.DataFrame) -> Valley:
    return next(sweeps(runs)).valleys[0]


def test_a_diverged_run_counts_as_at_least_the_initial_loss() -> None:
    def loss(width: int, seed: int, log2_lr: float) -> float:
        return np.inf if log2_lr > 1 else 1.0

    valley = first_valley(make_runs(loss))
    assert np.all(valley.loss[valley.log2_lr > 1] == INITIAL_LOSS)
    assert np.array_equal(valley.cliff, valley.log2_lr > 1)


def test_a_diverged_run_is_never_better_than_a_finished_one() -> None:
    def loss(width: int, seed: int, log2_lr: float) -> float:
        return {2.0: 7.0, 3.0: np.inf}.get(log2_lr, 1.0)

    valley = first_valley(make_runs(loss))
    assert valley.loss[-1] == 7
    assert valley.cliff.tolist() == [False] * 5 + [True, True]


def test_a_missing_run_leaves_a_gap_that_the_vertex_bridges() -> None:
    runs = make_runs(parabola(lambda width, seed: 0.3))
    runs.loc[runs["log2_lr"] == 1, "final_loss"] = np.nan
    valley = first_valley(runs)
    assert 1 not in valley.log2_lr
    assert valley.vertex()[0] == pytest.approx(0.3, abs=1e-9)


def test_row_order_does_not_matter() -> None:
    runs = make_runs(parabola(lambda width, seed: 0.3))
    shuffled = runs.sample(frac=1, random_state=0)
    assert first_valley(shuffled).log2_lr.tolist() == sorted(set(runs["log2_lr"]))


def test_repeated_runs_missing_columns_and_lost_initial_losses_are_refused() -> None:
    runs = make_runs(parabola(lambda width, seed: 0.0))
    with pytest.raises(ValueError, match="repeats a learning rate"):
        list(sweeps(pd.concat([runs, runs])))
    with pytest.raises(ValueError, match="initial_loss"):
        list(sweeps(runs.drop(columns="initial_loss")))
    with pytest.raises(ValueError, match="initial_loss must be finite"):
        list(sweeps(runs.assign(initial_loss=np.nan)))
