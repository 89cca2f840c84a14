"""Planted drifts that a quantity foretells, or does not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from lrtransfer.study.evidence import predictors
from lrtransfer.study.evidence.claim import load_claims
from lrtransfer.study.evidence.effects import predicted_drift, predictor, predictor_gap
from lrtransfer.study.evidence.experiment import fit_experiment

from .frames import make_curves, make_runs, parabola

DRIFTS = (-1.0, -0.6, -0.3, 0.0, 0.2, 0.5, 0.8)
UPDATES = "relative_update_without_decay"
STEPS = (0, 1, 8, 16)


def study(
    sharpness: Sequence[float] = tuple(-d for d in DRIFTS),
    updates: Sequence[float] = (0.3, -0.2, 0.1, 0.4, -0.5, 0.2, -0.1),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One arm per drift; both quantities go as powers of the size, with 1 % between seeds."""
    runs, curves = [], []
    for index, drift in enumerate(DRIFTS):

        def optimum(size: int, seed: int, drift: float = drift) -> float:
            return drift * math.log2(size / 64)

        own = make_runs(parabola(optimum), arm=f"arm_{index}", grid=range(-5, 6))

        def law(exponent: float):  # type: ignore[no-untyped-def]
            return lambda size, seed, t: size**exponent * 1.01**seed * np.ones(len(t))

        runs.append(own)
        quantities = {
            "edge_sharpness": law(sharpness[index]),
            UPDATES: law(updates[index]),
        }
        curves.append(make_curves(own, STEPS, **quantities))
    return pd.concat(runs, ignore_index=True), pd.concat(curves, ignore_index=True)


@pytest.fixture(scope="module")
def fits() -> dict[str, pd.DataFrame]:
    return fit_experiment(*study())


def test_a_quantity_that_grows_with_the_size_predicts_a_falling_optimum(
    fits: dict[str, pd.DataFrame],
) -> None:
    for index, drift in enumerate(DRIFTS):
        found = predicted_drift(fits, f"arm_{index}", "edge_sharpness", "whole")
        assert found == pytest.approx((drift,) * 3, abs=1e-9)
    rows = fits["predicted_drifts"].query("quantity == 'edge_sharpness' and window == 'late'")
    assert rows["found"].to_numpy() == pytest.approx(DRIFTS, abs=0.05)


def test_the_quantity_that_predicts_is_told_from_the_one_that_does_not(
    fits: dict[str, pd.DataFrame],
) -> None:
    good = predictor(fits, "edge_sharpness", "whole")
    idle = predictor(fits, UPDATES, "late")
    assert good is not None and idle is not None
    assert good.value == pytest.approx(1.0) and good.low > 0.6
    assert idle.low < 0 < idle.high
    gap = predictor_gap(fits, ("edge_sharpness", "whole"), (UPDATES, "late"))
    assert gap is not None and gap.value == pytest.approx(good.value - idle.value)
    back = predictor_gap(fits, (UPDATES, "late"), ("edge_sharpness", "whole"))
    assert back is not None and (-back.high, -back.low) == pytest.approx((gap.low, gap.high))
    table = fits["predictors"].set_index(["quantity", "window", "compared"])
    assert table.loc[("edge_sharpness", "whole", "signed"), "explained"] > 0.95
    assert table.loc[(UPDATES, "whole", "signed"), "explained"] < 0.5
    assert (table["n_arms"] == len(DRIFTS)).all()


def test_the_absolute_comparison_does_not_know_the_direction() -> None:
    fits = fit_experiment(*study(sharpness=DRIFTS))
    table = fits["predictors"].set_index(["quantity", "window", "compared"])["correlation"]
    assert table["edge_sharpness", "whole", "signed"] == pytest.approx(-1.0)
    assert table["edge_sharpness", "whole", "absolute"] > 0.9


def test_leaving_one_arm_out_shows_what_one_arm_decides() -> None:
    x = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 10.0])
    y = np.array([0.4, 0.1, 0.3, 0.0, 0.2, 10.0])
    drifts = pd.DataFrame(
        {"arm": list("abcdef"), "fixed": 3, "quantity": "ntk", "window": "whole"}
        | {"predicted": x, "found": y}
    )
    row = predictors.predictors(drifts, 0.95).set_index("compared").loc["signed"]
    assert row["left_out_low"] == pytest.approx(stats.spearmanr(x[:-1], y[:-1]).statistic)
    assert row["left_out_low"] < 0 < row["correlation"] < row["left_out_high"]


