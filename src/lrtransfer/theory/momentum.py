"""Where momentum puts the edge of stability: closed forms, as sharpness times η.

Heavy ball is torch's form, b ← βb + g and w ← w − ηb; the average form has b ← βb + (1−β)g, as Adam
does. Full batch: Cohen et al. (2021, 2022). Mini-batches: Andreyev et al. (2026, 2604.14108), who
find the batch sharpness at 2(1−β)/η for small batches and at 2(1+β)/η for large ones. No source
gives Nesterov's plateau at small batches, and there is no function for it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


def heavy_ball_edge(beta: float) -> float:
    """Return 2(1+β), also the large batches' plateau of the batch sharpness.

    Raises:
        ValueError: β is not in [0, 1), as in all functions here.

    Example:
        >>> from lrtransfer.theory.momentum import heavy_ball_edge
        >>> heavy_ball_edge(0.9)
        3.8
    """
    return 2 * (1 + _momentum(beta))


def averaged_edge(beta: float) -> float:
    """Return 2(1+β)/(1−β), of the average form and, preconditioned, of Adam.

    Example:
        >>> from lrtransfer.theory.momentum import averaged_edge
        >>> round(averaged_edge(0.9), 6)
        38.0
    """
    return heavy_ball_edge(beta) / (1 - beta)


def nesterov_edge(beta: float) -> float:
    """Return 2(1+β)/(1+2β), of torch's Nesterov momentum as of the textbook's.

    Example:
        >>> from lrtransfer.theory.momentum import nesterov_edge
        >>> round(nesterov_edge(0.9), 3)
        1.357
    """
    return heavy_ball_edge(beta) / (1 + 2 * beta)


def small_batch_plateau(beta: float) -> float:
    """Return 2(1−β), the edge of gradient descent at the effective rate η/(1−β).

    Example:
        >>> from lrtransfer.theory.momentum import small_batch_plateau
        >>> round(small_batch_plateau(0.9), 6)
        0.2
    """
    return 2 * (1 - _momentum(beta))


def ringing_onset(beta: float) -> float:
    """Return the ηλ of the average form above which a mode oscillates: (1−√β)/(1+√β).

    Example:
        >>> from lrtransfer.theory.momentum import ringing_onset
        >>> round(ringing_onset(0.9), 4)
        0.0263
    """
    root = math.sqrt(_momentum(beta))
    return (1 - root) / (1 + root)


def gradient_penalty(beta: float) -> float:
    """Return by what momentum multiplies the implicit penalty on ‖g‖²: (1+β)/(1−β).

    Example:
        >>> from lrtransfer.theory.momentum import gradient_penalty
        >>> round(gradient_penalty(0.9), 6)
        19.0
    """
    return averaged_edge(beta) / 2


def second_moment_radius(hessians: ArrayLike, rate: float, beta: float = 0.0) -> float:
    """Return the spectral radius of I − ηK + η²G, below 1 where small batches are stable.

    η is the effective rate, K = H⊗I + I⊗H and G = E[H_B⊗H_B], so that the operator is
    E[(I−ηH_B)⊗(I−ηH_B)], which moves the second moments of w about a minimum of every batch.

    Args:
        hessians: (batches, n, n), symmetric, of equal probability.
        rate: η of the optimizer; the effective one is η/(1−β).
        beta: β.

    Raises:
        ValueError: `hessians` has another shape.

    Example:
        >>> from lrtransfer.theory.momentum import second_moment_radius
        >>> round(second_moment_radius([[[1.0]], [[3.0]]], rate=0.8), 6)  # stable below 2·2/5
        1.0
    """
    each = np.asarray(hessians, dtype=np.float64)
    if each.ndim != 3 or each.shape[1] != each.shape[2] or not len(each):
        raise ValueError(f"hessians has shape {each.shape}; give (batches, n, n)")
    steps = np.eye(each.shape[1]) - rate / (1 - _momentum(beta)) * each
    moments: NDArray[np.float64] = np.mean([np.kron(step, step) for step in steps], axis=0)
    return float(np.abs(np.linalg.eigvalsh(moments)).max())


def period_two_energy(sharpness: float, quartic: float, rate: float) -> float:
    """Return w² of gradient descent's orbit ±w on (S/2)w² − (Q/4)w⁴: S/Q − 2/(ηQ).

    0 where there is none, below the edge.

    Args:
        sharpness: S.
        quartic: Q > 0.
        rate: η.

    Example:
        >>> from lrtransfer.theory.momentum import period_two_energy
        >>> period_two_energy(5.0, 1.0, 0.5)
        1.0
    """
    return max(0.0, (sharpness - 2 / rate) / quartic)


def _momentum(beta: float) -> float:
    if not 0 <= beta < 1:
        raise ValueError(f"momentum is {beta}; it lies in [0, 1)")
    return beta
