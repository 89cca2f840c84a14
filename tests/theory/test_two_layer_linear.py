"""The (w, e, v) recursion against gradient descent on real weights, and its initial moments."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import pytest
import torch

from lrtransfer.study.models.two_layer_linear import TwoLayerLinear
from lrtransfer.study.plan.catalog import load
from lrtransfer.theory import two_layer_linear as theory
from lrtransfer.theory.two_layer_linear import Array, Scaling, State

PAPER_TARGET = np.ones(100)
WIDTHS = (64, 256, 1024, 4096)
FORMS = {
    "mup": theory.mup(64, 6),
    "ntp": theory.ntp(64, 6),
    "sp": theory.sp(64, 6),
    "between": theory.output_scaled(64, 6, gamma=3.0),
}


def start(scaling: Scaling, seed: int = 0) -> State:
    """Return a random first state."""
    return theory.state_of(*theory.draw(scaling, np.random.default_rng(seed)), scaling)


def last(state: State, target: Array, rate: float, coupling: float, steps: int) -> State:
    """Return the state at the end of a run."""
    return deque(theory.run(state, target, rate, coupling, steps), maxlen=1).pop()


def assert_equal(found: State, expected: State, tolerance: float = 1e-12) -> None:
    """Compare two states, each part relative to its own size."""
    for a, b in ((found.w, expected.w), (found.e, expected.e), (found.v, expected.v)):
        assert np.abs(a - b).max() <= tolerance * max(1.0, np.abs(b).max())


@pytest.mark.parametrize("form", FORMS)
def test_the_recursion_is_gradient_descent_on_both_matrices(form: str) -> None:
    scaling = FORMS[form]
    eta0 = 0.01 if form == "sp" else 0.7
    target = np.ones(6)
    first, second = theory.draw(scaling, np.random.default_rng(1))
    m, rate = scaling.multiplier, eta0 * scaling.rate
    moved = 0.0
    begin = theory.state_of(first, second, scaling)
    for state in theory.run(begin, target, eta0, scaling.coupling, 30):
        assert_equal(state, theory.state_of(first, second, scaling))
        moved = max(moved, np.abs(state.e - begin.e).max())
        r = m * first @ second - target
        gradients = m * np.outer(r, second), m * first.T @ r
        first, second = first - rate * gradients[0], second - rate * gradients[1]
    assert theory.loss(state, target) < 0.1 * theory.loss(begin, target)
    assert moved > 1e-3


def test_the_coupling_of_mup_holds_no_width_and_that_of_ntp_vanishes_with_it() -> None:
    for width in WIDTHS:
        assert theory.mup(width, 100).coupling == pytest.approx(1 / 100, rel=1e-12)
        assert theory.ntp(width, 100).coupling == pytest.approx(1 / (100 * width), rel=1e-12)
        assert theory.sp(width, 100).coupling == 1


@pytest.mark.parametrize(("width", "gamma"), [(8, math.sqrt(8)), (32, 1.0)])
def test_the_packages_model_on_its_data_set_follows_the_recursion(width: int, gamma: float) -> None:
    made = load("data", "linear_target")(dimension=16)
    arrays = made.arrays(made.read())
    x, y = (torch.from_numpy(arrays[f"train_{part}"]).double() for part in ("inputs", "targets"))
    model = TwoLayerLinear(in_features=16, out_features=1, width=width).double()
    scaling = theory.output_scaled(width, 16, gamma)
    drawn = theory.draw(scaling, np.random.default_rng(2))
    with torch.no_grad():
        model.embed.weight.copy_(torch.from_numpy(drawn[0].T))
        model.readout.weight.copy_(torch.from_numpy(drawn[1]))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3 * gamma**2)
    begin = theory.state_of(*drawn, scaling)
    for state in theory.run(begin, np.ones(16), 0.3, scaling.coupling, 30):
        first, second = model.embed.weight.T, model.readout.weight[0]
        assert_equal(
            state, theory.state_of(first.detach().numpy(), second.detach().numpy(), scaling)
        )
        outputs = model.readout(model.embed(x) / math.sqrt(16)) / (gamma * math.sqrt(width))
        loss = 0.5 * (outputs - y).square().sum(-1).mean()
        assert loss.item() == pytest.approx(theory.loss(state, np.ones(16)), rel=1e-12, abs=1e-13)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert theory.loss(state, np.ones(16)) < 0.1 * theory.loss(begin, np.ones(16))


def best_rate(scaling: Scaling, rates: tuple[float, ...], seed: int) -> float:
    """Return the η₀ with the least loss after 10 steps."""
    begin = start(scaling, seed)
    ends = (last(begin, PAPER_TARGET, rate, scaling.coupling, 10) for rate in rates)
    return rates[int(np.nanargmin([theory.loss(end, PAPER_TARGET) for end in ends]))]


@pytest.mark.parametrize("seed", range(3))
def test_the_best_rate_at_step_10_stays_under_mup_and_grows_like_root_n_under_ntp(
    seed: int,
) -> None:
    mup_rates, ntp_rates = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8), (1, 2, 4, 8, 16, 32)
    for width, expected in zip(WIDTHS, (4, 8, 16, 32), strict=True):
        assert best_rate(theory.mup(width, 100), mup_rates, seed) in (0.6, 0.7)
        assert best_rate(theory.ntp(width, 100), ntp_rates, seed) == expected


@pytest.mark.parametrize("form", FORMS)
def test_moments_over_many_draws_are_those_of_the_propositions(form: str) -> None:
    """Each mean of 4,000 draws lies within 5 of its standard errors, each below a tenth of it."""
    scaling = FORMS[form]
    states = [start(scaling, seed) for seed in range(4000)]
    w = np.stack([s.w for s in states])
    e = np.stack([s.e for s in states])
    v = np.array([s.v for s in states])
    expected = theory.initial_moments(scaling)
    samples = {
        "w_mean": (w[:, 0], 0.0),
        "w_variance": (w[:, 0] ** 2, expected.w_variance),
        "e_mean": (e[:, 1, 1], expected.e_mean),
        "e_diagonal_variance": ((e[:, 1, 1] - expected.e_mean) ** 2, expected.e_diagonal_variance),
        "e_off_diagonal_mean": (e[:, 0, 1], 0.0),
        "e_off_diagonal_variance": (e[:, 0, 1] ** 2, expected.e_off_diagonal_variance),
        "v_mean": (v, expected.v_mean),
        "v_variance": ((v - expected.v_mean) ** 2, expected.v_variance),
    }
    for name, (drawn, value) in samples.items():
        error = drawn.std(ddof=1) / math.sqrt(len(drawn))
        assert abs(drawn.mean() - value) < 5 * error, name
        assert value == 0 or error < 0.1 * value, name


def test_the_moments_are_the_papers_numbers() -> None:
    n, d, gamma = 64, 6, 3.0
    made = theory.initial_moments(FORMS["between"])
    paper = (1 / (d * gamma**2), 1 / d, 2 / (n * d**2), 1 / (n * d**2), 1 / d, 2 / (n * d**2))
    assert tuple(vars(made).values()) == pytest.approx(paper, rel=1e-12)
    standard = theory.initial_moments(FORMS["sp"])
    assert tuple(vars(standard).values()) == pytest.approx(
        (1 / d, n / d, 2 * n / d**2, n / d**2, 1, 2 / n), rel=1e-12
    )


def test_a_divergent_run_ends_in_numbers_that_are_not_finite() -> None:
    scaling = theory.ntp(64, 100)
    end = last(start(scaling), PAPER_TARGET, 32.0, scaling.coupling, 200)
    assert not end.is_finite
    assert not math.isfinite(theory.loss(end, PAPER_TARGET))


def test_a_run_yields_its_start_and_every_step() -> None:
    scaling = theory.mup(4, 3)
    states = list(theory.run(start(scaling), np.ones(3), 0.1, scaling.coupling, 2))
    assert len(states) == 3
    assert states[0].v == start(scaling).v
    assert states[2].v == theory.step(states[1], np.ones(3), 0.1, scaling.coupling).v


def test_impossible_arguments_are_refused() -> None:
    scaling = theory.mup(4, 3)
    first, second = theory.draw(scaling, np.random.default_rng(0))
    for form in (theory.mup, theory.ntp, theory.sp):
        for sizes in ((0, 3), (4, 0), (-4, 3)):
            with pytest.raises(ValueError, match=f"width is {sizes[0]} and dimension {sizes[1]};"):
                form(*sizes)
    for gamma in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match=f"gamma is {gamma}; give a positive number"):
            theory.output_scaled(4, 3, gamma)
    with pytest.raises(ValueError, match="rate is 0; give a positive number"):
        Scaling(4, 3, 1.0, 0)
    with pytest.raises(ValueError, match=r"do not fit; give \(3, 4\) and \(4,\)"):
        theory.state_of(first.T, second, scaling)
    with pytest.raises(ValueError, match=r"do not fit"):
        theory.state_of(first, second[:3], scaling)
    with pytest.raises(ValueError, match=r"target has shape \(1,\); give \(3,\)"):
        theory.step(start(scaling), np.ones(1), 0.1, scaling.coupling)
    with pytest.raises(ValueError, match="steps is -1; give at least 0"):
        list(theory.run(start(scaling), np.ones(3), 0.1, scaling.coupling, -1))
