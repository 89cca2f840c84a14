"""Laws of transfer on optima with a known law."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from lrtransfer.transfer.laws import (
    Component,
    Fit,
    Optima,
    fit_laws,
    mixture_interval,
    predict_sweep,
    quantiles,
    with_one_more,
)

from .frames import Array

SIZES = np.arange(5.0, 9.0)


def optima(
    mean: npt.ArrayLike, sizes: Array = SIZES, variance: float = 0.01, seeds: int = 3
) -> Optima:
    mean = np.asarray(mean, dtype=float)
    return Optima(sizes, mean, seeds, variance, (seeds - 1) * len(mean), 1.0)


def names(found: list[Fit]) -> list[str]:
    return [fit.name for fit in found]


def test_optima_that_stand_still_prefer_the_constant_and_moving_ones_the_power_law() -> None:
    still = fit_laws(optima([0.5, 0.55, 0.45, 0.5]))
    moving = fit_laws(optima([0.0, 0.5, 1.0, 1.5]))
    assert names(still)[0] == "constant"
    assert still[0].weight > 0.6
    assert names(moving)[0] == "power law"
    assert moving[0].weight > 0.99
    assert moving[0].parameters[1] == pytest.approx(0.5)
    assert sum(fit.weight for fit in moving) == pytest.approx(1)


def test_the_offset_is_fitted_from_six_sizes_on_and_found() -> None:
    sizes = np.arange(4.0, 12.0)
    mean = 1.0 + np.log2(1 + 3.0 * 2.0 ** (-1.0 * (sizes - sizes[0])))
    assert "power law with offset" not in names(fit_laws(optima(mean[:5], sizes[:5])))
    found = fit_laws(optima(mean, sizes, variance=0.001))
    assert found[0].name == "power law with offset"
    assert found[0].parameters == pytest.approx((1.0, 3.0, 1.0), abs=0.05)
    assert found[0].at(20.0)[0] == pytest.approx(1.0, abs=0.01)


def test_leverage_is_that_of_least_squares() -> None:
    law = next(f for f in fit_laws(optima([0.0, 0.5, 1.0, 1.5])) if f.name == "power law")
    target = 10.0
    spread = np.sum((SIZES - SIZES.mean()) ** 2)
    assert law.at(target)[1] == pytest.approx(1 / 4 + (target - SIZES.mean()) ** 2 / spread)


def test_a_law_that_misses_by_more_than_noise_is_judged_by_its_misses_alone() -> None:
    bent = fit_laws(optima([0.0, 1.0, 1.0, 0.0], variance=1e-4))
    law = next(f for f in bent if f.name == "power law")
    assert law.freedom == 2
    assert law.variance == pytest.approx(np.var([0, 1, 1, 0]) * 4 / 2)
    straight = next(f for f in fit_laws(optima([0.0, 0.5, 1.0, 1.5])) if f.name == "power law")
    assert straight.freedom == 2 + 8


def test_mixture_quantiles_are_those_of_its_distribution() -> None:
    one = [Component(1.0, 2.0, 0.5, 7.0)]
    expected = 2 + 0.5 * stats.t.ppf([0.025, 0.5, 0.975], 7)
    assert quantiles(one, [0.025, 0.5, 0.975]) == pytest.approx(expected, abs=2e-3)
    two = [Component(0.5, 0.0, 0.1, 50.0), Component(0.5, 4.0, 0.1, 50.0)]
    assert mixture_interval(two, 0.9).value == pytest.approx(2.0)
    found = mixture_interval(two, 0.9)
    assert found.low == pytest.approx(stats.t.ppf(0.1, 50) * 0.1, abs=5e-3)
    assert found.high == pytest.approx(4 - stats.t.ppf(0.1, 50) * 0.1, abs=5e-3)


def test_one_more_size_narrows_a_power_law_and_leaves_its_centre() -> None:
    data = optima([0.0, 0.5, 1.0, 1.5])
    law = fit_laws(data)[0]
    now = predict_sweep([law], 11.0)[0]
    then = with_one_more(law, data, 9.0, 11.0)
    assert then.centre == pytest.approx(now.centre)
    assert then.scale < now.scale
    assert then.freedom == now.freedom + 1


def test_two_sizes_and_one_seed_are_refused() -> None:
    with pytest.raises(ValueError, match="2 sizes"):
        fit_laws(optima([0.0, 0.1], SIZES[:2]))
    with pytest.raises(ValueError, match="seeds"):
        fit_laws(Optima(SIZES, np.zeros(4), 1, float("nan"), 0, 1.0))
