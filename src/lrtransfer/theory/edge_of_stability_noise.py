"""The reduced model driven by gradient noise: why mini-batches rest below the edge.

    x ← (1 − ηλ)x + ηξ,  ξ ~ N(0, s²);    λ ← λ + η(a − bx²).

Noise keeps x² at a/b without instability, so λ comes to rest below 2/η.
"""

from __future__ import annotations

import math

import numpy as np

from lrtransfer.theory.edge_of_stability import Drift, Trajectory


def simulate_noisy(
    rate: float,
    drift: Drift,
    *,
    deviation: float,
    displacement: float,
    sharpness: float,
    steps: int,
    generator: np.random.Generator,
) -> Trajectory:
    """Iterate the noise-driven model at a constant rate; x_{t+1} moves λ (semi-implicit).

    Args:
        rate: η.
        drift: a and b.
        deviation: s, of the gradient along the sharpest direction.
        displacement: x₀.
        sharpness: λ₀.
        steps: Updates to take.
        generator: Source of ξ.

    Raises:
        ValueError: `rate` is not positive, `deviation` negative, or `steps` negative.

    Example:
        >>> from lrtransfer.theory.edge_of_stability_noise import simulate_noisy
        >>> import numpy as np
        >>> from lrtransfer.theory.edge_of_stability import Drift
        >>> path = simulate_noisy(
        ...     0.1,
        ...     Drift(1.0, 1.0),
        ...     deviation=2.0,
        ...     displacement=0.0,
        ...     sharpness=19.0,
        ...     steps=100,
        ...     generator=np.random.default_rng(0),
        ... )
        >>> path.diverged, len(path.sharpness)
        (False, 101)
    """
    if not rate > 0:
        raise ValueError(f"rate is {rate}; give a positive number")
    if not deviation >= 0:
        raise ValueError(f"deviation is {deviation}; it must not be negative")
    if steps < 0:
        raise ValueError(f"steps is {steps}; give 0 or more")
    a, b = drift.sharpening, drift.stabilisation
    kicks = (rate * deviation * generator.standard_normal(steps)).tolist()
    x, lam = displacement, sharpness
    displacements, sharpnesses = [x], [lam]
    for kick in kicks:
        x = (1 - rate * lam) * x + kick
        lam += rate * (a - b * x * x)
        if not (math.isfinite(x) and math.isfinite(lam)):
            break
        displacements.append(x)
        sharpnesses.append(lam)
    with np.errstate(divide="ignore"):
        log_energy = 2 * np.log(np.abs(np.array(displacements)))
    rates = np.full(len(sharpnesses), rate)
    return Trajectory(rates, np.array(sharpnesses), log_energy, len(sharpnesses) <= steps)


def noisy_resting_sharpness(rate: float, drift: Drift, deviation: float) -> float:
    """Return the λ at which x² averages a/b: (1 + √(1 − η²s²b/a))/η.

    A fixed λ gives x the variance η²s²/(1 − (1 − ηλ)²); the fluctuation of λ is neglected. Where
    noise alone exceeds a/b at every λ, that is η²s²b/a > 1, it is NaN: sharpness falls.

    Example:
        >>> from lrtransfer.theory.edge_of_stability_noise import noisy_resting_sharpness
        >>> from lrtransfer.theory.edge_of_stability import Drift
        >>> round(noisy_resting_sharpness(0.1, Drift(1.0, 1.0), deviation=2.0), 2)
        19.8
    """
    share = (rate * deviation) ** 2 / drift.resting_energy
    return (1 + math.sqrt(1 - share)) / rate if share <= 1 else math.nan


def sharpness_gap(rate: float, drift: Drift, deviation: float) -> float:
    """Return 2/η − λ ≈ ηbs²/(2a) for weak noise.

    With β = ‖∇λ‖² = 2b it is the ηβs²/(4α) of the stochastic sharpness gap (arXiv 2604.21016).

    Example:
        >>> from lrtransfer.theory.edge_of_stability_noise import sharpness_gap
        >>> from lrtransfer.theory.edge_of_stability import Drift
        >>> round(sharpness_gap(0.1, Drift(1.0, 1.0), deviation=2.0), 2)
        0.2
    """
    return rate * drift.stabilisation * deviation**2 / (2 * drift.sharpening)
