"""The two-layer linear network of 2402.17457, §5 (Noci et al. 2024), exact at any width and step.

f(X) = m·XEV with X the identity, E of shape (D, N), V of shape (N,); the loss is ½‖r‖² with
w = m·EV and r = w − w*. Gradient descent at the rate η = η₀ρ moves E and V, and

    w = m·EV,   e = ρm²·EEᵀ,   v = ρm²·VᵀV,   k = (ρm)²

obey a closed recursion (Theorem 5.1). With the paper's output scale γ, m = 1/(γ√(ND)), ρ = γ² and
k = γ²/(ND): under μP (γ = √N) k = 1/D holds no width, under NTP (γ = 1) k vanishes with it. The
standard parameterization is m = ρ = k = 1 (Appendix C.3).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scaling:
    """How a network of one width is parameterized.

    Attributes:
        width: Hidden dimension N.
        dimension: Input dimension D.
        multiplier: Factor m of the output.
        rate: ρ, the learning rate of both matrices over the width-free η₀.
        input_deviation: Standard deviation of the entries of E at the start.
        readout_deviation: Standard deviation of the entries of V at the start.

    Raises:
        ValueError: `width` or `dimension` is below 1, or a factor is not positive and finite.
    """

    width: int
    dimension: int
    multiplier: float
    rate: float
    input_deviation: float = 1.0
    readout_deviation: float = 1.0

    def __post_init__(self) -> None:
        _check_sizes(self.width, self.dimension)
        for name in ("multiplier", "rate", "input_deviation", "readout_deviation"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; give a positive number")

    @property
    def coupling(self) -> float:
        """The constant k = (ρm)² by which features move; γ²/(ND) in the paper's form."""
        return (self.rate * self.multiplier) ** 2

    @property
    def kernel_factor(self) -> float:
        """ρm², from EEᵀ and VᵀV to the kernel's parts; 1/(ND) in the paper's form."""
        return self.rate * self.multiplier**2


def _check_sizes(width: int, dimension: int) -> None:
    if min(width, dimension) < 1:
        raise ValueError(f"width is {width} and dimension {dimension}; give at least 1 for both")


def output_scaled(width: int, dimension: int, gamma: float) -> Scaling:
    """Return the paper's form (§5): N(0, 1) entries, m = 1/(γ√(ND)), ρ = γ².

    Raises:
        ValueError: A size is below 1, or `gamma` is not positive and finite.

    Example:
        >>> from lrtransfer.theory.two_layer_linear import output_scaled
        >>> output_scaled(width=16, dimension=4, gamma=2.0).multiplier
        0.0625
    """
    _check_sizes(width, dimension)
    if not 0 < gamma < math.inf:
        raise ValueError(f"gamma is {gamma}; give a positive number")
    return Scaling(width, dimension, 1 / (gamma * math.sqrt(width * dimension)), gamma**2)


def mup(width: int, dimension: int) -> Scaling:
    """Return the maximal update parameterization, γ = √N; sizes below 1 raise `ValueError`.

    Example:
        >>> from lrtransfer.theory.two_layer_linear import mup
        >>> mup(width=16, dimension=4).multiplier
        0.03125
    """
    _check_sizes(width, dimension)
    return output_scaled(width, dimension, math.sqrt(width))


def ntp(width: int, dimension: int) -> Scaling:
    """Return the neural tangent parameterization, γ = 1; sizes below 1 raise `ValueError`.

    Example:
        >>> from lrtransfer.theory.two_layer_linear import ntp
        >>> ntp(width=16, dimension=4).multiplier
        0.125
    """
    return output_scaled(width, dimension, 1.0)


def sp(width: int, dimension: int) -> Scaling:
    """Return the standard parameterization: variances 1/D and 1/N, no factors (App. C.3).

    Raises:
        ValueError: A size is below 1.

    Example:
        >>> from lrtransfer.theory.two_layer_linear import sp
        >>> sp(width=16, dimension=4).readout_deviation
        0.25
    """
    _check_sizes(width, dimension)
    return Scaling(width, dimension, 1.0, 1.0, dimension**-0.5, width**-0.5)


@dataclass(frozen=True)
class State:
    """All that the loss and its curvature need to know of a network.

    Attributes:
        w: The linear map, shape (D,).
        e: The first layer's part of the tangent kernel, shape (D, D), symmetric.
        v: The readout's part of it.
    """

    w: Array
    e: Array
    v: float

    @property
    def is_finite(self) -> bool:
        """Whether no number has overflowed."""
        parts = (self.w, self.e, np.asarray(self.v))
        return all(bool(np.isfinite(part).all()) for part in parts)


def state_of(input_weights: Array, readout: Array, scaling: Scaling) -> State:
    """Return (w, e, v) of a network.

    Args:
        input_weights: E, shape (D, N).
        readout: V, shape (N,).
        scaling: Its parameterization.

    Raises:
        ValueError: A shape is not that of `scaling`.
    """
    shape = (scaling.dimension, scaling.width)
    if input_weights.shape != shape or readout.shape != shape[1:]:
        raise ValueError(
            f"input_weights {input_weights.shape} and readout {readout.shape} do not fit; "
            f"give {shape} and {shape[1:]}, the sizes of the scaling"
        )
    return State(
        w=scaling.multiplier * (input_weights @ readout),
        e=scaling.kernel_factor * (input_weights @ input_weights.T),
        v=scaling.kernel_factor * float(readout @ readout),
    )


