"""Gradient descent at the edge of stability, reduced to one oscillation and one sharpness.

x is the weights' distance from the valley along the sharpest direction, λ the sharpness there
(Damian et al. 2023, 2209.15594; Roulet et al. 2024, 2407.06183, eq. 4):

    x ← (1 − ηλ)x,    λ ← λ + η(a − bx²).

a > 0 is progressive sharpening, −∇λ·∇f of the other directions; b = ½‖∇λ‖² is self-stabilisation
(the value of the paper's appendix; its main text has twice that). In p = x² and y = ηλ − 2, with
y = 0 the edge of stability, the same map is eq. 5. p lives in log space: under a tuner it falls
below the smallest float within a thousand steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

Rule = Callable[[float], float]
"""Sharpness λ_t -> learning rate η_t."""

_LARGEST = 1e60  # of p and |λ|; beyond it their powers overflow
_CEILING = math.log(_LARGEST)


@dataclass(frozen=True)
class Drift:
    """What moves the sharpness.

    Attributes:
        sharpening: a.
        stabilisation: b.

    Raises:
        ValueError: One is not positive and finite.
    """

    sharpening: float
    stabilisation: float

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value < math.inf:
                raise ValueError(f"{name} is {value}; give a positive number")

    @property
    def resting_energy(self) -> float:
        """p* = a/b, at which the sharpness rests; the central flow's variance."""
        return self.sharpening / self.stabilisation


@dataclass(frozen=True)
class Trajectory:
    """Steps 0, 1, …; shorter than asked if the map diverged.

    Attributes:
        rate: η.
        sharpness: λ.
        log_energy: log p = log x².
        diverged: Whether the last state was followed by one that is not finite.
    """

    rate: Array
    sharpness: Array
    log_energy: Array
    diverged: bool

    @property
    def energy(self) -> Array:
        """p, zero where it is below the smallest float."""
        return np.exp(self.log_energy)

    @property
    def excess(self) -> Array:
        """The excess y = ηλ − 2, positive beyond the edge of stability."""
        return self.rate * self.sharpness - 2


def constant_rate(rate: float) -> Rule:
    """Return the rule η_t = `rate`.

    Example:
        >>> from lrtransfer.theory.edge_of_stability import constant_rate
        >>> constant_rate(0.1)(20.0)
        0.1
    """
    return lambda sharpness: rate


def fixed_excess(excess: float) -> Rule:
    """Return the rule η_t = (2 + y)/λ_t, which stands for a classical tuner (eq. 6).

    Line search and the greedy rate keep ηλ below 2; the paper simulates y = −0.1.

    Args:
        excess: y > −2.

    Raises:
        ValueError: `excess` gives no positive rate.

    Example:
        >>> from lrtransfer.theory.edge_of_stability import fixed_excess
        >>> round(fixed_excess(-0.1)(19.0), 6)
        0.1
    """
    if not excess > -2:
        raise ValueError(f"excess is {excess}; ηλ = 2 + excess must be positive")
    return lambda sharpness: (2 + excess) / sharpness


def simulate(
    rule: Rule,
    drift: Drift,
    *,
    displacement: float,
    sharpness: float,
    steps: int,
    semi_implicit: bool = False,
) -> Trajectory:
    """Iterate (x, λ), eq. 4.

    Args:
        rule: η_t from λ_t.
        drift: a and b.
        displacement: x₀, not zero.
        sharpness: λ₀.
        steps: Updates to take.
        semi_implicit: Let x_{t+1} instead of x_t move λ. The explicit map leaves its fixed point
            in a growing spiral at a constant rate; this one stays bounded.

    Raises:
        ValueError: `displacement` is zero or `steps` negative.

    Example:
        >>> from lrtransfer.theory.edge_of_stability import Drift, constant_rate, simulate
        >>> path = simulate(
        ...     constant_rate(0.1), Drift(1.0, 1.0), displacement=0.1, sharpness=19.0, steps=3
        ... )
        >>> path.sharpness.round(2).tolist()
        [19.0, 19.1, 19.2, 19.3]
    """
    if not displacement:
        raise ValueError("displacement is 0, where it stays; give another")
    _check_steps(steps)
    a, b = drift.sharpening, drift.stabilisation
    log_p, lam = 2 * math.log(abs(displacement)), sharpness
    states = [(rule(lam), lam, log_p)]
    for _ in range(steps):
        eta = states[-1][0]
        next_log_p = log_p + 2 * log_modulus(1 - eta * lam)
        lam += eta * (a - b * math.exp(min(next_log_p if semi_implicit else log_p, _CEILING)))
        log_p = next_log_p
        if ran_away(lam, log_p):
            return _trajectory(states, diverged=True)
        states.append((rule(lam), lam, log_p))
    return _trajectory(states, diverged=False)


