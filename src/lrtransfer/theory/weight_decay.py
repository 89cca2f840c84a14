"""AdamW on a gradient that is pure noise: weight norms, relative updates, the implicit warm-up.

Every step shrinks a weight by the share ηλ and adds an update of entries of size η, which is
uncorrelated with the weight. The RMS r of the weights then obeys

    r²_{t+1} = (1 − η_tλ)² r²_t + η_t²,

whose fixed point is η/(2λ) to first order in ηλ (Kosson et al. 2024, 2305.17212; 2025, 2510.19093).
Momentum correlates successive updates but not their sum over many steps, so that β₁ enters the
recursion at the order ηλ/(1−β₁) only, and is left out of it; a single update is smaller by
√((1−β₁)/(1+β₁)). What holds is a model of steady training: real gradients have a mean, above all
early.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def equilibrium_rms(learning_rate: float, weight_decay: float, beta1: float = 0.0) -> float:
    """Return ρ_∞, the RMS of the weights' entries: √(η/(2λ)) to first order, whatever β₁ is.

    With a = 1−ηλ it is η·√{(1−β₁)(1+aβ₁) / [(1+β₁)(1−aβ₁)(1−a²)]}, derived here from the
    autocorrelation β₁^k of the updates. The first order is that of Kosson et al. (2025, Eq. 11).

    Raises:
        ValueError: The learning rate or `weight_decay` is zero, so that there is no equilibrium,
            or a number is not one of an optimizer.

    Example:
        >>> from lrtransfer.theory.weight_decay import equilibrium_rms
        >>> round(equilibrium_rms(learning_rate=0.002, weight_decay=0.1), 3)
        0.1
    """
    _check_decay(learning_rate, weight_decay)
    return learning_rate * _momentum_factor(beta1) / _relative(learning_rate * weight_decay, beta1)


def equilibrium_relative_update(
    learning_rate: float, weight_decay: float, beta1: float = 0.0
) -> float:
    """Return ‖ΔW‖/‖W‖ of a step without its weight decay: √(2ηλ(1−β₁)/(1+β₁)) to first order.

    With a = 1−ηλ it is √[(1−a²)(1−aβ₁)/(1+aβ₁)], larger by about ηλβ₁/(1−β₁²) of itself: 5 % at
    ηλ = 0.01 and β₁ = 0.9. The decay's own part of a step is the share ηλ of ‖W‖.

    Raises:
        ValueError: As for `equilibrium_rms`, or `beta1` is not in [0, 1).

    Example:
        >>> from lrtransfer.theory.weight_decay import equilibrium_relative_update
        >>> round(equilibrium_relative_update(0.002, 0.1), 3)
        0.02
    """
    _check_decay(learning_rate, weight_decay)
    _momentum_factor(beta1)
    return _relative(learning_rate * weight_decay, beta1)


def weight_rms(learning_rates: ArrayLike, weight_decay: float, initial_rms: float) -> Array:
    """Return r after 0, 1, …, T updates, shape (T+1,); without decay it is a random walk.

    Args:
        learning_rates: η of updates 1…T, shape (T,).
        weight_decay: λ, with the factor 1 − ηλ of a step.
        initial_rms: ρ₀, the standard deviation of the initial entries.

    Raises:
        ValueError: A number is negative, or a step would remove more than the whole weight.

    Example:
        >>> from lrtransfer.theory.weight_decay import weight_rms
        >>> weight_rms([0.1, 0.1], weight_decay=0.0, initial_rms=0.1).round(3).tolist()
        [0.1, 0.141, 0.173]
    """
    rates = _rates(learning_rates, weight_decay)
    if not 0 <= initial_rms < math.inf:
        raise ValueError(f"initial_rms is {initial_rms}; give a finite number, not negative")
    squares = np.empty(len(rates) + 1)
    squares[0] = initial_rms**2
    for t, rate in enumerate(rates):
        squares[t + 1] = (1 - rate * weight_decay) ** 2 * squares[t] + rate**2
    return np.sqrt(squares)


def relative_updates(
    learning_rates: ArrayLike, weight_decay: float, initial_rms: float, beta1: float = 0.0
) -> Array:
    """Return ‖ΔW‖/‖W‖ of updates 1…T, shape (T,), over the weights before each.

    It holds to first order in ηλ/(1−β₁); `equilibrium_relative_update` has the rest. The
    first 1/(1−β₁) updates of Adam are larger than this: its average has not yet formed.

    Raises:
        ValueError: As for `weight_rms`; `initial_rms` is zero; `beta1` is not in [0, 1).

    Example:
        >>> from lrtransfer.theory.weight_decay import relative_updates
        >>> relative_updates([0.1, 0.1], weight_decay=0.0, initial_rms=0.1).round(3).tolist()
        [1.0, 0.707]
    """
    if initial_rms == 0:
        raise ValueError("initial_rms is 0; relative to zero weights an update has no size")
    before = weight_rms(learning_rates, weight_decay, initial_rms)[:-1]
    return _rates(learning_rates, weight_decay) / before * _momentum_factor(beta1)


def implicit_warmup(
    learning_rates: ArrayLike, weight_decay: float, width_multiplier: float, initial_rms: float
) -> Array:
    """Return s_t, the relative update under (η/m, mλ) over that under (η, λ), for any schedule.

    Both shrink by the same share, the first from steps m times smaller: s_t = r_t/(m·r'_t), which
    rises from 1/m to 1. Independent weight decay thus warms up what μP's learning rate lowered
    (Kosson et al. 2025, §"implicit warm-up"; the recursion is its Eq. 11 without the assumption of
    a constant learning rate).

    Args:
        learning_rates: η of updates 1…T, shape (T,).
        weight_decay: λ.
        width_multiplier: m, the width over the base width.
        initial_rms: ρ₀ of both.

    Returns:
        s after 0, 1, …, T updates, shape (T+1,).

    Raises:
        ValueError: As for `weight_rms`; m is not positive; `initial_rms` is zero.

    Example:
        >>> from lrtransfer.theory.weight_decay import implicit_warmup
        >>> warmup = implicit_warmup([0.01] * 1000, 0.5, width_multiplier=4.0, initial_rms=0.1)
        >>> warmup[[0, 100, 999]].round(2).tolist()
        [0.25, 0.39, 1.0]
    """
    _check_multiplier(width_multiplier)
    if initial_rms == 0:
        raise ValueError("initial_rms is 0; relative to zero weights an update has no size")
    rates = _rates(learning_rates, weight_decay)
    unscaled = weight_rms(rates, weight_decay, initial_rms)
    scaled = weight_rms(rates / width_multiplier, width_multiplier * weight_decay, initial_rms)
    return unscaled / (width_multiplier * scaled)


def implicit_warmup_simplified(
    learning_rates: ArrayLike, weight_decay: float, width_multiplier: float
) -> Array:
    """Return [1 + (m²−1)∏_{τ<t}(1−η_τλ)²]^(−½), shape (T+1,): s_t as if always in equilibrium.

    It assumes that the weights of (η, λ) have the equilibrium's norm from the start and at every
    learning rate. From smaller weights the true s_t rises far earlier: compare before using it.

    Raises:
        ValueError: As for `weight_rms`, or m is not positive.

    Example:
        >>> from lrtransfer.theory.weight_decay import implicit_warmup_simplified
        >>> implicit_warmup_simplified([0.01] * 1000, 0.5, 4.0)[[0, 100, 1000]].round(2).tolist()
        [0.25, 0.39, 1.0]
    """
    _check_multiplier(width_multiplier)
    kept = np.cumprod(1 - _rates(learning_rates, weight_decay) * weight_decay) ** 2
    return (1 + (width_multiplier**2 - 1) * np.concatenate([[1.0], kept])) ** -0.5


def implicit_warmup_constant(
    steps: ArrayLike,
    learning_rate: float,
    weight_decay: float,
    width_multiplier: float,
    initial_over_equilibrium: float = 1.0,
) -> Array:
    """Return s_t at a constant learning rate (Kosson et al. 2025, Eq. 11).

    s_t² = [1 + (q²−1)a^{2t}] / [1 + (m²q²−1)a^{2t}] with a = 1−ηλ and q = ρ₀/ρ_∞.

    Args:
        steps: t, numbers of updates done.
        learning_rate: η.
        weight_decay: λ.
        width_multiplier: m.
        initial_over_equilibrium: q.

    Raises:
        ValueError: As for `equilibrium_rms`; m or q is not positive.

    Example:
        >>> from lrtransfer.theory.weight_decay import implicit_warmup_constant
        >>> implicit_warmup_constant([0, 100, 1000], 0.01, 0.5, 4.0).round(2).tolist()
        [0.25, 0.39, 1.0]
    """
    _check_decay(learning_rate, weight_decay)
    _check_multiplier(width_multiplier)
    if not 0 < initial_over_equilibrium < math.inf:
        raise ValueError(
            f"initial_over_equilibrium is {initial_over_equilibrium}; give a positive number"
        )
    kept = (1 - learning_rate * weight_decay) ** (2 * np.asarray(steps, dtype=np.float64))
    q2 = initial_over_equilibrium**2
    squared = (1 + (q2 - 1) * kept) / (1 + (width_multiplier**2 * q2 - 1) * kept)
    return np.asarray(np.sqrt(squared))


def implicit_warmup_time(
    learning_rate: float, weight_decay: float, width_multiplier: float
) -> float:
    """Return ln(m²−1)/(2ηλ), the updates until s = 1/√2 in Eq. 11 at ρ₀ = ρ_∞; 0 for m² ≤ 2.

    Raises:
        ValueError: As for `equilibrium_rms`, or m is not positive.

    Example:
        >>> from lrtransfer.theory.weight_decay import implicit_warmup_time
        >>> round(implicit_warmup_time(0.01, 0.5, width_multiplier=4.0))
        271
    """
    _check_decay(learning_rate, weight_decay)
    _check_multiplier(width_multiplier)
    excess = max(width_multiplier**2 - 1, 1.0)
    return math.log(excess) / (2 * learning_rate * weight_decay)


def _rates(learning_rates: ArrayLike, weight_decay: float) -> Array:
    rates = np.asarray(learning_rates, dtype=np.float64)
    if rates.ndim != 1 or not np.isfinite(rates).all() or (rates < 0).any():
        raise ValueError("learning_rates must be a row of finite numbers, none negative")
    if not 0 <= weight_decay < math.inf:
        raise ValueError(f"weight_decay is {weight_decay}; give a finite number, not negative")
    if rates.size and rates.max() * weight_decay > 1:
        raise ValueError(
            f"learning rate times weight_decay reaches {rates.max() * weight_decay:.3g}; a step "
            "that removes more than the whole weight has no equilibrium. Lower one of them"
        )
    return rates


def _check_decay(learning_rate: float, weight_decay: float) -> None:
    _rates([learning_rate], weight_decay)
    if learning_rate * weight_decay == 0:
        raise ValueError(
            f"learning rate {learning_rate} times weight_decay {weight_decay} is 0; without decay "
            "there is no equilibrium"
        )


def _relative(share: float, beta1: float) -> float:
    """Return √[(1−a²)(1−aβ₁)/(1+aβ₁)] with a = 1 − share."""
    slow = (1 - share) * beta1
    return math.sqrt(share * (2 - share) * (1 - slow) / (1 + slow))


def _check_multiplier(width_multiplier: float) -> None:
    if not 0 < width_multiplier < math.inf:
        raise ValueError(f"width_multiplier is {width_multiplier}; give a positive number")


def _momentum_factor(beta1: float) -> float:
    if not 0 <= beta1 < 1:
        raise ValueError(f"beta1 is {beta1}; give a number of at least 0 and below 1")
    return math.sqrt((1 - beta1) / (1 + beta1))
