"""Losses between grid points, and the curves of many seeds at once against scipy's one by one."""

import numpy as np
import pytest
from scipy.interpolate import CubicHermiteSpline, PchipInterpolator

from lrtransfer.transfer.curves import Shape, loss_at

from .frames import Array

GRID = np.arange(-4.0, 5.0)


def none(length: int = 9) -> Array:
    return np.zeros(length)


@pytest.mark.parametrize("shape", ["smooth", "monotone"])
def test_many_seeds_with_gaps_are_scipys_curves_one_by_one(shape: Shape) -> None:
    rng = np.random.default_rng(0)
    grid = np.cumsum(rng.uniform(0.5, 1.5, 9))
    loss = rng.standard_normal((40, 9))
    loss[rng.random(loss.shape) < 0.3] = np.nan
    at = np.linspace(grid[0] - 0.5, grid[-1] + 0.5, 60)
    found = loss_at(grid, loss, np.zeros(loss.shape, bool), at, logarithmic=False, shape=shape)
    for seed, own in zip(loss, found, strict=True):
        x, y = grid[np.isfinite(seed)], seed[np.isfinite(seed)]
        inside = (at >= x[0]) & (at <= x[-1])
        assert np.isnan(own[~inside]).all()
        if len(x) < 3:
            continue
        smooth = CubicHermiteSpline(x, y, np.gradient(y, x, edge_order=2))
        expected = (smooth if shape == "smooth" else PchipInterpolator(x, y))(at[inside])
        assert own[inside] == pytest.approx(expected, abs=1e-12)


def test_one_run_is_known_where_it_is_and_none_nowhere() -> None:
    loss = np.array([[np.nan, 2.0, np.nan], [np.nan] * 3])
    found = loss_at(np.arange(3.0), loss, np.zeros((2, 3), bool), [0.5, 1.0, 1.5])
    assert found[0] == pytest.approx([np.nan, 2.0, np.nan], nan_ok=True)
    assert np.isnan(found[1]).all()


def test_interpolation_is_exact_for_a_log_parabola() -> None:
    loss = np.exp(0.1 * (GRID - 0.3) ** 2)
    at = np.array([-0.5, 0.3, 1.7])
    found = loss_at(GRID, loss, none() > 0, at)
    assert found == pytest.approx(np.exp(0.1 * (at - 0.3) ** 2))


def test_losses_of_any_sign_are_interpolated_as_they_are() -> None:
    loss = 0.1 * (GRID - 0.3) ** 2 - 5
    assert loss_at(GRID, loss, none() > 0, [0.3], logarithmic=False) == pytest.approx([-5.0])


def test_the_monotone_curve_never_leaves_a_cell() -> None:
    loss = np.exp(np.abs(GRID))
    assert loss_at(GRID, loss, none() > 0, [0.5], shape="monotone") >= 1.0


def test_interpolation_next_to_a_cliff_is_not_bent_by_it() -> None:
    loss = np.exp(0.1 * (GRID - 0.3) ** 2)
    wall = GRID > 2
    walled = np.where(wall, 1e6, loss)
    inside = loss_at(GRID, walled, wall, [0.7])
    assert inside == pytest.approx(loss_at(GRID, loss, none() > 0, [0.7]))
    between = loss_at(GRID, walled, wall, [2.5])
    assert between == pytest.approx(np.sqrt(loss[GRID == 2] * 1e6))


def test_interpolation_never_extrapolates() -> None:
    assert np.isnan(loss_at(GRID, np.exp(GRID), none() > 0, [-4.1, 4.1])).all()
