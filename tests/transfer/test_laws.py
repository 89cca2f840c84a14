"""The power law on planted optima, in one axis and in several."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from lrtransfer.transfer.laws import ASSUMED_FREEDOM, Law, fit, fits
from lrtransfer.transfer.sweeps import Sweep

from .frames import Array

GRID = np.arange(-14.0, 1.0)


def swept(
    sizes: dict[str, float], best: float, seeds: int = 3, scatter: float = 0.05, grid: Array = GRID
) -> Sweep:
    rng = np.random.default_rng([int(8 * n) for n in sizes.values()])
    places = best + scatter * rng.standard_normal((seeds, 1))
    loss = np.exp(0.1 * (grid - places) ** 2 - 1)
    return Sweep("arm", sizes, tuple(range(seeds)), grid, loss, loss > 1e9)


def two_axes() -> list[Sweep]:
    return [
        swept({"width": n, "batch": b}, -6 - 0.5 * np.log2(n / 64) + 0.25 * np.log2(b / 16))
        for n, b in product((32, 64, 128), (16, 64, 256))
    ]


def test_many_arms_at_once_are_those_one_by_one() -> None:
    uneven = np.sort(np.random.default_rng(0).uniform(-9, -1, 11))
    arms = [
        [swept({"width": n}, -5.0 - i / 4) for i, n in enumerate((32, 64, 128))],
        [
            swept({"width": n}, -4.0, seeds, grid=uneven)
            for n, seeds in ((48, 2), (96, 1), (192, 5))
        ],
        [swept({"width": 64}, -6.0, seeds=1, grid=GRID[::2])],
    ]
    for arm, law in zip(arms, fits(arms), strict=True):
        alone = fit([replace(sweep) for sweep in arm])
        assert law.vertices.bandwidth == alone.vertices.bandwidth
        for term, found in law.terms.items():
            expected = alone.terms[term]
            assert found.value == pytest.approx(expected.value, abs=1e-12)
            assert found.half_width(0.05) == pytest.approx(expected.half_width(0.05), abs=1e-12)


def test_each_axis_has_its_exponent() -> None:
    law = fit(two_axes())
    assert law.axes == ("width", "batch")
    for axis, truth in (("width", -0.5), ("batch", 0.25)):
        _, low, high = law.terms[axis].interval(0.95)
        assert low < truth < high and high - low < 0.2
    at = law.at({"width": 1024, "batch": 16}).interval(0.95)
    assert at.low < -8 < at.high


def test_the_units_of_sizes_change_the_constant_alone() -> None:
    plain, scaled = (
        fit([swept({"width": k * n}, -6 - 0.5 * np.log2(n / 64), scatter=0) for n in (32, 64, 128)])
        for k in (1, 4)
    )
    assert scaled.terms["width"].value == pytest.approx(plain.terms["width"].value, abs=1e-9)
    assert scaled.terms["constant"].value == pytest.approx(
        plain.terms["constant"].value + 1, abs=1e-6
    )


def test_an_axis_that_varies_with_another_is_left_out() -> None:
    law = fit([swept({"width": n, "heads": n / 8}, -6.0) for n in (32, 64, 128)])
    assert law.axes == ("width",)


def test_one_size_is_a_constant() -> None:
    law = fit([swept({"width": 64}, -6.0)])
    assert law.axes == ()
    assert law.terms["constant"].value == pytest.approx(-6, abs=0.1)
    assert np.isnan(law.drift.value)


def bent(by: float) -> Law:
    places = {32: 0.0, 64: by, 128: by, 256: 0.0}
    return fit([swept({"width": n}, at - 6, scatter=0.02) for n, at in places.items()])


def test_sizes_that_miss_the_law_widen_its_prediction_not_its_neighbour() -> None:
    straight, off = (bent(by).at({"width": 512}).half_width(0.05) for by in (0.0, 1.0))
    assert off > 4 * straight
    assert bent(1.0).at({"width": 512}).parts[0].df == 2


def test_single_seeds_take_their_scatter_from_the_law_and_an_assumption() -> None:
    law = fit([swept({"width": n}, -6.0, seeds=1) for n in (32, 64, 128, 256)])
    assert law.scatter.df == ASSUMED_FREEDOM + 2
    noisy = fit([swept({"width": n}, -6.0, seeds=1, scatter=1.0) for n in (32, 64, 128, 256)])
    assert noisy.scatter.variance > 1.5 * law.scatter.variance


def test_sizes_side_by_side_do_not_average_the_grids_error_away() -> None:
    few, many = (
        fit([swept({"width": n}, -6.0) for n in np.geomspace(32, 256, count)]) for count in (4, 28)
    )
    assert many.drift.parts[0].variance < few.drift.parts[0].variance / 3
    assert many.drift.systematic == pytest.approx(few.drift.systematic, rel=0.5)
    in_other_units = fit([swept({"width": 3 * n}, -6.0) for n in np.geomspace(32, 256, 28)])
    assert in_other_units._crowding == many._crowding > 3


def test_a_broad_valley_is_read_with_a_wide_window_and_a_narrow_one_not() -> None:
    def chosen(curvature: float) -> float:
        rng = np.random.default_rng(0)
        sweeps = []
        for n in (32, 64, 128, 256):
            loss = np.exp(curvature * (GRID + 6) ** 2 + 0.02 * rng.standard_normal((3, len(GRID))))
            sweeps.append(Sweep("arm", {"width": n}, (0, 1, 2), GRID, loss, loss > 1e99))
        return fit(sweeps).vertices.bandwidth

    assert chosen(0.01) > chosen(0.5)


def test_nothing_that_trains_is_refused() -> None:
    loss = np.full((2, len(GRID)), np.nan)
    with pytest.raises(ValueError, match="lower learning rates"):
        fit([Sweep("arm", {"width": 64}, (0, 1), GRID, loss, np.isnan(loss))])
