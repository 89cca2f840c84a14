"""The reduced model of progressive sharpening and self-stabilisation, against known numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lrtransfer.theory.edge_of_stability import (
    Drift,
    Rule,
    Trajectory,
    constant_rate,
    fixed_excess,
    jacobian,
    sharpening_law,
    simulate,
    simulate_normalised,
    spiral,
)

CONSTANT = Drift(sharpening=3e-2, stabilisation=3e-1)
TUNED = Drift(sharpening=1.0, stabilisation=0.5)


def constant(displacement: float, sharpness: float, steps: int = 1000) -> Trajectory:
    return simulate(
        constant_rate(1.0), CONSTANT, displacement=displacement, sharpness=sharpness, steps=steps
    )


@pytest.mark.parametrize("rule", [constant_rate(1.0), fixed_excess(-0.1)])
def test_both_forms_of_the_model_agree(rule: Rule) -> None:
    one = simulate(rule, CONSTANT, displacement=0.3, sharpness=1.9, steps=60)
    rate = float(one.rate[0])
    other = simulate_normalised(
        rule,
        CONSTANT,
        energy=0.09,
        excess=rate * 1.9 - 2,
        rate=rate,
        steps=60,
    )
    np.testing.assert_allclose(other.sharpness, one.sharpness, rtol=1e-9)
    np.testing.assert_allclose(other.rate, one.rate, rtol=1e-9)
    np.testing.assert_allclose(other.log_energy, one.log_energy, rtol=0, atol=1e-7)
    np.testing.assert_allclose(other.excess, one.rate * one.sharpness - 2, atol=1e-9)


def test_below_the_edge_the_energy_falls_geometrically_and_sharpness_grows_like_root_t() -> None:
    path = simulate(fixed_excess(-0.1), TUNED, displacement=1, sharpness=1.9, steps=1000)
    times = np.arange(1001.0)
    np.testing.assert_allclose(path.log_energy, times * math.log(0.81), atol=1e-9)
    assert path.sharpness[100] == pytest.approx(19.4292, abs=5e-5)
    assert path.sharpness[999] == pytest.approx(61.611, abs=5e-4)
    assert path.rate[999] == pytest.approx(0.030839, abs=5e-7)
    assert path.energy[100] == pytest.approx(7.055e-10, rel=1e-4)
    law = sharpening_law(times, sharpness=1.9, drift=TUNED, excess=-0.1)
    assert law[999] == pytest.approx(61.64, abs=5e-3)
    np.testing.assert_allclose(path.sharpness[500:], law[500:], rtol=2e-3)


def test_first_iterates_at_a_constant_rate() -> None:
    path = constant(0.3, 2.0, steps=4)
    expected = np.array([0.3, 0.3, 0.3009, 0.3027054, 0.3053806])
    np.testing.assert_allclose(np.sqrt(path.energy), expected, atol=5e-8)
    np.testing.assert_allclose(
        path.sharpness, [2, 2.003, 2.006, 2.008837757, 2.011348589], atol=5e-10
    )


def test_the_fixed_point_of_a_constant_rate_stays() -> None:
    at = math.sqrt(CONSTANT.resting_energy)
    path = constant(at, 2.0, steps=50)
    np.testing.assert_allclose(path.energy, 0.1, rtol=1e-12)
    np.testing.assert_allclose(path.excess, 0.0, atol=1e-12)


def test_the_jacobian_is_the_derivative_of_the_map() -> None:
    rate, h = 0.7, 1e-6
    at = np.array([CONSTANT.resting_energy, 0.0])

    def step(state: np.ndarray) -> np.ndarray:
        path = simulate_normalised(
            constant_rate(rate),
            CONSTANT,
            energy=float(state[0]),
            excess=float(state[1]),
            rate=rate,
            steps=1,
        )
        return np.array([path.energy[1], path.excess[1]])

    columns = [(step(at + h * e) - step(at - h * e)) / (2 * h) for e in np.eye(2)]
    np.testing.assert_allclose(jacobian(rate, CONSTANT), np.column_stack(columns), atol=1e-8)


def test_the_fixed_point_is_an_unstable_spiral() -> None:
    growth, period = spiral(1.0, CONSTANT)
    values = np.linalg.eigvals(jacobian(1.0, CONSTANT))
    np.testing.assert_allclose(np.sort(values.imag), [-math.sqrt(0.06), math.sqrt(0.06)])
    np.testing.assert_allclose(np.abs(values), growth)
    assert growth == pytest.approx(1.02956, abs=5e-6)
    assert period == pytest.approx(26.16, abs=5e-3)
    assert growth**period == pytest.approx(2.14, abs=5e-3)


def test_a_constant_rate_hovers_at_the_edge_before_it_diverges() -> None:
    path = constant(0.3, 2.0)
    away = np.abs(path.sharpness - 2)
    assert away[:31].max() < 0.024
    assert 0.23 < away[:101].max() < 0.25
    assert path.diverged
    assert int(np.argmax(away > 5)) == pytest.approx(185, abs=5)


@pytest.mark.parametrize(
    ("energy", "sharpness", "expected"),
    [(0.01, 1.9, 85)]
    + [(p, 1.5, 58) for p in (1e-4, 0.01, 0.09, 0.1, 0.11, 0.2)]
    + [(0.05, 1.5, 211)],
)
def test_every_other_start_diverges(energy: float, sharpness: float, expected: int) -> None:
    path = constant(math.sqrt(energy), sharpness)
    assert path.diverged
    assert len(path.rate) == pytest.approx(expected, abs=8)


def test_the_semi_implicit_variant_stays_bounded() -> None:
    path = simulate(
        constant_rate(1.0),
        CONSTANT,
        displacement=0.01,
        sharpness=1.9,
        steps=20_000,
        semi_implicit=True,
    )
    assert not path.diverged
    assert path.sharpness.min() == pytest.approx(1.595, abs=5e-4)
    assert path.sharpness.max() == pytest.approx(2.469, abs=5e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Drift(0.0, 1.0), "sharpening is 0"),
        (lambda: fixed_excess(-2.0), "excess is -2"),
        (lambda: constant(0.0, 1.0), "displacement is 0"),
        (lambda: constant(1.0, 1.0, steps=-1), "steps is -1"),
        (
            lambda: simulate_normalised(
                constant_rate(1), CONSTANT, energy=0, excess=0, rate=1, steps=1
            ),
            "both must be positive",
        ),
    ],
)
def test_what_has_no_meaning_is_refused(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