def test_a_tuner_is_judged_by_rate_times_curvature() -> None:
    runs, curves = study()
    sizes = curves["key"].str.split("-").str[1].astype(float)
    has_rate = curves["key"].str.startswith("arm_0") & (curves["step"] < STEPS[-1])
    tuned = curves.assign(rate=np.where(has_rate, 1 / sizes, np.nan))
    found = fit_experiment(runs, tuned)
    assert predicted_drift(found, "arm_0", "edge_sharpness", "whole") == pytest.approx(
        (DRIFTS[0] + 1,) * 3, abs=1e-9
    )
    late = predicted_drift(found, "arm_0", "edge_sharpness", "late")
    assert late == pytest.approx((DRIFTS[0] + 1,) * 3, abs=1e-9), "no update follows the last row"
    assert predicted_drift(found, "arm_1", "edge_sharpness", "whole") == pytest.approx(
        (DRIFTS[1],) * 3, abs=1e-9
    )


def test_windows_differ_where_the_exponent_changes_and_diverged_seeds_are_left_out() -> None:
    runs, curves = study()
    sizes = curves["key"].str.split("-").str[1].astype(float)
    late = curves["step"] >= 8
    changed = curves.assign(edge_sharpness=np.where(late, sizes, 1.0))
    gone = (curves["key"] == "arm_2-128-1-0") & (curves["step"] == 16)
    changed.loc[gone, "edge_sharpness"] = np.nan
    found = fit_experiment(runs, changed)["predicted_drifts"].set_index(
        ["arm", "quantity", "window"]
    )
    assert found.loc[("arm_0", "edge_sharpness", "late"), "predicted"] == pytest.approx(-1.0)
    whole = found.loc[("arm_0", "edge_sharpness", "whole"), "predicted"]
    assert whole == pytest.approx(-2 / 3), "two of three measured updates"
    assert found.loc[("arm_2", "edge_sharpness", "late"), "n_seeds"] == 2


def test_few_arms_have_drifts_but_no_correlation() -> None:
    runs, curves = study()
    few = runs["arm"].isin(["arm_0", "arm_1", "arm_2"])
    found = fit_experiment(runs[few], curves[curves["key"].isin(runs.loc[few, "key"])])
    assert len(found["predicted_drifts"]) and found["predictors"].empty
    assert found["predictor_differences"].empty
    assert predictor(found, "edge_sharpness", "whole") is None


def test_claims_of_the_joint_experiment_read_what_they_say() -> None:
    """Arms by their own names, each with its planted drift; the sharpness foretells it."""
    spec = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["study"]["joint"]
    runs, curves = study()
    names = dict(zip(runs["arm"].unique(), ["sp_cdat", "ntp_cdat", *spec["arms"]], strict=False))
    names = {old: new for old, new in names.items() if new in spec["arms"]}
    fits = fit_experiment(runs.assign(arm=runs["arm"].map(names)), curves)
    found = {c.id: c for c in load_claims() if c.experiments == ("joint",)}
    values = {name: claim.evaluate(fits) for name, claim in found.items()}
    assert values.pop("joint_sharpness_predicts_transfer").value == pytest.approx(1.0)
    rho = values.pop("joint_updates_predict_transfer").value
    assert rho == pytest.approx(predictor(fits, UPDATES, "late").value)
    gap = values.pop("joint_sharpness_predicts_better_than_updates").value
    assert gap == pytest.approx(1 - rho)
    for place, arm in enumerate(("sp", "ntp")):
        for name in ("transfers", "holds_the_edge"):
            value = values.pop(f"joint_cdat_{name}_under_{arm}").value
            assert value == pytest.approx(DRIFTS[place], abs=0.05)
    assert not values
    assert all(claim.figure in spec["figures"] for claim in found.values())
    assert all(claim.evaluate({}) is None for claim in found.values())


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("arms", [8, 13])
def test_nominal_95_percent_intervals_of_a_correlation_cover(rho: float, arms: int) -> None:
    random = np.random.default_rng(0)
    normal = 2 * math.sin(math.pi / 6 * rho)  # Pearson's r of the same normal pair
    covered = 0
    for _ in range(1000):
        x, noise = random.normal(size=(2, arms))
        y = normal * x + math.sqrt(1 - normal**2) * noise
        value = predictors.rank_correlation(x, y)
        interval = predictors.correlation_interval(value, arms, 0.95)
        covered += interval.low <= rho <= interval.high
    assert 0.91 <= covered / 1000 <= 0.985


def test_two_equally_good_predictors_are_seldom_told_apart_and_unequal_ones_are() -> None:
    random = np.random.default_rng(1)

    def share(noise: float, other: float) -> float:
        told = 0
        for _ in range(100):
            y, a, b = random.normal(size=(3, 13))
            gap = predictors.difference_interval(y + noise * a, y + other * b, y, 0.95)
            told += gap.low > 0 or gap.high < 0
        return told / 100

    assert share(1.0, 1.0) <= 0.05
    assert share(0.1, 10.0) >= 0.6


def test_a_perfect_order_has_an_interval_and_a_constant_none() -> None:
    interval = predictors.correlation_interval(1.0, 13, 0.95)
    assert 0.9 < interval.low < interval.high == 1.0
    flat = predictors.rank_correlation(np.ones(7), np.arange(7.0))
    assert math.isnan(flat)
    assert math.isnan(predictors.correlation_interval(flat, 7, 0.95).low)
