from typing import Any

import numpy as np
import pytest

from lrtransfer.transfer.intervals import Interval
from lrtransfer.transfer.regret import Regret, regrets
from lrtransfer.transfer.sweeps import sweeps

from .frames import INITIAL_LOSS, Loss, make_runs, parabola


def by_size(loss: Loss, **options: Any) -> dict[int, Regret]:
    return {r.sweep.size: r for r in regrets(list(sweeps(make_runs(loss, **options))))}


def interval(loss: Loss, size: int = 128, **options: Any) -> Interval:
    return by_size(loss, **options)[size].loss.interval(0.95)


def test_regret_is_the_loss_above_the_valley_floor_in_nats() -> None:
    every = by_size(parabola(lambda w, s: 0.5 * np.log2(w / 64) + 0.02 * (s - 1)))
    found = every[128]
    value, low, high = found.loss.interval(0.95)
    assert {size for size, own in every.items() if own.is_reference} == {32}
    assert value == pytest.approx(np.exp(-0.9) - np.exp(-1), rel=0.02)
    assert found.relative == pytest.approx(np.exp(0.1) - 1, rel=0.02)
    assert low < value < high


def test_units_are_pseudo_values_of_both_nets_seeds() -> None:
    found = by_size(parabola(lambda w, s: 0.5 * np.log2(w / 64) + 0.02 * (s - 1)))[128].loss
    assert {(u.seed, u.size) for u in found.units} == {(s, n) for s in range(3) for n in (32, 128)}
    variances = [
        np.var([u.value for u in found.units if u.size == size], ddof=1) / 3 for size in (32, 128)
    ]
    assert found.parts[0].variance == pytest.approx(sum(variances))


def test_the_narrowest_net_regrets_nothing() -> None:
    assert interval(parabola(lambda w, s: 0.1 * s), 32) == (0, 0, 0)


def test_the_reference_is_the_smallest_net_that_has_an_optimum() -> None:
    def loss(width: int, seed: int, log2_lr: float) -> float:
        return np.inf if width == 32 else np.exp(-1 + 0.1 * (log2_lr - 0.1 * seed) ** 2)

    found = by_size(loss)
    assert [size for size, own in found.items() if own.is_reference] == [64]
    assert np.isnan(found[32].loss.value) and found[64].loss.value == 0


def test_transfer_over_the_cliff_costs_up_to_the_initial_loss() -> None:
    def loss(width: int, seed: int, log2_lr: float) -> float:
        optimum = 2.0 if width == 32 else -1.0
        return np.inf if log2_lr > optimum else 0.5 * 1.5 ** (optimum - log2_lr)

    found = interval(loss, sizes=(32, 128), grid=range(-4, 4))
    assert found.value == pytest.approx(INITIAL_LOSS - 0.5, rel=0.05)
    assert found.high == np.inf, "how much a diverged run costs is not known"


def test_scatter_of_the_narrow_optimum_widens_the_interval() -> None:
    def widths(scatter: float) -> float:
        valley = parabola(lambda w, s: 1.0 if w > 32 else scatter * (s - 1))
        _, low, high = interval(valley, 64, sizes=(32, 64))
        return high - low

    assert widths(0.4) > 2 * widths(0.01)


def test_an_optimum_at_the_edge_leaves_the_interval_open() -> None:
    wide = interval(parabola(lambda w, s: 5.0 if w == 128 else 0.0))
    assert wide.high == np.inf and np.isfinite(wide.low)
    narrow = interval(parabola(lambda w, s: 5.0 if w == 32 else 0.0))
    assert (narrow.low, narrow.high) == (-np.inf, np.inf)


def test_one_seed_takes_its_scatter_from_what_is_assumed() -> None:
    valley = parabola(lambda w, s: np.log2(w / 64))
    one, three = (interval(valley, seeds=range(n)) for n in (1, 3))
    assert one.value > 0
    assert one.high - one.low > 2 * (three.high - three.low)


def test_losses_of_any_sign_have_a_regret() -> None:
    def loss(width: int, seed: int, rate: float) -> float:
        return 0.1 * (rate - np.log2(width / 64) - 0.01 * seed) ** 2 - 1

    value, low, high = interval(loss)
    assert value == pytest.approx(0.4, abs=0.02)
    assert low < 0.4 < high


def test_another_reference_may_be_named() -> None:
    runs = make_runs(parabola(lambda w, s: np.log2(w / 64) + 0.01 * s))
    found = {r.sweep.size: r for r in regrets(list(sweeps(runs)), {"width": 128})}
    assert [size for size, own in found.items() if own.is_reference] == [128]
    assert found[32].loss.value > found[64].loss.value > 0


def test_nothing_is_claimed_where_everything_diverged() -> None:
    found = by_size(lambda w, s, lr: np.inf).values()
    assert np.isnan([own.loss.value for own in found]).all()


def test_losses_below_zero_are_given_up_in_their_own_unit_and_have_no_shares() -> None:
    valley = parabola(lambda w, s: 0.5 * np.log2(w / 64) + 0.02 * (s - 1))
    found = by_size(lambda w, s, x: valley(w, s, x) - 3)
    assert found[128].loss.value == pytest.approx(np.exp(-0.9) - np.exp(-1), rel=0.05)
    assert all(np.isnan(own.relative) for own in found.values())
    # Nor has a size whose own losses are above zero, where another's are not.
    crossing = by_size(lambda w, s, x: valley(w, s, x) - 3 * (w == 32))
    assert np.isnan(crossing[128].relative) and np.isfinite(crossing[128].loss.value)