def simulate_normalised(
    rule: Rule, drift: Drift, *, energy: float, excess: float, rate: float, steps: int
) -> Trajectory:
    """Iterate (p, y), eq. 5; equal to `simulate` with λ₀ = (2 + y₀)/η₀.

    p_{t+1} = (1 + y_t)²p_t and, with ρ = η_{t+1}/η_t,
    y_{t+1} = η_{t+1}η_t(a − bp_t) + ρy_t + 2(ρ − 1).

    Args:
        rule: η_t from λ_t.
        drift: a and b.
        energy: p₀ > 0.
        excess: y₀.
        rate: η₀, not asked of `rule`.
        steps: Updates to take.

    Raises:
        ValueError: `energy` or `rate` is not positive, or `steps` negative.
    """
    if not (energy > 0 and rate > 0):
        raise ValueError(f"energy is {energy} and rate {rate}; both must be positive")
    _check_steps(steps)
    a, b = drift.sharpening, drift.stabilisation
    eta, log_p, y = rate, math.log(energy), excess
    states = [(eta, (2 + y) / eta, log_p)]
    for _ in range(steps):
        growth = a - b * math.exp(log_p)
        following = rule((2 + y) / eta + eta * growth)
        ratio = following / eta
        log_p += 2 * log_modulus(1 + y)
        y = following * eta * growth + ratio * y + 2 * (ratio - 1)
        eta = following
        if ran_away((2 + y) / eta, log_p):
            return _trajectory(states, diverged=True)
        states.append((eta, (2 + y) / eta, log_p))
    return _trajectory(states, diverged=False)


def jacobian(rate: float, drift: Drift) -> Array:
    """Return ∂(p_{t+1}, y_{t+1})/∂(p_t, y_t) at the fixed point (a/b, 0) of a constant rate.

    Example:
        >>> from lrtransfer.theory.edge_of_stability import Drift, jacobian
        >>> jacobian(0.1, Drift(1.0, 1.0)).round(2).tolist()
        [[1.0, 2.0], [-0.01, 1.0]]
    """
    return np.array([[1.0, 2 * drift.resting_energy], [-(rate**2) * drift.stabilisation, 1.0]])


def spiral(rate: float, drift: Drift) -> tuple[float, float]:
    """Return (growth per step, steps per turn) around the fixed point of a constant rate.

    The eigenvalues of `jacobian` are 1 ± iη√(2a): the modulus √(1 + 2aη²) exceeds 1, so that
    every trajectory but the fixed point leaves, slowly.

    Example:
        >>> from lrtransfer.theory.edge_of_stability import Drift, spiral
        >>> growth, steps_per_turn = spiral(0.1, Drift(0.5, 1.0))
        >>> round(growth, 4), round(steps_per_turn, 1)
        (1.005, 63.0)
    """
    angle = rate * math.sqrt(2 * drift.sharpening)
    return math.hypot(1, angle), 2 * math.pi / math.atan(angle)


def sharpening_law(times: Array, *, sharpness: float, drift: Drift, excess: float = 0.0) -> Array:
    """Return λ_t ≈ √(λ₀² + 2(2 + y)at) of a rule that keeps ηλ = 2 + y < 2, once p is negligible.

    Sharpness grows like √t and the rate falls like 1/√t.

    Example:
        >>> from lrtransfer.theory.edge_of_stability import Drift, sharpening_law
        >>> import numpy as np
        >>> sharpening_law(np.array([0.0, 4.0]), sharpness=3.0, drift=Drift(1.0, 1.0)).tolist()
        [3.0, 5.0]
    """
    return np.sqrt(sharpness**2 + 2 * (2 + excess) * drift.sharpening * times)


def ran_away(sharpness: float, log_energy: float) -> bool:
    """Return whether a state is so large that it cannot be iterated; a zero λ is too.

    Example:
        >>> from lrtransfer.theory.edge_of_stability import ran_away
        >>> ran_away(1e70, 0.0), ran_away(20.0, 0.0)
        (True, False)
    """
    return not (0 < abs(sharpness) < _LARGEST and log_energy < _CEILING)


def log_modulus(x: float) -> float:
    """Return log|x|, −∞ at 0."""
    return math.log(abs(x)) if x else -math.inf


def _check_steps(steps: int) -> None:
    if steps < 0:
        raise ValueError(f"steps is {steps}; give 0 or more")


def _trajectory(states: list[tuple[float, float, float]], *, diverged: bool) -> Trajectory:
    columns = np.array(states, dtype=np.float64).T
    return Trajectory(columns[0], columns[1], columns[2], diverged)
