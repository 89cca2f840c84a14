import numpy as np
import pytest

from lrtransfer.transfer.valley import CLIFF_RISE, loss_at, vertices

GRID = np.arange(-3.0, 4.0)
NO_CLIFF = np.zeros(len(GRID), dtype=bool)


@pytest.mark.parametrize("optimum", [-1.5, -0.3, 0.0, 0.49, 1.2])
def test_vertex_of_a_parabola_is_exact(optimum: float) -> None:
    position, edge = vertices(GRID, 0.2 * (GRID - optimum) ** 2, NO_CLIFF)
    assert position == pytest.approx(optimum, abs=1e-12)
    assert edge == 0


def test_vertex_is_exact_on_an_uneven_grid() -> None:
    grid = np.array([-3.0, -1.0, -0.5, 2.0, 3.0])
    position, _ = vertices(grid, 0.2 * (grid - 0.3) ** 2, np.zeros(5, dtype=bool))
    assert position == pytest.approx(0.3, abs=1e-12)


def test_vertex_is_continuous_where_two_grid_points_tie() -> None:
    loss = np.array([3.0, 2.0, 1.0, 1.0, 4.0, 5.0, 6.0])
    tilt = np.array([0, 0, 1e-9, 0, 0, 0, 0])
    for log_loss in (loss + tilt, loss - tilt):
        assert vertices(GRID, log_loss, NO_CLIFF)[0] == pytest.approx(-0.5, abs=1e-6)


def test_vertices_stay_within_half_a_step_of_the_lowest_point() -> None:
    log_loss = np.random.default_rng(0).normal(size=(500, len(GRID)))
    position, edge = vertices(GRID, log_loss, np.zeros_like(log_loss, dtype=bool))
    distance = np.abs(position - GRID[log_loss.argmin(axis=-1)])
    assert distance.max() <= 0.5 + 1e-12
    assert np.all(distance[edge != 0] == 0)


@pytest.mark.parametrize(("direction", "side"), [(1, -1), (-1, 1)])
def test_minimum_at_the_edge_is_told(direction: int, side: int) -> None:
    position, edge = vertices(GRID, direction * GRID, NO_CLIFF)
    assert edge == side
    assert position == side * 3


def test_height_of_a_cliff_beyond_the_cap_does_not_matter() -> None:
    cliff = GRID > 0
    low = np.where(cliff, 1.0, 0.1 * GRID**2)
    high = np.where(cliff, 50.0, 0.1 * GRID**2)
    a, b = vertices(GRID, low, cliff)[0], vertices(GRID, high, cliff)[0]
    assert a == b == pytest.approx(0.5 * (1 - CLIFF_RISE) / (1 + CLIFF_RISE))


def test_cliffs_on_both_sides_leave_the_grid_point() -> None:
    log_loss = np.array([5.0, 5.0, 5.0, 0.0, 9.0, 9.0, 9.0])
    assert vertices(GRID, log_loss, log_loss > 1)[0] == 0


def test_all_cliffs_have_no_optimum() -> None:
    assert np.isnan(vertices(GRID, np.zeros(7), np.ones(7, dtype=bool))[0])


def test_unsorted_grid_and_missing_losses_are_refused() -> None:
    with pytest.raises(ValueError, match="increasing"):
        vertices(GRID[::-1], GRID**2, NO_CLIFF)
    with pytest.raises(ValueError, match="finite"):
        vertices(GRID, np.full(7, np.nan), NO_CLIFF)


def test_interpolation_is_exact_for_a_log_parabola() -> None:
    where = np.linspace(-3, 3, 41)
    loss = np.exp(0.2 * (GRID - 0.3) ** 2 - 1)
    expected = np.exp(0.2 * (where - 0.3) ** 2 - 1)
    np.testing.assert_allclose(loss_at(GRID, loss, NO_CLIFF, where), expected, rtol=1e-12)


def test_interpolation_next_to_a_cliff_is_not_bent_by_it() -> None:
    cliff = GRID > 1
    loss = np.where(cliff, 100.0, np.exp(0.2 * GRID**2))
    where = np.array([-1.5, 0.5, 0.9])
    np.testing.assert_allclose(
        loss_at(GRID, loss, cliff, where), np.exp(0.2 * where**2), rtol=1e-12
    )
    between = loss_at(GRID, loss, cliff, np.array([1.5]))
    assert np.exp(0.2) < between < 100


def test_interpolation_never_extrapolates() -> None:
    assert np.isnan(loss_at(GRID, np.exp(GRID**2), NO_CLIFF, np.array([-3.1, 3.1]))).all()
