"""Alignment of weights and updates with a layer's inputs, where it can be told beforehand.

A layer is Y = WX with X of shape (C, B): C inputs, B samples (tokens, or patches of images).
α_W = ‖WX‖/(‖W‖‖X‖), α_ΔW = ‖ΔWX‖/(‖ΔW‖‖X‖), Frobenius norms. μP rests on α_W = Θ(C^-½) and
α_ΔW = Θ(1); independent samples with B ≫ C give α_ΔW = C^-½ instead (Kosson et al. 2025, Eq. 9).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def weight_alignment(fan_in: int) -> float:
    """Return α_W = C^-½ of weights that are independent of the inputs.

    Raises:
        ValueError: `fan_in` is below 1.

    Example:
        >>> from lrtransfer.theory.alignment import weight_alignment
        >>> weight_alignment(fan_in=64)
        0.125
    """
    _check(fan_in, 1)
    return 1 / math.sqrt(fan_in)


def update_alignment(fan_in: int, samples: int, *, held_out: bool = False) -> float:
    """Return α_ΔW of ΔW = −GXᵀ with independent entries in G and X: an SGD step on noise.

    α² = 1/B + (1−1/B)/C. The term 1/B is a sample's alignment with its own part of the update;
    a held-out batch has none, and α² = 1/C there.

    Args:
        fan_in: C.
        samples: B of the step's batch.
        held_out: Whether X is another batch than the step's.

    Raises:
        ValueError: A size is below 1.

    Example:
        >>> from lrtransfer.theory.alignment import update_alignment
        >>> round(update_alignment(fan_in=64, samples=8), 3)
        0.372
    """
    _check(fan_in, samples)
    own = 0.0 if held_out else 1 / samples
    return math.sqrt(own + (1 - own) / fan_in)


def sign_update_alignment(fan_in: int, samples: int, *, held_out: bool = False) -> float:
    """Return α_ΔW ≈ √((2/π)/B + 1/C) of ΔW = −sign(GXᵀ): a first step of Adam on noise.

    It is not accurate for B below about 4.

    Args:
        fan_in: C.
        samples: B of the step's batch.
        held_out: Whether X is another batch than the step's.

    Raises:
        ValueError: A size is below 1.

    Example:
        >>> from lrtransfer.theory.alignment import sign_update_alignment
        >>> round(sign_update_alignment(fan_in=64, samples=8), 3)
        0.309
    """
    _check(fan_in, samples)
    own = 0.0 if held_out else 2 / (math.pi * samples)
    return min(1.0, math.sqrt(own + 1 / fan_in))


def alignment_ratio(fan_in: int, samples: int) -> float:
    """Return α_ΔW/α_W = √(1 + (C−1)/B) of independent entries, on the step's batch.

    It is √C for one sample, √(C/B) for C ≫ B (the regime of μP), and 1 for B ≫ C.

    Raises:
        ValueError: A size is below 1.

    Example:
        >>> from lrtransfer.theory.alignment import alignment_ratio
        >>> round(alignment_ratio(fan_in=64, samples=8), 2)
        2.98
    """
    return update_alignment(fan_in, samples) / weight_alignment(fan_in)


def gram_update_alignment(gradients: Array, inputs: Array) -> float:
    """Return α_ΔW of ΔW = −GXᵀ on X, from the samples' Gram matrix K = XᵀX alone.

    α² = tr(GK²Gᵀ) / (tr(GKGᵀ)·tr K). Where K is near rank one, as at the start of training, α is
    near 1 at any B and C.

    Args:
        gradients: G, the loss's gradient in Y, shape (rows of W, B).
        inputs: X, shape (C, B).

    Raises:
        ValueError: The shapes do not fit, or the update or the inputs vanish.

    Example:
        >>> from lrtransfer.theory.alignment import gram_update_alignment
        >>> import numpy as np
        >>> float(gram_update_alignment(np.ones((2, 1)), np.ones((4, 1))))
        1.0
    """
    if gradients.ndim != 2 or inputs.ndim != 2 or gradients.shape[1] != inputs.shape[1]:
        raise ValueError(
            f"gradients have shape {gradients.shape} and inputs {inputs.shape}; give (K, B), (C, B)"
        )
    gram = inputs.T @ inputs
    pulled = gradients @ gram
    update = float((pulled * gradients).sum())
    size = update * float(np.trace(gram))
    if not size > 0:
        raise ValueError("the update GXᵀ or the inputs vanish; an alignment has no meaning then")
    return math.sqrt(float((pulled**2).sum()) / size)


def log_alignment(alignment: float, fan_in: int) -> float:
    """Return A = 1 + log_C α: 1 is full alignment, ½ none (Everett et al. 2024, 2407.05872).

    Raises:
        ValueError: `alignment` is not positive, or `fan_in` is below 2.

    Example:
        >>> from lrtransfer.theory.alignment import log_alignment
        >>> log_alignment(0.5, fan_in=16)
        0.75
    """
    if not (alignment > 0 and fan_in > 1):
        raise ValueError(
            f"alignment is {alignment} and fan_in {fan_in}; give a positive one and at least 2"
        )
    return 1 + math.log(alignment) / math.log(fan_in)


def _check(fan_in: int, samples: int) -> None:
    if min(fan_in, samples) < 1:
        raise ValueError(f"fan_in is {fan_in} and samples {samples}; give at least 1 for both")
