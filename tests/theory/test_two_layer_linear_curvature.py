"""Curvature from (w, e, v) against dense derivatives of the loss over all weights."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from lrtransfer.theory import two_layer_linear as theory
from lrtransfer.theory import two_layer_linear_curvature as curvature
from lrtransfer.theory.two_layer_linear import Array, Scaling, State

from .test_two_layer_linear import PAPER_TARGET, WIDTHS, last, start

SCALINGS = {
    "mup": theory.mup(7, 5),
    "ntp": theory.ntp(7, 5),
    "sp": theory.sp(7, 5),
    "wide input": theory.mup(3, 5),
    "one neuron": theory.output_scaled(1, 4, gamma=1.5),
}


def dense(first: Array, second: Array, scaling: Scaling, target: Array) -> tuple[Array, Array]:
    """Return the Jacobian of w, shape (D, N(D+1)), and the Hessian of the loss, by autograd."""
    size = first.size
    goal = torch.from_numpy(target)

    def outputs(weights: torch.Tensor) -> torch.Tensor:
        return scaling.multiplier * weights[:size].view(first.shape) @ weights[size:]

    def loss(weights: torch.Tensor) -> torch.Tensor:
        return 0.5 * (outputs(weights) - goal).square().sum()

    at = torch.from_numpy(np.concatenate([first.ravel(), second]))
    jacobian = torch.func.jacrev(outputs)(at).numpy()
    return jacobian, torch.func.hessian(loss)(at).numpy()


def descended(scaling: Scaling, target: Array, steps: int) -> tuple[Array, Array]:
    """Return E and V after gradient descent at a small rate."""
    first, second = theory.draw(scaling, np.random.default_rng(3))
    m, rate = scaling.multiplier, 0.05 * scaling.rate
    for _ in range(steps):
        r = m * first @ second - target
        first, second = (
            first - rate * m * np.outer(r, second),
            second - rate * m * first.T @ r,
        )
    return first, second


@pytest.mark.parametrize("steps", [0, 5, 40])
@pytest.mark.parametrize("name", SCALINGS)
def test_kernel_residual_and_sharpness_are_those_of_the_dense_hessian(
    name: str, steps: int
) -> None:
    scaling = SCALINGS[name]
    target = np.random.default_rng(4).normal(size=scaling.dimension)
    first, second = descended(scaling, target, steps)
    state = theory.state_of(first, second, scaling)
    jacobian, hessian = dense(first, second, scaling, target)
    kernel = scaling.rate * jacobian @ jacobian.T
    rest = np.linalg.eigvalsh(scaling.rate * (hessian - jacobian.T @ jacobian))
    exact = float(np.linalg.eigvalsh(scaling.rate * hessian)[-1])
    assert np.abs(curvature.ntk(state) - kernel).max() < 1e-13 * np.abs(kernel).max()
    top = curvature.ntk_sharpness(state)
    assert top == pytest.approx(np.linalg.eigvalsh(kernel)[-1], rel=1e-13)
    floor = curvature.residual_sharpness(state, target, scaling.coupling)
    assert floor == pytest.approx(rest[-1], rel=1e-11)
    assert floor == pytest.approx(-rest[0], rel=1e-11)
    found = curvature.sharpness(state, target, scaling.coupling)
    assert found == pytest.approx(exact, rel=1e-10)
    assert abs(found - top) <= floor * (1 + 1e-10)
    assert steps > 0 or found > 1.001 * top  # the kernel alone would not do


def aligned(sign: float, residual: float) -> tuple[Array, Array, Array]:
    """Return E and V of one neuron along the first axis, and a target along it."""
    first, second = sign * np.array([[1.0], [0.0], [0.0]]), np.array([1.0])
    return first, second, sign * np.array([1 - residual, 0.0, 0.0])


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("residual", [-3.0, -0.5, 0.0, 1e-9, 0.5, 3.0])
def test_sharpness_is_exact_where_weights_and_residual_are_aligned(
    sign: float, residual: float
) -> None:
    scaling = Scaling(1, 3, 1.0, 1.0)
    first, second, target = aligned(sign, residual)
    state = theory.state_of(first, second, scaling)
    exact = np.linalg.eigvalsh(dense(first, second, scaling, target)[1])[-1]
    assert curvature.sharpness(state, target, 1.0) == pytest.approx(exact, rel=1e-10)


def test_at_the_saddle_without_weights_the_sharpness_is_that_of_the_residual() -> None:
    nothing = State(np.zeros(3), np.zeros((3, 3)), 0.0)
    target = np.array([2.0, 1.0, 2.0])
    assert curvature.sharpness(nothing, target, 0.25) == pytest.approx(1.5, rel=1e-12)
    assert curvature.residual_sharpness(nothing, target, 0.25) == pytest.approx(1.5, rel=1e-14)
    assert curvature.ntk_sharpness(nothing) == 0


def at_minimum(scaling: Scaling) -> tuple[State, Array]:
    """Return a random kernel whose w is the target."""
    state = start(scaling)
    target = np.random.default_rng(5).normal(scale=1.5, size=scaling.dimension)
    return replace(state, w=target), target


def test_the_updates_jacobian_at_the_minimum_lacks_the_papers_extra_term() -> None:
    scaling, eta0, h = theory.mup(50, 4), 0.5, 1e-5
    state, target = at_minimum(scaling)
    columns = []
    for direction in np.eye(4):
        up, down = (
            theory.step(replace(state, w=target + s * direction), target, eta0, scaling.coupling).w
            for s in (h, -h)
        )
        columns.append((up - down) / (2 * h))
    expected = np.eye(4) - eta0 * curvature.ntk(state)
    assert np.abs(np.stack(columns, axis=1) - expected).max() < 1e-10
    assert eta0**2 * scaling.coupling * np.linalg.norm(target) ** 2 > 0.1


@pytest.mark.parametrize(("factor", "grows"), [(0.98, False), (1.02, True)])
def test_a_minimum_loses_stability_where_its_sharpness_crosses_the_edge(
    factor: float, grows: bool
) -> None:
    scaling = theory.mup(50, 4)
    state, target = at_minimum(scaling)
    top = curvature.sharpness(state, target, scaling.coupling)
    eta0 = factor * 2 / top
    assert (top > curvature.edge_of_stability(eta0)) == grows
    nearby = replace(state, w=target + 1e-9)
    end = last(nearby, target, eta0, scaling.coupling, 100)
    assert (theory.loss(end, target) > theory.loss(nearby, target)) == grows


def test_the_kernel_starts_alike_under_mup_and_ntp() -> None:
    for width, expected in zip(WIDTHS, (0.055, 0.036, 0.027, 0.023), strict=True):
        mup, ntp = (start(form(width, 100)) for form in (theory.mup, theory.ntp))
        assert curvature.ntk_sharpness(mup) == pytest.approx(expected, rel=0.05)
        assert curvature.ntk_sharpness(ntp) == pytest.approx(
            curvature.ntk_sharpness(mup), rel=1e-12
        )


@pytest.mark.parametrize("width", WIDTHS)
def test_under_mup_training_ends_at_sharpness_2_at_every_width_and_rate(width: int) -> None:
    scaling = theory.mup(width, 100)
    assert curvature.terminal_sharpness(PAPER_TARGET, scaling.coupling) == pytest.approx(2)
    for eta0 in (*np.linspace(0.1, 0.8, 8), 0.9, 0.95):
        end = last(start(scaling), PAPER_TARGET, eta0, scaling.coupling, 1000)
        assert theory.loss(end, PAPER_TARGET) < 1e-20
        assert curvature.ntk_sharpness(end) == pytest.approx(2, abs=5e-4)
        full = curvature.sharpness(end, PAPER_TARGET, scaling.coupling)
        assert full == pytest.approx(curvature.ntk_sharpness(end), rel=1e-9)


def test_above_its_edge_mup_does_not_converge_and_at_the_edge_it_creeps() -> None:
    scaling = theory.mup(64, 100)
    creeping = last(start(scaling), PAPER_TARGET, 1.0, scaling.coupling, 4000)
    assert curvature.ntk_sharpness(creeping) == pytest.approx(1.983, abs=1e-3)
    oscillating = last(start(scaling), PAPER_TARGET, 1.05, scaling.coupling, 4000)
    assert theory.loss(oscillating, PAPER_TARGET) > 1


@pytest.mark.parametrize(
    ("width", "expected"), [(64, 0.252), (256, 0.127), (1024, 0.066), (4096, 0.037)]
)
def test_under_ntp_the_sharpness_at_the_end_falls_with_width(width: int, expected: float) -> None:
    scaling = theory.ntp(width, 100)
    for eta0 in (1.0, 2.0, 4.0):
        end = last(start(scaling), PAPER_TARGET, eta0, scaling.coupling, 2000)
        assert theory.loss(end, PAPER_TARGET) < 1e-10
        assert curvature.ntk_sharpness(end) == pytest.approx(expected, abs=1e-3)
    small = curvature.terminal_sharpness(PAPER_TARGET, scaling.coupling)
    assert small == pytest.approx(20 / math.sqrt(100 * width))


def test_small_weights_end_at_the_terminal_sharpness() -> None:
    scaling = replace(theory.ntp(20, 9), input_deviation=1e-4, readout_deviation=1e-4)
    target = np.linspace(0.5, 1.5, 9)
    end = last(start(scaling), target, 1.0, scaling.coupling, 2000)
    expected = curvature.terminal_sharpness(target, scaling.coupling)
    assert theory.loss(end, target) < 1e-12
    assert curvature.ntk_sharpness(end) == pytest.approx(expected, rel=1e-3)


def test_a_diverged_state_has_no_curvature() -> None:
    bad = State(np.array([math.inf, 0.0]), np.eye(2), 1.0)
    assert math.isnan(curvature.sharpness(bad, np.ones(2), 0.5))
    assert math.isnan(curvature.ntk_sharpness(bad))
    far = State(np.array([1e200, 0.0]), np.eye(2), 1.0)
    assert math.isnan(curvature.sharpness(far, np.ones(2), 0.5))


def test_a_target_of_another_shape_is_refused() -> None:
    state = start(theory.mup(4, 3))
    for of in (curvature.sharpness, curvature.residual_sharpness):
        with pytest.raises(ValueError, match=r"target has shape \(1,\); give \(3,\)"):
            of(state, np.ones(1), 0.5)
