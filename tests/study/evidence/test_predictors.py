"""Planted drifts that a quantity predicts, or does not."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lrtransfer.study.evidence.estimates import Estimates
from lrtransfer.study.evidence.experiment import Experiment
from lrtransfer.study.evidence.predictors import (
    correlation,
    correlation_difference,
    explained,
    predicted_drifts,
    rank_correlation,
)
from lrtransfer.transfer.drift import drifts
from lrtransfer.transfer.intervals import Interval

from .predictor_runs import DRIFTS, STEPS, UPDATES, study
from .rows import CONFIDENCE, shown, stored

STATISTICS = (
    "rank_correlation",
    "rank_correlation_absolute",
    "explained",
    "explained_absolute",
)


def fit(runs: pd.DataFrame, curves: pd.DataFrame) -> Estimates:
    return stored(Experiment(runs, curves).estimates())


@pytest.fixture(scope="module")
def estimates() -> Estimates:
    return fit(*study())


def interval(estimates: Estimates, statistic: str, **where: str | float) -> Interval:
    found = estimates.one(statistic, **where)
    assert found is not None, (statistic, where)
    return found.interval(CONFIDENCE)


def predicted(
    estimates: Estimates, arm: str, at: str, quantity: str = "edge_sharpness"
) -> Interval:
    return interval(estimates, "predicted_drift", arm=arm, quantity=quantity, at=at)


def test_a_quantity_that_grows_with_the_size_predicts_a_falling_optimum(
    estimates: Estimates,
) -> None:
    for index, drift in enumerate(DRIFTS):
        found = predicted(estimates, f"arm_{index}", "whole")
        assert found == pytest.approx((drift,) * 3, abs=1e-6)


def test_what_is_found_is_the_drift_of_the_arm() -> None:
    experiment = Experiment(*study())
    slopes = drifts(experiment.sweeps)
    every = predicted_drifts(experiment.measured, slopes)
    found = [own for own in every if own.curves.quantity == "edge_sharpness"]
    assert {own.window for own in found} == {"whole", "late"}
    late = {own.arm: own.found for own in found if own.window == "late"}
    assert late == {(drift.arm, drift.fixed): drift.slope for drift in slopes}
    assert [slope.value for slope in late.values()] == pytest.approx(DRIFTS, abs=0.05)


def test_the_quantity_that_predicts_is_told_from_the_one_that_does_not(
    estimates: Estimates,
) -> None:
    good = interval(estimates, "rank_correlation", quantity="edge_sharpness", at="whole")
    idle = interval(estimates, "rank_correlation", quantity=UPDATES, at="late")
    assert good.value == pytest.approx(1.0) and good.low > 0.6
    assert idle.low < 0 < idle.high
    name = "rank_correlation_difference"
    gap = interval(
        estimates, name, quantity="edge_sharpness", at="whole", baseline=f"{UPDATES} late"
    )
    assert gap.value == pytest.approx(good.value - idle.value)
    back = interval(estimates, name, quantity=UPDATES, at="late", baseline="edge_sharpness whole")
    assert (-back.high, -back.low) == pytest.approx((gap.low, gap.high))
    rows = shown(estimates, "explained", "quantity", "at")["value"]
    assert rows["edge_sharpness", "whole"] > 0.95
    assert rows[UPDATES, "whole"] < 0.5


def test_every_quantity_window_and_comparison_has_its_row(estimates: Estimates) -> None:
    names = {(q, at) for q in ("edge_sharpness", UPDATES) for at in ("whole", "late")}
    for statistic in STATISTICS:
        rows = estimates.rows(statistic)
        assert len(rows) == 4 and set(zip(rows["quantity"], rows["at"], strict=True)) == names
    assert set(estimates.rows("rank_correlation")["scale"]) == {"fisher"}
    assert estimates.rows("rank_correlation")["units"].map(len).tolist() == [len(DRIFTS)] * 4
    assert len(estimates.rows("rank_correlation_difference")) == 4 * 3


def test_the_absolute_comparison_does_not_know_the_direction() -> None:
    found = fit(*study(sharpness=DRIFTS))
    where = {"quantity": "edge_sharpness", "at": "whole"}
    assert interval(found, "rank_correlation", **where).value == pytest.approx(-1.0)
    assert interval(found, "rank_correlation_absolute", **where).value > 0.9


def test_leaving_one_arm_out_shows_what_one_arm_decides() -> None:
    x = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 10.0])
    y = np.array([0.4, 0.1, 0.3, 0.0, 0.2, 10.0])
    found = correlation(x, y)
    left_out = [unit.value for unit in found.units]
    expected = [stats.spearmanr(np.delete(x, i), np.delete(y, i)).statistic for i in range(len(x))]
    assert left_out == pytest.approx(expected)
    assert min(left_out) == left_out[-1] < 0 < found.value < max(left_out)


def test_rank_correlations_are_spearmans_also_with_ties_and_in_stacks() -> None:
    random = np.random.default_rng(3)
    x, y = random.integers(0, 6, size=(2, 50, 9)).astype(float)
    expected = [stats.spearmanr(a, b).statistic for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(rank_correlation(x, y), expected, rtol=1e-12, atol=1e-15)
    perfect = rank_correlation(np.arange(13.0), np.arange(13.0) ** 3)
    assert perfect == 1.0, "exactly"


def test_the_variance_of_a_correlation_is_that_of_bonett_and_wright() -> None:
    x, y = np.arange(8.0), np.array([1.0, 0, 3, 2, 5, 4, 7, 6])
    found = correlation(x, y)
    assert found.parts[0].variance == pytest.approx((1 + found.value**2 / 2) / 5)
    perfect = correlation(x, x)
    assert perfect.parts[0].variance == pytest.approx((1 + (1 - 12 / 504) ** 2 / 2) / 5)


def test_errors_of_arms_widen_a_correlation_and_a_difference() -> None:
    random = np.random.default_rng(5)
    x, z, y = random.standard_normal((3, 13))
    y = x + 0.3 * y
    drawn = [v + 0.4 * random.standard_normal((300, 13)) for v in (x, z, y)]
    noisy = [np.vstack([v, d]) for v, d in zip((x, z, y), drawn, strict=True)]
    sure, unsure = correlation(x, y), correlation(noisy[0], noisy[2])
    assert (unsure.value, unsure.units) == (sure.value, sure.units)
    artanh = np.arctanh(rank_correlation(drawn[0], drawn[2]))
    assert unsure.parts[0].variance - sure.parts[0].variance == pytest.approx(artanh.var())
    gap, wide = correlation_difference(x, z, y), correlation_difference(*noisy)
    assert wide.value == gap.value
    assert wide.parts[0].variance > gap.parts[0].variance


@pytest.mark.parametrize("error", [0.0, 0.3])
def test_a_correlation_of_uncertain_arms_covers_that_of_their_true_values(error: float) -> None:
    random, covered = np.random.default_rng(2), 0
    true = 6 / np.pi * np.arcsin(0.5 / 2)  # Spearman's of a normal pair with 0.5
    for _ in range(200):
        a, b = random.standard_normal((2, 13))
        pair = (a, 0.5 * a + math.sqrt(0.75) * b)
        x, y = (v + error * random.standard_normal(13) for v in pair)
        x, y = (np.vstack([v, v + error * random.standard_normal((100, 13))]) for v in (x, y))
        low, high = correlation(x, y).interval(0.95)[1:]
        covered += low <= true <= high
    assert covered >= 0.9 * 200


def test_a_line_that_predicts_every_arm_explains_all_and_noise_less_than_nothing() -> None:
    x = np.arange(7.0)
    assert explained(x, 2 * x - 1) == pytest.approx(1.0)
    assert explained(x, np.array([0.0, 1, -1, 1, -1, 1, 0])) < 0


def test_a_tuner_is_judged_by_rate_times_curvature() -> None:
    runs, curves = study()
    sizes = curves["key"].str.split("-").str[1].astype(float)
    has_rate = curves["key"].str.startswith("arm_0") & (curves["step"] < STEPS[-1])
    tuned = curves.assign(rate=np.where(has_rate, 1 / sizes, np.nan))
    found = fit(runs, tuned)
    for at in ("whole", "late"):  # no update follows the last row
        own = predicted(found, "arm_0", at)
        assert own == pytest.approx((DRIFTS[0] + 1,) * 3, abs=1e-6), at
    other = predicted(found, "arm_1", "whole")
    assert other == pytest.approx((DRIFTS[1],) * 3, abs=1e-6)


def test_windows_differ_where_the_exponent_changes_and_diverged_seeds_are_left_out() -> None:
    runs, curves = study()
    sizes = curves["key"].str.split("-").str[1].astype(float)
    late = curves["step"] >= 8
    changed = curves.assign(edge_sharpness=np.where(late, sizes, 1.0))
    gone = (curves["key"] == "arm_2-128-1-0") & (curves["step"] == 16)
    changed.loc[gone, "edge_sharpness"] = np.nan
    found = fit(runs, changed)
    assert predicted(found, "arm_0", "late").value == pytest.approx(-1.0)
    whole = predicted(found, "arm_0", "whole").value
    assert whole == pytest.approx(-2 / 3), "two of three measured updates"
    rest = found.one("predicted_drift", arm="arm_2", quantity="edge_sharpness", at="late")
    assert rest is not None and [unit.seed for unit in rest.units] == [0, 2]


def test_few_arms_have_drifts_but_no_correlation() -> None:
    runs, curves = study()
    few = runs["arm"].isin(["arm_0", "arm_1", "arm_2"])
    found = fit(runs[few], curves[curves["key"].isin(runs.loc[few, "key"])])
    assert len(found.rows("predicted_drift"))
    for statistic in (*STATISTICS, "rank_correlation_difference"):
        assert found.rows(statistic).empty, statistic


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("arms", [8, 13])
def test_nominal_95_percent_intervals_of_a_correlation_cover(rho: float, arms: int) -> None:
    random = np.random.default_rng(0)
    normal = 2 * math.sin(math.pi / 6 * rho)  # Pearson's r of the same normal pair
    covered = 0
    for _ in range(1000):
        x, noise = random.normal(size=(2, arms))
        y = normal * x + math.sqrt(1 - normal**2) * noise
        _, low, high = correlation(x, y).interval(0.95)
        covered += low <= rho <= high
    assert 0.91 <= covered / 1000 <= 0.985


def test_two_equally_good_predictors_are_seldom_told_apart_and_unequal_ones_are() -> None:
    random = np.random.default_rng(1)

    def share(noise: float, other: float) -> float:
        told = 0
        for _ in range(100):
            y, a, b = random.normal(size=(3, 13))
            gap = correlation_difference(y + noise * a, y + other * b, y).interval(0.95)
            told += gap.low > 0 or gap.high < 0
        return told / 100

    assert share(1.0, 1.0) <= 0.05
    assert share(0.1, 10.0) >= 0.6


def test_a_perfect_order_has_an_interval_and_a_constant_none() -> None:
    order = np.arange(13.0)
    found = correlation(order, order).interval(0.95)
    assert 0.9 < found.low < found.high == 1.0
    flat = correlation(np.ones(7), np.arange(7.0))
    assert math.isnan(flat.value) and math.isnan(flat.interval(0.95).low)
    assert math.isnan(correlation_difference(np.ones(7), order[:7], order[:7]).value)


def test_an_arm_whose_drift_is_a_bound_is_not_counted() -> None:
    runs, curves = study()
    last = f"arm_{len(DRIFTS) - 1}"

    def fitted(kept: pd.Series) -> Estimates:
        return fit(runs[kept], curves[curves["key"].isin(runs.loc[kept, "key"])])

    # Of the last arm only rates below every optimum.
    cut = fitted((runs["arm"] != last) | (runs["log2_lr"] < -2))
    without = fitted(runs["arm"] != last)
    assert math.isinf(interval(cut, "drift", arm=last).high)
    bounded, left = (of.rows("rank_correlation")["value"].tolist() for of in (cut, without))
    assert bounded == pytest.approx(left)
