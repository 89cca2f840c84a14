"""Designs from pilots: what is planted is found, what is promised is kept."""

import numpy as np
import pytest

from lrtransfer.transfer.design import Grid, designs, expected, grid, static
from lrtransfer.transfer.laws import fit
from lrtransfer.transfer.pilot import Pilot, pilot
from lrtransfer.transfer.roles import JudgeError
from lrtransfer.transfer.sweeps import Sweep

from .shapes import Cell, quadratic, study

WIDTHS = (32.0, 64.0, 128.0, 256.0)


def piloted(seeds: int = 20, shift: float = 0.15, noise: float = 0.02, drift: float = 0.3) -> Pilot:
    cell = Cell(quadratic, shift=shift, noise=noise)
    return pilot(study(cell, np.random.default_rng(1), seeds=seeds, drift=drift).sweeps)


def test_shift_and_noise_of_a_pilot_are_told_apart() -> None:
    found = piloted(seeds=60)
    assert found.shift == pytest.approx(0.15, rel=0.15)
    assert float(found.noise_at(np.zeros(1))[0]) == pytest.approx(0.02, rel=0.3)


def test_one_seed_takes_the_assumed_shift() -> None:
    assert piloted(seeds=1).shift == 0.2


def test_a_size_that_was_not_piloted_lies_on_the_law() -> None:
    whole = piloted(drift=0.3)
    ends = pilot([whole.law.vertices.sweeps[0], whole.law.vertices.sweeps[-1]])
    assert ends.optimum(128) == pytest.approx(whole.optimum(128), abs=0.05)


@pytest.mark.slow
def test_studies_have_the_half_width_that_was_expected() -> None:
    model = piloted()
    rates = grid(model, WIDTHS, half=1.5, rates=7)
    promised = expected(model, rates, studies=10).half_width([5] * 4, 0.95)
    own = {size: np.array(rates.rates[size]) for size in WIDTHS}
    rng = np.random.default_rng(2)
    found = [fit(model.draw(own, 5, rng)).drift.half_width(0.05) for _ in range(20)]
    assert promised == pytest.approx(float(np.median(found)), rel=0.15)


@pytest.mark.slow
def test_seeds_go_where_they_are_cheap_and_the_wish_is_met() -> None:
    found = designs(piloted(), WIDTHS, half_width=0.08, price=lambda n: n**2, studies=2)
    best = found[0]
    assert best.half_width <= 0.08
    assert best.seeds[32.0] > best.seeds[256.0]
    assert [d.cost for d in found if d.half_width <= 0.08] == sorted(
        d.cost for d in found if d.half_width <= 0.08
    )
    equal = designs(piloted(), WIDTHS, half_width=0.08, equal_seeds=True, follow=False, studies=2)
    assert len(set(equal[0].seeds.values())) == len(set(equal[0].grid.rates.values())) == 1


def test_no_seeds_are_wasted_on_a_wish_below_the_grids_own_error() -> None:
    found = designs(piloted(), WIDTHS[:2], half_width=0.001, studies=1)
    assert all(d.half_width > 0.001 and set(d.seeds.values()) == {3} for d in found)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.005, 0.1], ids=["sharp", "broad"])
def test_the_static_plan_tells_a_drift_as_well_as_an_octave_grid_of_its_cost(noise: float) -> None:
    model = piloted(noise=noise, drift=0.0)
    plan, octaves = static(model, WIDTHS), grid(model, WIDTHS, half=3.0, rates=7)
    own, other = (expected(model, g, studies=24, seed=1).at_equal_cost() for g in (plan, octaves))
    assert own <= 1.1 * other


@pytest.mark.slow
def test_the_static_window_is_as_broad_as_the_valley() -> None:
    sharp, broad = (static(piloted(noise=noise, drift=0.0), WIDTHS) for noise in (0.005, 0.1))
    assert sharp.half < broad.half
    assert {len(rates) for rates in (*sharp.rates.values(), *broad.rates.values())} <= {5, 7}
    assert len(set(sharp.rates.values())) == 1


@pytest.mark.slow
def test_the_static_window_follows_optima_that_drift() -> None:
    model = piloted(noise=0.005, drift=1.0)
    drifting, common = static(model, WIDTHS), static(model, WIDTHS, follow=False)
    firsts = [rates[0] for rates in drifting.rates.values()]
    assert np.allclose(np.diff(firsts), 1.0, atol=0.26)
    assert all(4 * (first + drifting.half) % 1 == 0 for first in firsts)
    assert len(set(common.rates.values())) == 1
    assert np.ptp(common.rates[32.0]) == pytest.approx(3.0 + 2 * common.half, abs=common.step)


def test_a_common_grid_holds_every_window() -> None:
    model = piloted(drift=0.3)
    own, common = (grid(model, WIDTHS, 1.0, 5, follow=follow) for follow in (True, False))
    assert min(common.rates[32.0]) == min(map(min, own.rates.values()))
    assert max(common.rates[32.0]) >= max(map(max, own.rates.values())) - 1e-9
    assert isinstance(common, Grid)
    assert common.runs == 4 * len(common.rates[32.0])


@pytest.mark.parametrize("best", [-3.5, 3.5])
def test_an_optimum_at_the_pilots_end_says_which_rate_to_pilot(best: float) -> None:
    rates = np.arange(-3.0, 4.0)
    losses = np.exp([(rates - best) ** 2 / 20])
    swept = [Sweep("", {"width": n}, (0,), rates, losses, losses > 1e9) for n in (32, 64)]
    with pytest.raises(JudgeError, match=rf"width 32.*pilot {2.0 ** (4 * np.sign(best)):.3g}"):
        pilot(swept)


def test_one_size_is_no_pilot() -> None:
    model = piloted(seeds=2)
    with pytest.raises(JudgeError, match="two sizes at least"):
        pilot(model.law.vertices.sweeps[:1])
