import math
from collections.abc import Iterable

import numpy as np
import pytest

from lrtransfer.study.evidence.consistency import (
    Distance,
    consistency,
    distance,
    distances,
    fit_distance,
)
from lrtransfer.study.evidence.measured import Curves, measured_curves, quantity_curves
from lrtransfer.transfer.rules import Above, Below, Rule
from lrtransfer.transfer.size import POOLED
from tests.transfer.frames import Array, Quantity, make_curves, make_runs, parabola

from .rows import shown, stored

STEPS = [0, 1, 2, 4, 8, 16, 32, 64]
JITTER = {0: 0.9, 1: 1.0, 2: 1.1, 3: 1.05}


def curves_of(
    function: Quantity,
    *,
    sizes: tuple[int, ...] = (32, 64, 128),
    seeds: tuple[int, ...] = (0, 1, 2),
    steps: Iterable[int] = STEPS,
) -> Curves:
    runs = make_runs(parabola(lambda w, s: 0.0), sizes=sizes, seeds=seeds)
    measured = measured_curves(runs, make_curves(runs, steps, sharpness=function))
    return next(quantity_curves(measured, "sharpness"))


def power_law(width: int, seed: int, t: Array) -> Array:
    """10 at the widest net, below it by (32 / width)·t^0.7·jitter elsewhere."""
    return 10.0 - (width < 128) * 32 / width * JITTER[seed] * t**0.7


def test_fit_agrees_with_polyfit_and_skips_step_zero() -> None:
    t = np.array([0.0, 1, 3, 10, 50])
    g = np.array([99.0, 1, 2.5, 4, 30])
    fit = fit_distance(t, 10 + g, np.full(5, 10.0))
    beta, log_a = np.polyfit(np.log(t[1:]), np.log(g[1:]), 1)
    assert fit.beta == pytest.approx(beta)
    assert fit.log_a == pytest.approx(log_a)


def test_zeros_and_gaps_are_left_out_of_the_slope() -> None:
    t = np.array([1.0, 2, 4, 8, 16, 32])
    g = t**0.5
    g[1], g[3] = 0.0, np.nan
    assert fit_distance(t, 10 + g, np.full(6, 10.0)).beta == pytest.approx(0.5)


def test_two_points_are_too_few_for_a_slope() -> None:
    assert np.isnan(fit_distance(np.array([1.0, 2]), np.array([3.0, 4]), np.zeros(2)).beta)


def test_planted_power_law_is_found_per_width_and_said_to_be_noisy() -> None:
    rows = stored(consistency(curves_of(power_law)))
    beta = shown(rows, "distance_exponent", "size")
    assert beta.index.tolist() == [32, 64]
    np.testing.assert_allclose(beta["value"], 0.7, atol=1e-9)
    assert beta["note"].str.contains("noise").all()
    scale = shown(rows, "distance_scale", "size")
    assert scale.loc[32, "value"] == pytest.approx(
        np.mean(np.log([JITTER[seed] for seed in range(3)]))
    )


def test_the_distance_is_the_root_mean_square_over_log_time_and_sizes() -> None:
    def apart(width: int, seed: int, t: Array) -> Array:
        return 10.0 + {32: 3.0, 64: 1.0, 128: 0.0}[width] * np.where(t < 8, 0.5, 1.0)

    rows = stored(consistency(curves_of(apart)))
    overlap = shown(rows, "overlap", "size")["value"]
    # Steps 1, 2, 4 stand for 2.5 octaves of the six, the others for 3.5.
    share = math.sqrt((2.5 * 0.25 + 3.5) / 6)
    assert overlap.to_dict() == pytest.approx(
        {32: 0.3 * share, 64: 0.1 * share, POOLED: math.sqrt(0.05) * share}
    )
    growth = shown(rows, "distance_growth", "size")["value"]
    assert growth[32] == pytest.approx(0.3 * math.sqrt(0.75))
    assert rows.rows("overlap")["n_sizes"].tolist() == [1, 1, 3]


def test_a_distance_that_shrinks_has_a_negative_growth() -> None:
    rows = consistency(curves_of(lambda w, s, t: 10 + (w < 128) / (1 + t)))
    assert (shown(rows, "distance_growth")["value"] < 0).all()


def test_what_nets_of_one_seed_share_is_no_distance() -> None:
    def shared(width: int, seed: int, t: Array) -> Array:
        return 10.0 * (1 + 0.3 * (seed - 1) * np.cos(t)) + (width < 128)

    found = shown(consistency(curves_of(shared)), "overlap", "size").loc[POOLED]
    assert found["value"] == pytest.approx(0.1, abs=0.01)
    assert 0.08 < found["ci_low"] < found["ci_high"] < 0.12


def test_a_seed_is_left_out_of_all_sizes_and_the_reference_at_once() -> None:
    rng = np.random.default_rng(3)
    noise = {(w, s): rng.normal(size=len(STEPS)) for w in (32, 64, 128) for s in range(4)}

    def value(seeds: tuple[int, ...]) -> float:
        curves = curves_of(lambda w, s, t: 10 + noise[w, s], seeds=seeds)
        found = stored(consistency(curves)).one("overlap", size=POOLED)
        assert found is not None
        return math.copysign(found.value**2, found.value)

    row = stored(consistency(curves_of(lambda w, s, t: 10 + noise[w, s], seeds=(0, 1, 2, 3))))
    found = row.one("overlap", size=POOLED)
    assert found is not None
    rest = [value(tuple(s for s in range(4) if s != left)) for left in range(4)]
    assert found.parts[0].variance == pytest.approx(3 / 4 * np.sum((rest - np.mean(rest)) ** 2))
    pseudo = [4 * value((0, 1, 2, 3)) - 3 * other for other in rest]
    assert [unit.value for unit in found.units] == pytest.approx(pseudo)


