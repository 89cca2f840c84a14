"""Final losses at every rate, and losses at equal price, of runs whose losses are known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lrtransfer.study.evidence.estimates import Estimates
from lrtransfer.study.evidence.final_losses import final_losses, losses_at_equal_price
from lrtransfer.study.evidence.measures.transfer import best_loss
from lrtransfer.study.evidence.measures.tuners import loss_ratio
from lrtransfer.transfer.estimate import Estimate
from lrtransfer.transfer.judge import judge
from lrtransfer.transfer.optimum import optima
from lrtransfer.transfer.pairing import paired
from lrtransfer.transfer.regret import regrets
from lrtransfer.transfer.sweeps import sweeps
from tests.transfer.frames import make_runs, parabola

from .rows import CONFIDENCE, shown, stored
from .tuner_frames import tuner_curves, tuner_runs

CDAT = {"name": "cdat", "options": {"sigma": 2.0}}


def losses(by_arm: Any, **options: Any) -> Estimates:
    return stored(final_losses(tuner_runs(by_arm, **options)))


def prices(by_arm: Any, **options: Any) -> Estimates:
    runs = tuner_runs(by_arm, tuners={"cdat": CDAT}, **options)
    return stored(losses_at_equal_price(runs, tuner_curves(runs, {})))


def one(estimates: Estimates, statistic: str, **where: str | float) -> Estimate:
    found = estimates.one(statistic, **where)
    assert found is not None, (statistic, where)
    return found


def ratio(estimates: Estimates, arm: str, baseline: str) -> Estimate:
    """Return log2 of the loss ratio at rate 1, seed by seed."""
    a, b = (one(estimates, "log2_loss", arm=name, rate=1.0) for name in (arm, baseline))
    return paired([(1.0, a), (-1.0, b)])


def test_every_rate_has_its_loss_seed_by_seed() -> None:
    rows = shown(losses({"a": {0.5: 3.0, 1.0: -1.0}, "b": {1.0: 0.5}}), "log2_loss", "arm", "rate")
    expected = {("a", 0.5): 3.1, ("a", 1.0): -0.9, ("b", 1.0): 0.6}
    assert rows["value"].to_dict() == pytest.approx(expected)
    units = [(unit["seed"], unit["size"]) for unit in rows.loc[("a", 0.5), "units"]]
    assert units == [(0, 64), (1, 64), (2, 64)]


def test_what_seeds_share_cancels_between_arms() -> None:
    found = ratio(losses({"a": {1.0: -1.0}, "b": {1.0: 0.5}}), "a", "b")
    # The seeds' common shift cancels, and so does their spread.
    assert found.interval(CONFIDENCE) == pytest.approx((-1.5, -1.5, -1.5))


def test_the_interval_is_over_the_seeds_differences() -> None:
    runs = tuner_runs({"a": {1.0: 0.0}, "b": {1.0: 0.0}})
    logs = np.array([0.0, 0.3, 0.9])
    runs.loc[runs["arm"] == "a", "final_loss"] = 2.0 ** (logs + 0.1 * np.arange(3))
    found = ratio(stored(final_losses(runs)), "a", "b").interval(CONFIDENCE)
    half = 4.302652729911275 * logs.std(ddof=1) / math.sqrt(3)
    assert found == pytest.approx((logs.mean(), logs.mean() - half, logs.mean() + half))


def test_a_diverged_run_counts_with_its_initial_loss() -> None:
    found = losses({"a": {1.0: math.inf}, "b": {1.0: 1.0}})
    assert one(found, "log2_loss", arm="a").value == 2.0
    assert ratio(found, "a", "b").value == pytest.approx(2.0 - 1.1)


def test_a_loss_of_zero_has_a_finite_logarithm() -> None:
    runs = tuner_runs({"a": {1.0: 0.0}}).assign(final_loss=0.0)
    assert np.isfinite(one(stored(final_losses(runs)), "log2_loss", arm="a").value)


def test_losses_below_zero_have_no_ratio_and_say_what_else_to_measure() -> None:
    runs = tuner_runs({"a": VALLEY, "b": {1.0: 0.5}}, tuners={"a": CDAT})
    shifted = runs.assign(final_loss=runs["final_loss"] - 1.2)
    found = stored(final_losses(shifted))
    for name in ("a", "b"):  # of which b's are all above zero
        own = one(found, "log2_loss", arm=name, rate=1.0)
        assert math.isnan(own.value) and "Measure the drift" in own.obstacle
    curves = tuner_curves(runs, {})
    price = stored(losses_at_equal_price(shifted, curves)).frame
    assert len(price) and price["value"].isna().all()
    best, before = (
        one(stored(final_losses(of)), "best_rate", arm="a").value for of in (shifted, runs)
    )
    assert best == pytest.approx(before, rel=0.1), "read off the losses themselves"
    claimed = (loss_ratio(found, arm="a", over="b"), best_loss(found, arm="a", minus="b"))
    assert all(e is not None and "Measure the drift" in e.obstacle for e in claimed)


VALLEY = {0.25: 1.0, 0.5: 0.0, 1.0: 0.5, 2.0: 2.0}


def test_the_best_rate_is_each_seeds_own_between_the_rates_of_the_grid() -> None:
    runs = tuner_runs({"a": VALLEY})
    best = one(stored(final_losses(runs)), "best_rate", arm="a")
    # Rises of 1 and ½ on both sides: a sixth of a step up.
    assert [unit.value for unit in best.units] == pytest.approx([0.5 * 2 ** (1 / 6)] * 3)
    turned = (runs["seed"] == 2) & (runs["lr"] == 1.0)
    runs.loc[turned, "final_loss"] = 0.01
    best = one(stored(final_losses(runs)), "best_rate", arm="a")
    assert best.units[2].value > 0.9 > best.units[1].value


def test_a_best_rate_is_known_to_the_step_of_its_grid_and_no_finer() -> None:
    best = one(stored(final_losses(tuner_runs({"a": VALLEY}))), "best_rate", arm="a")
    assert best.systematic == pytest.approx(best.value * math.log(2) / math.sqrt(12))
    low, high = best.interval(CONFIDENCE)[1:]
    assert low < 0.4 and high > 0.75 and "fewer" not in best.obstacle


def test_a_best_rate_at_an_end_of_its_grid_may_lie_beyond() -> None:
    found = stored(
        final_losses(
            tuner_runs({"low": {0.5: 0.0, 1.0: 1.0}, "high": {0.5: 1.0, 1.0: 0.0}, "one": {1.0: 0}})
        )
    )
    low, high, single = (one(found, "best_rate", arm=arm) for arm in ("low", "high", "one"))
    assert (low.open_low, low.open_high, low.value) == (True, False, 0.5)
    assert (high.open_low, high.open_high, high.value) == (False, True, 1.0)
    assert single.open_low and single.open_high
    shift = paired([(2.0, high), (-2.0, low)])
    assert shift.open_high and not shift.open_low, "the one lies higher still, the other lower"


def test_a_diverged_neighbour_does_not_move_a_best_rate() -> None:
    best = one(
        stored(final_losses(tuner_runs({"a": {0.5: 1.0, 1.0: 0.0, 2.0: math.inf}}))),
        "best_rate",
        arm="a",
    )
    assert best.value == 1.0 and not best.open_high


@pytest.mark.parametrize("axis", ["width", "depth"])
def test_sizes_are_kept_apart_on_either_axis(axis: str) -> None:
    parts = [
        tuner_runs({"cdat": {1.0: value}}, **{axis: size})  # type: ignore[arg-type]
        for size, value in ((2, 1.0), (16, -1.0))
    ]
    found = stored(final_losses(pd.concat(parts)))
    assert found.sizes("log2_loss", "cdat") == [2, 16]
    assert one(found, "log2_loss", size=16).value == pytest.approx(-0.9)
    assert set(found.frame["axis"]) == {axis}


def test_equal_price_reads_the_loss_where_the_baseline_ends() -> None:
    found = prices({"cdat": {1.0: -4.0}, "constant": {1.0: -1.0}})
    # From 2 (log2 of 4) a third of the way to −4 is 0: CDAT pays three gradients a step.
    own = one(found, "log2_loss_at_price", arm="cdat", baseline="constant", rate=1.0)
    assert own.value == pytest.approx(0.1 / 3, abs=1e-9)
    assert [unit.value for unit in own.units] == pytest.approx([0.0, 0.1 / 3, 0.2 / 3])
    back = one(found, "log2_loss_at_price", arm="constant", baseline="cdat", rate=1.0)
    assert back.value == pytest.approx(-1.0 + 0.1), "its end: it has cost no more"


def test_the_price_is_that_of_the_baselines_best_rate() -> None:
    runs = tuner_runs({"a": {1.0: 0.0}, "b": {0.5: 1.0, 1.0: -1.0, 2.0: 1.0}})
    curves = tuner_curves(runs, {})
    dear = curves["key"].str.startswith("b-0.5") | curves["key"].str.startswith("b-2.0")
    curves.loc[dear, "gradient_evaluations"] *= 100
    cheap = curves["key"].str.startswith("b-1.0")
    curves.loc[cheap, "gradient_evaluations"] /= 2
    own = one(stored(losses_at_equal_price(runs, curves)), "log2_loss_at_price", arm="a")
    # Half of the run, from log2 of 4 to 0, at seeds 0, 1, 2.
    assert [unit.value for unit in own.units] == pytest.approx([1.0, 1.05, 1.1])


def test_equal_price_of_a_diverged_arm_is_its_initial_loss() -> None:
    found = prices({"cdat": {1.0: math.inf}, "constant": {1.0: -1.0}})
    own = one(found, "log2_loss_at_price", arm="cdat", baseline="constant")
    assert own.interval(CONFIDENCE) == pytest.approx((2.0, 2.0, 2.0))


@pytest.mark.filterwarnings("error")
def test_a_loss_of_nothing_has_a_price_too() -> None:
    """A saturated cross-entropy is 0 in float32."""
    runs = tuner_runs({"a": {1.0: 0.0}, "b": {1.0: 0.0}})
    curves = tuner_curves(runs, {}).assign(loss=0.0)
    own = one(stored(losses_at_equal_price(runs, curves)), "log2_loss_at_price", arm="a")
    assert own.value == math.log2(np.finfo(float).tiny)


def test_a_study_that_counts_no_gradients_has_no_price() -> None:
    runs = tuner_runs({"a": {1.0: 0.0}, "b": {1.0: 0.0}})
    curves = tuner_curves(runs, {}).drop(columns="gradient_evaluations")
    assert list(losses_at_equal_price(runs, curves)) == []


def test_of_losses_below_zero_judge_and_the_pipeline_find_the_same_optima() -> None:
    valley = parabola(lambda size, seed: 0.3 * np.log2(size / 64) + 0.05 * (seed - 1))
    runs = make_runs(lambda size, seed, rate: valley(size, seed, rate) - 3)
    runs = runs[runs["final_loss"] < runs["initial_loss"]].assign(lr=2.0 ** runs["log2_lr"])
    told = judge(runs, size="width", rate="lr", loss="final_loss", seed="seed")
    ours = [2**found.log2_rate.value for found in optima(list(sweeps(runs)))]
    assert told.optima["rate"].tolist() == pytest.approx(ours)
    regret = [found.loss.value for found in regrets(list(sweeps(runs)))]
    assert told.regret["value"].tolist() == pytest.approx(regret)