def draw(scaling: Scaling, random: np.random.Generator) -> tuple[Array, Array]:
    """Return Gaussian E, shape (D, N), and V, shape (N,).

    One seed gives the same standard normal numbers under every parameterization.

    Example:
        >>> from lrtransfer.theory.two_layer_linear import draw, mup
        >>> import numpy as np
        >>> [x.shape for x in draw(mup(width=16, dimension=4), np.random.default_rng(0))]
        [(4, 16), (16,)]
    """
    first = random.standard_normal((scaling.dimension, scaling.width))
    second = random.standard_normal(scaling.width)
    return scaling.input_deviation * first, scaling.readout_deviation * second


def step(state: State, target: Array, learning_rate: float, coupling: float) -> State:
    """Return the state after one step of gradient descent (Theorem 5.1).

    Args:
        state: Before the step. Where it overflows, the numbers become infinite or NaN.
        target: w*, shape (D,).
        learning_rate: η₀; E and V move at η₀ρ.
        coupling: k, `Scaling.coupling`.

    Raises:
        ValueError: `target` has another shape than w.
    """
    w, e, v = state.w, state.e, state.v
    with np.errstate(over="ignore", invalid="ignore"):
        r = residual(state, target)
        wr, er = float(w @ r), e @ r
        first, second = learning_rate * coupling, learning_rate**2 * coupling
        mixed = first * np.outer(r, w)
        return State(
            w=w - learning_rate * (v * r + er) + second * wr * r,
            e=e - (mixed + mixed.T) + second * v * np.outer(r, r),
            v=v - 2 * first * wr + second * float(r @ er),
        )


def run(
    state: State, target: Array, learning_rate: float, coupling: float, steps: int
) -> Iterator[State]:
    """Yield the state after 0, 1, …, `steps` steps; the arguments are those of `step`.

    Raises:
        ValueError: `steps` is negative, or `target` has another shape than w.

    Example:
        >>> from lrtransfer.theory.two_layer_linear import draw, loss, mup, run, state_of
        >>> import numpy as np
        >>> scaling, target = mup(width=64, dimension=2), np.array([1.0, 0.0])
        >>> state = state_of(*draw(scaling, np.random.default_rng(0)), scaling)
        >>> path = list(run(state, target, 0.2, scaling.coupling, steps=100))
        >>> loss(path[-1], target) < 1e-3 < loss(path[0], target)
        True
    """
    if steps < 0:
        raise ValueError(f"steps is {steps}; give at least 0")
    yield state
    for _ in range(steps):
        state = step(state, target, learning_rate, coupling)
        yield state


def residual(state: State, target: Array) -> Array:
    """Return r = w − w*, shape (D,); raise `ValueError` where the shapes differ.

    Example:
        >>> from lrtransfer.theory.two_layer_linear import State, residual
        >>> import numpy as np
        >>> residual(State(np.zeros(2), np.eye(2), 1.0), target=np.array([3.0, 4.0])).tolist()
        [-3.0, -4.0]
    """
    if target.shape != state.w.shape:
        raise ValueError(f"target has shape {target.shape}; give {state.w.shape}, that of w")
    return state.w - target


def loss(state: State, target: Array) -> float:
    """Return ½‖w − w*‖², infinite or NaN once the state has diverged.

    Example:
        >>> from lrtransfer.theory.two_layer_linear import State, loss
        >>> import numpy as np
        >>> loss(State(np.zeros(2), np.eye(2), 1.0), target=np.array([3.0, 4.0]))
        12.5
    """
    with np.errstate(over="ignore", invalid="ignore"):
        r = residual(state, target)
        return 0.5 * float(r @ r)


@dataclass(frozen=True)
class InitialMoments:
    """Moments over draws of the first state; E[w] and the mean of e_ij, i ≠ j, are zero.

    Attributes:
        w_variance: Var w_i.
        e_mean: E[e_ii].
        e_diagonal_variance: Var e_ii.
        e_off_diagonal_variance: Var e_ij, i ≠ j.
        v_mean: E[v].
        v_variance: Var v.
    """

    w_variance: float
    e_mean: float
    e_diagonal_variance: float
    e_off_diagonal_variance: float
    v_mean: float
    v_variance: float


def initial_moments(scaling: Scaling) -> InitialMoments:
    """Return the moments of Proposition C.1, and of Appendix C.3 for `sp`.

    In the paper's form Var w = 1/(Dγ²), E[e_ii] = E[v] = 1/D with variances 2/(ND²), and
    Var e_ij = 1/(ND²). Under SP E[e_ii] = N/D grows with the width, and Var v is 2/N (the
    appendix's O(1/N²) is a slip).
    """
    n, factor = scaling.width, scaling.kernel_factor
    first, second = scaling.input_deviation**2, scaling.readout_deviation**2
    return InitialMoments(
        w_variance=scaling.multiplier**2 * n * first * second,
        e_mean=factor * n * first,
        e_diagonal_variance=2 * n * (factor * first) ** 2,
        e_off_diagonal_variance=n * (factor * first) ** 2,
        v_mean=factor * n * second,
        v_variance=2 * n * (factor * second) ** 2,
    )
