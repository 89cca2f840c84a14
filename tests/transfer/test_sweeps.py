import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from lrtransfer.transfer.sweeps import Sweep, groups_of, sweeps

from .frames import INITIAL_LOSS, make_runs, parabola


def first(runs: pd.DataFrame) -> Sweep:
    return next(sweeps(runs))


def test_a_diverged_run_counts_as_at_least_the_initial_loss() -> None:
    sweep = first(make_runs(lambda width, seed, rate: np.inf if rate > 1 else 1.0))
    assert np.all(sweep.counted[:, sweep.log2_rate > 1] == INITIAL_LOSS)
    assert np.array_equal(sweep.diverged[0], sweep.log2_rate > 1)
    assert np.isnan(sweep.height[:, sweep.log2_rate > 1]).all()


def test_a_diverged_run_is_never_better_than_one_that_trained() -> None:
    grid = np.arange(3.0)
    loss = np.array([[1.0, 7.0, np.nan]])
    sweep = Sweep("a", {"width": 8}, (0,), grid, loss, np.isnan(loss))
    assert sweep.counted.tolist() == [[1.0, 7.0, 7.0]]


def test_a_run_that_ends_no_better_than_untrained_is_a_cliff() -> None:
    sweep = first(make_runs(lambda width, seed, rate: {2.0: 7.0, 3.0: np.inf}.get(rate, 1.0)))
    assert sweep.diverged[0].tolist() == [False] * 5 + [True, True]


def test_a_rate_is_usable_while_at_least_half_of_its_runs_train() -> None:
    def loss(width: int, seed: int, rate: float) -> float:
        return np.inf if (rate == 3 and seed < 2) or (rate == 2 and seed == 0) else 1.0

    sweep = first(make_runs(loss))
    assert sweep.usable.tolist() == [True] * 6 + [False]
    assert np.isnan(sweep.means[-1]) and np.isfinite(sweep.means[-2])


def test_a_missing_run_is_bridged() -> None:
    runs = make_runs(parabola(lambda width, seed: 0.3))
    runs.loc[(runs["log2_lr"] == 1) & (runs["seed"] == 0), "final_loss"] = np.nan
    sweep = first(runs)
    assert np.isnan(sweep.loss[0, 4]) and not sweep.diverged.any()
    assert np.isfinite(sweep.means).all()
    assert np.isfinite(sweep.mean_loss_at([1.0])).all()


def test_losses_that_are_not_positive_are_heights_themselves() -> None:
    grid = np.arange(3.0)
    loss = np.array([[-1.0, -2.0, 0.5]])
    sweep = Sweep("a", {"width": 8}, (0,), grid, loss, loss > 9)
    assert not sweep.logarithmic
    assert sweep.means.tolist() == loss[0].tolist()


def test_a_convex_valley_may_lie_below_its_chord_by_what_the_outer_lines_allow() -> None:
    grid = np.arange(-2.0, 3.0)
    loss = 0.0 * grid + np.array([3.0, 2.0, 1.0, 1.0, 2.0]) - 5
    sweep = Sweep("a", {"width": 8}, (0,), grid, loss[None], loss[None] > 9)
    assert sweep.depth_below(0.5) == pytest.approx(0.5)
    assert sweep.depth_below(-1.0) == pytest.approx(0.0)


def test_a_rate_beside_divergence_is_told() -> None:
    sweep = first(make_runs(lambda width, seed, rate: np.inf if rate > 1 else 1.0 + rate**2))
    assert [sweep.cut_at(rate) for rate in (0.5, 1.5, 2.5)] == [False, True, True]


def test_a_seed_left_out_leaves_the_others() -> None:
    sweep = first(make_runs(parabola(lambda width, seed: 0.1 * seed)))
    assert sweep.without(1).seeds == (0, 2)
    assert np.array_equal(sweep.without(1).loss, sweep.loss[[0, 2]])


def test_all_seeds_left_out_at_once_are_each_left_out_in_turn() -> None:
    rng = np.random.default_rng(0)
    loss = np.exp(rng.standard_normal((4, 7)))
    loss[rng.random(loss.shape) < 0.2] = np.nan
    diverged = rng.random(loss.shape) < 0.2
    sweep = Sweep("a", {"width": 8}, (0, 1, 2, 3), np.arange(7.0), loss, diverged)
    at = np.array([0.5, 3.0, 4.7])
    for seed in sweep.seeds:
        alone = sweep.without(seed)
        left = sweep.runs.left_out
        assert left.means[seed] == pytest.approx(alone.means, abs=1e-12, nan_ok=True)
        assert left.mean_at(at)[seed] == pytest.approx(alone.mean_loss_at(at), nan_ok=True)


def test_row_order_does_not_matter() -> None:
    runs = make_runs(parabola(lambda width, seed: 0.3))
    shuffled = first(runs.sample(frac=1, random_state=0))
    assert np.array_equal(shuffled.loss, first(runs).loss)


def test_groups_hold_an_arm_sizes_increasing() -> None:
    runs = make_runs(parabola(lambda width, seed: 0.3), sizes=(128, 32))
    assert [[s.size for s in group] for group in groups_of(sweeps(runs))] == [[32, 128]]


def test_repeated_runs_missing_columns_and_lost_initial_losses_are_refused() -> None:
    runs = make_runs(parabola(lambda width, seed: 0.0))
    with pytest.raises(ValueError, match="repeats"):
        list(sweeps(pd.concat([runs, runs])))
    with pytest.raises(ValueError, match="initial_loss"):
        list(sweeps(runs.drop(columns="initial_loss")))
    with pytest.raises(ValueError, match="finite"):
        list(sweeps(runs.assign(initial_loss=np.nan)))


def test_a_step_is_that_of_the_grid_about_the_lowest_mean() -> None:
    coarse, fine = np.arange(-8.0, 1.0), np.arange(-8.0, -5.0, 1 / 8)
    grid = np.unique(np.concatenate([coarse, fine]))
    losses = np.exp(0.15 * (grid + 2.2) ** 2)[None]

    def swept(rates: npt.NDArray[np.float64]) -> Sweep:
        kept = np.isin(grid, rates)
        return Sweep("a", {"width": 8}, (0,), rates, losses[:, kept], losses[:, kept] > 1e9)

    assert swept(coarse).spacing == swept(grid).spacing == 1
    assert swept(grid[:-4]).spacing == 1, "also where the lowest lies at the grid's end"
    assert np.isnan(swept(coarse[:1]).spacing)
    nowhere = Sweep("a", {"width": 8}, (0,), coarse, np.full((1, 9), np.nan), np.full((1, 9), True))
    assert nowhere.spacing == 1
