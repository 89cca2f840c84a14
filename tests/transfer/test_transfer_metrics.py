"""Metrics of transfer on planted valleys."""

import numpy as np
import pandas as pd
import pytest

from lrtransfer.transfer.rules import Below, verdict
from lrtransfer.transfer.sweeps import sweeps
from lrtransfer.transfer.transfer_metrics import TransferMetrics, transfer_metrics

from .frames import make_runs

SIZES = (32, 64, 128, 256, 512)
GRID = np.arange(-5.0, 5.5, 0.5)


def runs(
    arm: str = "mup",
    *,
    drift: float = 0.0,
    limit: float = 0.0,
    gap: float = 1.0,
    flatter: float = 0.0,
    level: float = 0.0,
    scatter: float = 0.02,
) -> pd.DataFrame:
    """Log loss: level + gap / size-ish + curvature (x − u)²; the optimum moves to `limit`."""

    def loss(size: int, seed: int, x: float) -> float:
        relative = size / SIZES[0]
        at = drift * np.log2(relative) + limit / relative + scatter * (seed - 1)
        curvature = 0.2 * relative**-flatter
        return float(np.exp(level + 0.3 * gap / relative**0.5 + curvature * (x - at) ** 2 - 1))

    return make_runs(loss, arm=arm, sizes=SIZES, grid=GRID)


def metrics(*tables: pd.DataFrame) -> dict[str, TransferMetrics]:
    return {own.arm: own for own in transfer_metrics(list(sweeps(pd.concat(tables))))}


def test_a_power_law_fits_and_a_jump_does_not() -> None:
    jump = runs(drift=0.5)
    moved = jump["width"] == SIZES[2]
    jump.loc[moved, ["log2_lr", "lr"]] = np.column_stack(
        [jump.loc[moved, "log2_lr"] + 1, 2 * jump.loc[moved, "lr"]]
    )
    straight = metrics(runs(drift=0.5))["mup"]
    assert straight.fit_error < 0.02
    assert metrics(jump)["mup"].fit_error > 0.3


def planted(alpha: float, beta: float, gamma: float = 0.0) -> TransferMetrics:
    """L = 0.2 + (n^−α + n^γ (x − u)²/5)/10, with u = 3 − 3 n^−β, n from 1 to 16."""

    def loss(size: int, seed: int, x: float) -> float:
        n = size / SIZES[0]
        away = x - 3 + 3 * n**-beta + 0.001 * (seed - 1)
        return float(0.2 + (n**-alpha + n**gamma * away**2 / 5) / 10)

    return metrics(make_runs(loss, sizes=SIZES, grid=GRID))["mup"]


@pytest.mark.parametrize(("beta", "slope"), [(0.20, 0.1), (0.25, 0.0), (0.50, -0.5)])
def test_transfer_is_fast_beyond_half_of_the_losses_exponent(beta: float, slope: float) -> None:
    own = planted(0.5, beta)
    assert own.rate.value == pytest.approx(slope, abs=0.05)
    assert own.kappa.value == pytest.approx(slope, abs=0.05)
    assert own.curvature_growth.value == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("gamma", [-0.5, 0.5])
def test_kappa_adds_the_growth_of_the_curvature(gamma: float) -> None:
    own = planted(0.5, 0.5, gamma)
    assert own.curvature_growth.value == pytest.approx(gamma, abs=0.05)
    assert own.kappa.value == pytest.approx(0.5 - 2 * 0.5 + gamma, abs=0.1)
    low, high = own.kappa.interval(0.95)[1:]
    assert low <= own.kappa.value <= high


def test_the_penalty_is_against_the_best_arm_at_the_largest_size() -> None:
    found = metrics(runs("mup"), runs("sp", level=0.1))
    assert found["mup"].penalty == pytest.approx(0.0, abs=1e-9)
    assert found["sp"].penalty == pytest.approx(np.exp(0.1) - 1, rel=0.02)
    assert found["sp"].penalty_slope == pytest.approx(0.0, abs=1e-6)
    assert {own.penalty_size for own in found.values()} == {512}


@pytest.mark.parametrize("arms", [("open", "mup", "sp"), ("sp", "mup", "open")])
def test_a_rival_whose_valley_is_open_takes_no_penalty_away(arms: tuple[str, ...]) -> None:
    shapes = {"open": {"drift": 3.0}, "mup": {}, "sp": {"level": 0.1}}
    found = metrics(*(runs(arm, **shapes[arm]) for arm in arms))
    assert found["mup"].penalty == pytest.approx(0.0, abs=1e-9)
    assert found["sp"].penalty == pytest.approx(np.exp(0.1) - 1, rel=0.02)
    assert np.isnan(found["open"].penalty)


def test_an_optimum_that_converges_quickly_transfers_fast_and_a_power_law_does_not() -> None:
    fast = metrics(runs(limit=2.0, gap=3.0, scatter=0.01))["mup"]
    slow = metrics(runs(drift=0.6, scatter=0.01))["mup"]
    assert fast.rate.value == pytest.approx(-1.5, abs=0.3)
    assert slow.rate.value == pytest.approx(0.5, abs=0.2)
    said = [verdict(Below(0.0), own.rate.interval(0.95)) for own in (fast, slow)]
    assert said == ["supported", "contradicted"]
    assert slow.given_up.value > fast.given_up.value


def test_a_loss_that_does_not_fall_with_size_has_no_share() -> None:
    own = metrics(runs(gap=-1.0))["mup"]
    assert np.isnan(own.given_up.value)
    assert verdict(Below(0.0), own.rate.interval(0.95)) == "inconclusive"


def test_one_seed_gives_values_without_intervals_and_edges_give_none() -> None:
    single = make_runs(
        lambda size, seed, x: float(np.exp(10 / size + 0.2 * (x - 0.3) ** 2 - 2)),
        seeds=(0,), sizes=SIZES, grid=GRID,
    )  # fmt: skip
    own = metrics(single)["mup"]
    assert np.isfinite(own.curvature_growth.value)
    assert np.isnan(own.curvature_growth.interval(0.95).low)
    assert own.fit_error < 0.02
    edge = metrics(runs(drift=3.0))["mup"]
    assert np.isnan([edge.fit_error, edge.penalty, edge.kappa.value]).all()


def test_units_are_pseudo_values_of_the_seeds() -> None:
    own = metrics(runs(flatter=0.5))["mup"].curvature_growth
    assert [(u.seed, u.size) for u in own.units] == [(0, 0), (1, 0), (2, 0)]
    assert own.parts[0].df == 2
    variance = np.var([u.value for u in own.units], ddof=1) / 3
    assert own.parts[0].variance == pytest.approx(variance)
