"""CDAT in the reduced model: the edge of stability of two eigenvalues (Roulet et al. 2024, eq. 9).

The Hessian is λvvᵀ + νv⊥v⊥ᵀ with λ from `lrtransfer.theory.edge_of_stability` and ν fixed;
g is the energy along v⊥ as p is along v. CDAT sees both, one step late:

    η_{t+1} = σ (λ_t²p_t + ν²g_t)/(λ_t³p_t + ν³g_t),    g_{t+1} = (1 − η_tν)²g_t,

so η lies between σ/λ and σ/ν. At σ = 2 the sharpness comes to rest, below it grows like √t, above
it collapses until the map diverges.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lrtransfer.theory.edge_of_stability import Array, Drift, Trajectory, log_modulus, ran_away


@dataclass(frozen=True)
class Start:
    """State at step 0.

    Attributes:
        rate: η₀.
        sharpness: λ₀.
        energy: p₀ > 0.
        other_energy: g₀ > 0.
    """

    rate: float
    sharpness: float
    energy: float
    other_energy: float

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value < math.inf:
                raise ValueError(f"{name} is {value}; give a positive number")


@dataclass(frozen=True)
class TunedTrajectory(Trajectory):
    """A trajectory with the energy along the second direction.

    Attributes:
        log_other_energy: log g.
    """

    log_other_energy: Array


def tuned_rate(
    sigma: float, sharpness: float, curvature: float, log_energy: float, log_other_energy: float
) -> float:
    """Return σ(λ²p + ν²g)/(λ³p + ν³g) from log p and log g, one of which may be −∞.

    Written with p and g over the larger of the two: both underflow on long runs.

    Example:
        >>> from lrtransfer.theory.edge_of_stability_tuned import tuned_rate
        >>> tuned_rate(2.0, sharpness=20.0, curvature=0.1, log_energy=0.0, log_other_energy=-1e9)
        0.1
    """
    top = max(log_energy, log_other_energy)
    p, g = math.exp(log_energy - top), math.exp(log_other_energy - top)
    numerator = sharpness**2 * p + curvature**2 * g
    denominator = sharpness**3 * p + curvature**3 * g
    return sigma * numerator / denominator if denominator else math.inf


def simulate_tuned(
    sigma: float, drift: Drift, start: Start, *, curvature: float, steps: int
) -> TunedTrajectory:
    """Iterate (λ, p, g, η) under CDAT.

    Args:
        sigma: σ.
        drift: a and b.
        start: The state at step 0; the paper's Figs. 9 and 11 have a = 5e-2, b = 1e-1, η₀ = 0.05,
            λ₀ = 18, p₀ = g₀ = 4 and ν = 0.1.
        curvature: ν.
        steps: Updates to take.

    Raises:
        ValueError: `curvature` is not positive or `steps` negative.

    Example:
        >>> from lrtransfer.theory.edge_of_stability_tuned import Start, simulate_tuned
        >>> from lrtransfer.theory.edge_of_stability import Drift
        >>> path = simulate_tuned(
        ...     2.0, Drift(0.05, 0.1), Start(0.05, 18.0, 4.0, 4.0), curvature=0.1, steps=100
        ... )
        >>> bool(abs(path.excess[-1]) < 0.1)
        True
    """
    _check(curvature, steps)
    a, b = drift.sharpening, drift.stabilisation
    eta, lam = start.rate, start.sharpness
    log_p, log_g = math.log(start.energy), math.log(start.other_energy)
    states = [(eta, lam, log_p, log_g)]
    for _ in range(steps):
        following = tuned_rate(sigma, lam, curvature, log_p, log_g)
        next_log_p = log_p + 2 * log_modulus(1 - eta * lam)
        log_g += 2 * log_modulus(1 - eta * curvature)
        lam += eta * (a - b * math.exp(log_p))
        log_p, eta = next_log_p, following
        if ran_away(lam, max(log_p, log_g)) or not math.isfinite(eta):
            return _trajectory(states, diverged=True)
        states.append((eta, lam, log_p, log_g))
    return _trajectory(states, diverged=False)


def simulate_tuned_normalised(
    sigma: float, drift: Drift, start: Start, *, curvature: float, steps: int
) -> TunedTrajectory:
    """Iterate (p, y, g, η), the paper's own form of `simulate_tuned` (eqs. 5, 9 and 10).

    Raises:
        ValueError: `curvature` is not positive or `steps` negative.
    """
    _check(curvature, steps)
    a, b = drift.sharpening, drift.stabilisation
    eta, y = start.rate, start.rate * start.sharpness - 2
    log_p, log_g = math.log(start.energy), math.log(start.other_energy)
    states = [(eta, start.sharpness, log_p, log_g)]
    for _ in range(steps):
        following = tuned_rate(sigma, (2 + y) / eta, curvature, log_p, log_g)
        ratio = following / eta
        growth = a - b * math.exp(log_p)
        log_p += 2 * log_modulus(1 + y)
        log_g += 2 * log_modulus(1 - eta * curvature)
        y = following * eta * growth + ratio * y + 2 * (ratio - 1)
        eta = following
        if ran_away((2 + y) / eta, max(log_p, log_g)) or not math.isfinite(eta):
            return _trajectory(states, diverged=True)
        states.append((eta, (2 + y) / eta, log_p, log_g))
    return _trajectory(states, diverged=False)


def invariant(trajectory: Trajectory) -> Array:
    """Return log p − 4 log λ, which rests at σ = 2 once g ≪ p; NaN for λ ≤ 0."""
    lam = trajectory.sharpness
    logs = np.log(lam, out=np.full_like(lam, np.nan), where=lam > 0)
    found: Array = trajectory.log_energy - 4 * logs
    return found


def resting_sharpness(sharpness: float, energy: float, drift: Drift) -> float:
    """Return λ_∞ = λ(p*/p)^¼, where σ = 2 ends up from a state with g ≪ p, by the invariant.

    Example:
        >>> from lrtransfer.theory.edge_of_stability_tuned import resting_sharpness
        >>> from lrtransfer.theory.edge_of_stability import Drift
        >>> resting_sharpness(20.0, energy=8.0, drift=Drift(1.0, 2.0))
        10.0
    """
    ratio: float = (drift.resting_energy / energy) ** 0.25
    return sharpness * ratio


def _check(curvature: float, steps: int) -> None:
    if not curvature > 0:
        raise ValueError(f"curvature is {curvature}; give a positive number")
    if steps < 0:
        raise ValueError(f"steps is {steps}; give 0 or more")


def _trajectory(
    states: list[tuple[float, float, float, float]], *, diverged: bool
) -> TunedTrajectory:
    rate, sharpness, log_p, log_g = np.array(states, dtype=np.float64).T
    return TunedTrajectory(rate, sharpness, log_p, diverged, log_g)
