"""CDAT's exact invariants (Roulet et al. 2024) and its safeguards."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lrtransfer.optim.optax_rmsprop import OptaxRMSProp
from lrtransfer.optim.tuners.cdat import CDAT
from lrtransfer.optim.tuners.greedy import TUNER as GREEDY

from .problems import Base, Quadratic, adam, batch, flat, loss_of, momentum, network, sgd

spectra = st.lists(st.floats(0.01, 100.0), min_size=3, max_size=6)
sigmas = st.floats(0.1, 3.0)
seeds = st.integers(0, 10_000)
bases = st.sampled_from([sgd, momentum, adam])
quick = settings(max_examples=25, deadline=None)


@quick
@given(spectra, sigmas, seeds, bases)
def test_on_a_quadratic_loss_a_step_changes_it_by_the_closed_form(
    spectrum: list[float], sigma: float, seed: int, base: Base
) -> None:
    problem = Quadratic(spectrum, seed)
    tuner = CDAT(base(problem.parameters), sigma=sigma)
    for _ in range(3):
        before = problem.loss().item()
        tuner.step(problem.loss)
        gain = tuner.numerator**2 / tuner.denominator * sigma * (1 - sigma / 2)
        assert problem.loss().item() - before == pytest.approx(-gain, rel=1e-8, abs=1e-9 * before)


@quick
@given(spectra, sigmas, seeds)
def test_the_rate_is_at_least_sigma_over_sharpness(
    spectrum: list[float], sigma: float, seed: int
) -> None:
    problem = Quadratic(spectrum, seed)
    tuner = CDAT(sgd(problem.parameters), sigma=sigma)
    tuner.step(problem.loss)
    assert tuner.learning_rate is not None
    assert tuner.learning_rate * max(spectrum) >= sigma * (1 - 1e-9)
    assert tuner.learning_rate * min(spectrum) <= sigma * (1 + 1e-9)


@quick
@given(spectra, seeds)
def test_the_rate_is_at_least_two_over_the_preconditioned_sharpness(
    spectrum: list[float], seed: int
) -> None:
    problem = Quadratic(spectrum, seed)
    gradient = problem.gradient()
    tuner = CDAT(OptaxRMSProp(problem.parameters), sigma=2.0)
    tuner.step(problem.loss)
    root = (1e-3 * gradient.square() + 1e-8).sqrt().rsqrt()
    sharpness = torch.linalg.eigvalsh(root[:, None] * problem.hessian * root)[-1].item()
    assert tuner.learning_rate is not None
    assert tuner.learning_rate * sharpness >= 2 * (1 - 1e-9)


def test_along_the_top_eigenvector_the_rate_is_sigma_over_sharpness() -> None:
    problem = Quadratic([1.0, 4.0, 30.0])
    top = torch.linalg.eigh(problem.hessian).eigenvectors[:, -1]
    with torch.no_grad():
        problem.parameters[0].copy_(top[:2])
        problem.parameters[1].copy_(top[2:])
    tuner = CDAT(sgd(problem.parameters), sigma=1.7)
    tuner.step(problem.loss)
    assert tuner.learning_rate == pytest.approx(1.7 / 30, rel=1e-12)


@quick
@given(st.floats(1e-3, 1e3), seeds, bases)
def test_the_step_does_not_depend_on_the_length_of_the_direction(
    factor: float, seed: int, base: Base
) -> None:
    one, other = Quadratic([1.0, 5.0, 20.0], seed), Quadratic([1.0, 5.0, 20.0], seed)
    plain, scaled = base(one.parameters), base(other.parameters)
    for group in scaled.param_groups:
        group["lr"] = factor
    tuners = CDAT(plain), CDAT(scaled)
    for _ in range(3):
        for tuner, problem in zip(tuners, (one, other), strict=True):
            tuner.step(problem.loss)
    torch.testing.assert_close(one.point, other.point, rtol=1e-9, atol=1e-12)
    rates = [tuner.learning_rate for tuner in tuners]
    assert rates[0] == pytest.approx(factor * rates[1], rel=1e-9)  # type: ignore[operator]


@quick
@given(st.floats(1e-3, 1e3), seeds)
def test_the_rate_does_not_depend_on_a_factor_of_the_loss_of_adam(factor: float, seed: int) -> None:
    # Of the loss in g and H at one u; Adam's u has no factor (up to its ε), SGD's does.
    one, other = Quadratic([1.0, 5.0, 20.0], seed), Quadratic([1.0, 5.0, 20.0], seed)
    tuners = CDAT(adam(one.parameters)), CDAT(adam(other.parameters))
    tuners[0].step(one.loss)
    tuners[1].step(lambda: factor * other.loss())
    assert tuners[0].learning_rate == pytest.approx(tuners[1].learning_rate, rel=1e-4)


def test_on_the_edge_the_loss_of_a_quadratic_stays_for_ever() -> None:
    problem = Quadratic([0.5, 1.0, 3.0, 10.0])
    tuner = CDAT(sgd(problem.parameters), sigma=2.0)
    losses = [tuner.step(problem.loss).item() for _ in range(200)]
    assert max(losses) - min(losses) < 1e-9 * losses[0]


def test_greedy_is_the_cauchy_step() -> None:
    problem = Quadratic([0.5, 1.0, 3.0, 10.0], linear=1.0)
    tuner = GREEDY(sgd(problem.parameters))
    for _ in range(5):
        w, g = problem.point, problem.gradient()
        rate = (g @ g) / (g @ problem.hessian @ g)
        tuner.step(problem.loss)
        torch.testing.assert_close(problem.point, w - rate * g, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("sigma", "falls"), [(0.1, True), (1.9, True), (2.0625, False)])
def test_the_loss_of_a_quadratic_falls_below_the_edge_and_grows_beyond(
    sigma: float, falls: bool
) -> None:
    problem = Quadratic([0.5, 1.0, 3.0, 10.0])
    tuner = CDAT(sgd(problem.parameters), sigma=sigma)
    losses = [tuner.step(problem.loss).item() for _ in range(50)]
    changes = [after < before for before, after in pairwise(losses)]
    assert all(changes) if falls else not any(changes)


def test_averages_of_numerator_and_denominator_are_kept_apart() -> None:
    model, data, beta = network(), batch(), 0.9
    raw = CDAT(sgd(model.parameters()), decay=0.0)
    values = []
    reference = network()
    tuner = CDAT(sgd(reference.parameters()), decay=beta)
    n = d = 0.0
    for step in range(1, 6):
        # The same weights for both: raw n and d at the averaged tuner's point.
        model.load_state_dict(reference.state_dict())
        raw.step(loss_of(model, data))
        tuner.step(loss_of(reference, data))
        n, d = (1 - beta) * raw.numerator + beta * n, (1 - beta) * raw.denominator + beta * d
        debiased = (n / (1 - beta**step)) / (d / (1 - beta**step))
        values.append((tuner.numerator, tuner.denominator, tuner.learning_rate))
        assert values[-1] == pytest.approx((n, d, 2 * debiased), rel=1e-9)


def test_an_ascent_direction_is_not_taken() -> None:
    problem = Quadratic([1.0, 2.0, 3.0])
    base = momentum(problem.parameters)
    tuner = CDAT(base, sigma=0.5)
    tuner.step(problem.loss)
    for p in problem.parameters:
        base.state[p]["momentum_buffer"].mul_(-100)
    before = problem.point
    tuner.step(problem.loss)
    assert (tuner.learning_rate, tuner.numerator) == (0.0, 0.0)
    assert torch.equal(problem.point, before)
    assert tuner.directional_sharpness < 0


def test_zero_over_zero_is_zero() -> None:
    weight = nn.Parameter(torch.zeros(3, dtype=torch.float64))
    tuner = CDAT(sgd([weight]))
    tuner.step(lambda: (weight**2).sum())
    assert tuner.learning_rate == 0.0
    assert math.isnan(tuner.directional_sharpness)
    assert weight.tolist() == [0, 0, 0]


def test_negative_curvature_counts_by_its_size() -> None:
    problem = Quadratic([-1.0, -2.0, -4.0])
    tuner = CDAT(sgd(problem.parameters), sigma=1.0)
    g = problem.gradient()
    tuner.step(problem.loss)
    assert tuner.learning_rate == pytest.approx(float(-(g @ g) / (g @ problem.hessian @ g)))
    assert tuner.directional_sharpness < 0


def test_a_flat_direction_has_no_edge() -> None:
    weight = nn.Parameter(torch.ones(2, dtype=torch.float64))
    with pytest.raises(RuntimeError, match="give max_learning_rate"):
        CDAT(sgd([weight])).step(lambda: weight.sum())
    assert weight.tolist() == [1, 1]
    caps: list[dict[str, Any]] = [{"max_learning_rate": 0.25}, {"initial_learning_rate": 0.25}]
    for cap in caps:
        capped = CDAT(sgd([weight]), **cap)
        capped.step(lambda: weight.sum())
        assert capped.learning_rate == 0.25
    later = CDAT(sgd([weight]))
    later.step(lambda: (weight**2).sum())
    later.step(lambda: weight.sum())
    assert later.learning_rate == pytest.approx(1.0)


def test_eps_stands_in_for_curvature() -> None:
    weight = nn.Parameter(torch.ones(2, dtype=torch.float64))
    tuner = CDAT(sgd([weight]), sigma=2.0, eps=4.0)
    tuner.step(lambda: weight.sum())
    assert tuner.learning_rate == pytest.approx(2 * 2 / 4)


def test_caps_hold_the_rate_and_its_growth() -> None:
    weight = nn.Parameter(torch.ones(1, dtype=torch.float64))
    tuner = CDAT(sgd([weight]), sigma=1.5, max_learning_rate=5.0, max_growth=2.0)
    rates = []
    for curvature in (1.0, 0.1, 0.1, 0.1, 10.0, 0.001):
        tuner.step(lambda c=curvature: 0.5 * c * weight.square().sum())  # type: ignore[misc]
        rates.append(tuner.learning_rate)
    assert rates == pytest.approx([1.5, 3.0, 5.0, 5.0, 0.15, 0.3])


def test_the_first_rate_is_bounded_and_growth_starts_there() -> None:
    weight = nn.Parameter(torch.ones(1, dtype=torch.float64))
    tuner = CDAT(sgd([weight]), sigma=1.5, initial_learning_rate=0.25, max_growth=3.0)
    rates = []
    for curvature in (1.0, 1.0, 0.0, 1.0, 6.0):
        tuner.step(lambda c=curvature: 0.5 * c * weight.square().sum())  # type: ignore[misc]
        rates.append(tuner.learning_rate)
    assert rates[:3] == [0.25, 0.75, 0.0]
    assert rates[3:] == pytest.approx([1.5, 0.25])


def test_a_first_direction_that_ascends_leaves_the_bound_for_the_first_step_taken() -> None:
    weight = nn.Parameter(torch.ones(1, dtype=torch.float64))
    tuner = CDAT(sgd([weight]), initial_learning_rate=0.25)
    for factor in (0.0, 1.0, 1.0):
        tuner.step(lambda c=factor: 0.5 * c * weight.square().sum())  # type: ignore[misc]
    assert weight.item() == 0.75 * (1 - 2)


def test_a_bound_of_the_first_rate_that_is_not_reached_changes_nothing() -> None:
    plain, bounded = network(), network()
    tuners = (
        CDAT(adam(plain.parameters())),
        CDAT(adam(bounded.parameters()), initial_learning_rate=1e9),
    )
    for _ in range(4):
        for tuner, model in zip(tuners, (plain, bounded), strict=True):
            tuner.step(loss_of(model, batch()))
    assert torch.equal(flat(plain), flat(bounded))


def test_growth_from_the_first_rate_goes_on_after_loading() -> None:
    options: dict[str, Any] = {"initial_learning_rate": 2.0**-20, "max_growth": 1.25}
    model = network()
    tuner, other = (GREEDY(sgd(model.parameters()), **options) for _ in range(2))
    tuner.step(loss_of(model, batch()))
    other.load_state_dict(tuner.state_dict())
    other.step(loss_of(model, batch()))
    assert (tuner.learning_rate, other.learning_rate) == (2.0**-20, 1.25 * 2.0**-20)


def test_growth_is_counted_from_the_last_rate_above_zero() -> None:
    weight = nn.Parameter(torch.ones(1, dtype=torch.float64))
    tuner = CDAT(sgd([weight]), sigma=1.0, max_growth=2.0)
    tuner.step(lambda: 0.5 * 4 * (weight - 2).square().sum())
    tuner.step(lambda: 0 * weight.square().sum())
    assert tuner.learning_rate == 0
    tuner.step(lambda: 0.5 * 0.01 * weight.square().sum())
    assert tuner.learning_rate == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigma": 0.0}, "sigma is 0"),
        ({"decay": 1.0}, "decay is 1"),
        ({"eps": -1.0}, "eps is -1"),
        ({"max_learning_rate": 0.0}, "max_learning_rate is 0"),
        ({"max_growth": 1.0}, "max_growth is 1"),
        ({"initial_learning_rate": 0.0}, "initial_learning_rate is 0"),
        ({"initial_learning_rate": math.nan}, "initial_learning_rate is nan"),
        ({"curvature": "magic"}, "curvature is 'magic'"),
        ({"every": 0}, "every is 0"),
    ],
)
def test_options_out_of_range_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CDAT(sgd(network().parameters()), **options)  # type: ignore[arg-type]
