import numpy as np
import pytest

from lrtransfer.transfer.valley import bottom, rate_means

from .shapes import flat, quadratic, soft_kink, steep_right

GRID = np.arange(-4.0, 5.0)


@pytest.mark.parametrize("optimum", [-1.3, 0.0, 0.5, 1.49])
@pytest.mark.parametrize("bandwidth", [2.6, 3.1, 4.5])
def test_the_bottom_of_a_parabola_is_exact(optimum: float, bandwidth: float) -> None:
    height = 0.2 * (GRID - optimum) ** 2 - 1
    for form in ("cubic", "halves"):
        found = bottom(GRID, height, bandwidth, form)  # type: ignore[arg-type]
        assert found.position == pytest.approx(optimum, abs=1e-4)


def test_the_bottom_of_a_cubic_is_exact() -> None:
    x = GRID - 0.3
    assert bottom(GRID, 0.2 * x**2 + 0.01 * x**3, 3.1).position == pytest.approx(0.3, abs=1e-4)


def test_half_parabolas_have_their_bottom_where_they_meet() -> None:
    x = GRID - 0.3
    height = np.where(x < 0, 0.1, 0.4) * x**2
    assert bottom(GRID, height, 3.1, "halves").position == pytest.approx(0.3, abs=1e-3)
    assert bottom(GRID, height, 3.1).position < 0.2, "the cubic is drawn to the flat side"


def test_an_uneven_grid_changes_nothing_for_a_parabola() -> None:
    grid = np.array([-4.0, -2.5, -2.0, -0.6, 0.0, 1.5, 2.0, 3.7])
    assert bottom(grid, 0.1 * (grid - 0.4) ** 2, 3.1).position == pytest.approx(0.4, abs=1e-4)


@pytest.mark.parametrize("shape", [quadratic, soft_kink, steep_right, flat])
def test_where_the_optimum_lies_between_grid_points_hardly_matters(shape: object) -> None:
    places = np.linspace(-0.5, 0.5, 21)
    errors = [
        float(bottom(GRID, shape(GRID - at, 0.0), 3.1).position) - at  # type: ignore[operator]
        for at in places
    ]
    assert np.std(errors) < 0.05


def test_units_of_height_and_rate_do_not_matter() -> None:
    height = steep_right(GRID - 0.2, 0.0)
    plain = bottom(GRID, height, 3.1)
    assert bottom(GRID, 1e6 * height + 7, 3.1).position == pytest.approx(plain.position, abs=1e-9)
    assert bottom(GRID + 12, height, 3.1).position == pytest.approx(plain.position + 12, abs=1e-9)


def test_a_tower_far_away_does_not_drown_the_bottom() -> None:
    height = 1e-3 * (GRID - 0.3) ** 2
    height[-1] = 1e12
    assert bottom(GRID, height, 3.1).position == pytest.approx(0.3, abs=1e-3)


def test_many_valleys_at_once_are_those_one_by_one() -> None:
    rng = np.random.default_rng(0)
    heights = 0.2 * (GRID - rng.uniform(-1, 1, (5, 1))) ** 2 + 0.01 * rng.standard_normal((5, 9))
    together = bottom(GRID, heights, 3.1)
    for row, height in enumerate(heights):
        alone = bottom(GRID, height, 3.1)
        assert together.position[row] == pytest.approx(alone.position, abs=1e-12)


def test_the_influence_is_the_derivative_of_the_position() -> None:
    height = steep_right(GRID - 0.2, 0.0)
    found = bottom(GRID, height, 3.1)
    for place in (3, 4, 5):
        moved = height.copy()
        moved[place] += 1e-5
        slope = (bottom(GRID, moved, 3.1).position - found.position) / 1e-5
        assert found.influence[place] == pytest.approx(slope, rel=0.5, abs=0.1)


def test_unusable_rates_are_left_out_and_none_leaves_no_bottom() -> None:
    height = 0.1 * (GRID - 0.3) ** 2
    height[GRID == 1] = np.nan
    assert bottom(GRID, height, 3.1).position == pytest.approx(0.3, abs=1e-3)
    assert np.isnan(bottom(GRID, np.full(9, np.nan), 3.1).position)


def test_a_grid_that_does_not_increase_and_no_bandwidth_are_refused() -> None:
    with pytest.raises(ValueError, match="increasing"):
        bottom(GRID[::-1], np.zeros(9), 3.1)
    with pytest.raises(ValueError, match="bandwidth"):
        bottom(GRID, np.zeros(9), 0.0)


def test_rates_bandwidths_and_valleys_of_their_own_are_those_one_by_one() -> None:
    grids = np.stack([GRID, 0.5 * GRID + 1])
    heights = 0.2 * (grids - np.array([[0.3], [0.9]])) ** 2 + 0.02 * np.cos(5 * grids)
    together = bottom(grids, heights, np.array([3.1, 1.6]))
    for row, width in enumerate((3.1, 1.6)):
        alone = bottom(grids[row], heights[row], width)
        assert together.position[row] == pytest.approx(alone.position, abs=1e-12)


def test_means_over_seeds_are_freed_of_which_are_missing() -> None:
    rng = np.random.default_rng(1)
    rates, seeds = rng.standard_normal(6), rng.standard_normal((4, 1))
    whole = rates + seeds
    assert rate_means(whole) == pytest.approx(whole.mean(0))
    holed = whole.copy()
    holed[0, 2] = holed[1, 2] = holed[3, 0] = np.nan
    assert np.diff(rate_means(holed)) == pytest.approx(np.diff(rates), abs=1e-6)
    holed[:, 4] = np.nan
    assert np.isnan(rate_means(holed)[4])