def test_distance_is_to_the_seed_mean_of_the_largest_net() -> None:
    def value(width: int, seed: int, t: Array) -> Array:
        return np.full(len(t), 5.0) if width < 128 else np.full(len(t), 6.0 + seed)

    table = distances(curves_of(value))
    assert set(table["size"]) == {32, 64}
    np.testing.assert_allclose(table["distance"], 2.0)
    assert len(table) == 2 * 3 * len(STEPS)
    assert table["step"].dtype == int


def test_a_reference_seed_that_ended_early_is_left_out_and_not_the_steps_of_all() -> None:
    def cut(width: int, seed: int, t: Array) -> Array:
        gone = (width == 128) & (seed == 0) & (t > 16)
        return np.where(gone, np.nan, power_law(width, seed, t))

    assert distances(curves_of(cut))["step"].max() == STEPS[-1]
    beta = shown(consistency(curves_of(cut)), "distance_exponent", "size")["value"]
    assert beta[32] == pytest.approx(0.7)
    rows = shown(consistency(curves_of(cut, seeds=(0, 1, 2, 3))), "overlap", "size")
    assert rows["n_seeds"].to_dict() == {32: 3, 64: 3, POOLED: 3}


def test_a_run_that_ended_early_is_left_out_where_it_is_and_where_sizes_are_pooled() -> None:
    def cut(width: int, seed: int, t: Array) -> Array:
        gone = (width == 32) & (seed == 0) & (t > 16)
        return np.where(gone, np.nan, power_law(width, seed, t))

    rows = shown(consistency(curves_of(cut, seeds=(0, 1, 2, 3))), "overlap", "size")
    assert rows["n_seeds"].to_dict() == {32: 3, 64: 4, POOLED: 3}
    assert rows["ci_high"].notna().all()


def test_one_width_has_no_rows_one_seed_no_distance_and_two_no_interval() -> None:
    alone = curves_of(power_law, sizes=(128,))
    assert list(consistency(alone)) == [] and distances(alone).empty
    for seeds, known in (((0,), False), ((0, 1), True)):
        rows = stored(consistency(curves_of(power_law, seeds=seeds)))
        for statistic in ("overlap", "distance_growth"):
            found = shown(rows, statistic)
            assert found["value"].notna().all() == known
            assert found[["ci_low", "ci_high"]].isna().all(axis=None)


GEOMETRIC = np.unique(np.round(np.geomspace(1, 256, 23)))


def simulated(
    apart: float,
    noise: float,
    *,
    growth: float = 0.0,
    shared: float = 0.0,
    seeds: int = 3,
    together: bool = True,
    n: int = 200,
) -> list[Distance]:
    """Studies of three sizes, each half as far away as the last, with noise that lasts in time."""
    rng = np.random.default_rng(2)

    def curves(*shape: int) -> Array:
        amplitudes = rng.normal(size=(*shape, seeds, 4, 1))
        waves = np.cos(np.arange(4)[:, None] * np.log(GEOMETRIC))
        return noise / 2 * (amplitudes * waves).sum(axis=-2)

    scale = apart * (GEOMETRIC / GEOMETRIC[-1]) ** growth
    steps = 2.0 ** -np.arange(3)[:, None, None]
    studies = []
    for _ in range(n):
        common = math.sqrt(shared) * curves()
        own, other = (common + math.sqrt(1 - shared) * curves(*shape) for shape in ((3,), ()))
        values, reference = 3 * (1 + steps * scale) * (1 + own), 3 * (1 + other)
        names = list(range(seeds))
        studies.append(distance(GEOMETRIC, values, reference, names, together=together))
    return studies


def supported(found: list[Distance], of: str, rule: Rule) -> float:
    return float(np.mean([getattr(d, of).verdict(rule, 0.95) == "supported" for d in found]))


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("seeds", [3, 5])
def test_equal_nets_are_no_distance_apart_and_nothing_grows_or_falls(
    seeds: int, together: bool
) -> None:
    found = simulated(0.0, 0.2, seeds=seeds, together=together)
    squares = [math.copysign(d.overlap.value**2, d.overlap.value) for d in found]
    assert np.mean(squares) == pytest.approx(0, abs=0.002), "the raw square is 0.02"
    assert supported(found, "overlap", Above(0)) <= 0.05
    assert supported(found, "distance_growth", Above(0)) <= 0.05
    assert supported(found, "distance_growth", Below(0)) <= 0.05


def test_equal_nets_of_the_same_seeds_are_said_to_be_the_same() -> None:
    assert supported(simulated(0.0, 0.2, shared=0.7), "overlap", Below(0.25)) > 0.6
    assert supported(simulated(0.0, 0.2, shared=0.7, seeds=5), "overlap", Below(0.25)) > 0.95


@pytest.mark.parametrize("seeds", [3, 5])
def test_intervals_cover_a_distance_and_its_growth(seeds: int) -> None:
    found = simulated(0.4, 0.03, growth=0.5, seeds=seeds)
    (exact,) = simulated(0.4, 0.0, growth=0.5, seeds=seeds, n=1)
    for own, truth in zip(zip(*found, strict=True), exact, strict=True):
        limits = [estimate.interval(0.95) for estimate in own]
        inside = [i.low <= truth.value <= i.high for i in limits]
        assert np.mean(inside) >= 0.93
    assert supported(found, "distance_growth", Above(0)) > 0.8
