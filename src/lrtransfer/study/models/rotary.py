"""Rotary position embedding (Su et al. 2021, RoFormer)."""

from __future__ import annotations

import torch
from torch import Tensor


def rotate(vectors: Tensor, base: float) -> Tensor:
    """Rotate query or key vectors by angles that grow with their position.

    Pair j of a vector's entries, (j, j + d/2), turns by t·base^(−2j/d) at position t, so that
    the inner product of two rotated vectors depends on their distance alone (eq. 34, with the
    pairing of the LLaMA release).

    Args:
        vectors: Shape (…, T, d), d even; position t is the index on the axis before the last.
        base: θ, 10,000 in the paper.

    Returns:
        The rotated vectors, of the same shape and norms.

    Raises:
        ValueError: d is odd.
    """
    length, size = vectors.shape[-2:]
    if size % 2:
        raise ValueError(f"the head dimension is {size}; rotary embedding needs an even one.")
    # Angles are taken in float64: float32 loses digits at large positions.
    places = torch.arange(length, device=vectors.device, dtype=torch.float64)
    exponents = torch.arange(0, size, 2, device=vectors.device, dtype=torch.float64) / size
    angles = torch.outer(places, base**-exponents)
    cos, sin = angles.cos().to(vectors.dtype), angles.sin().to(vectors.dtype)
    first, second = vectors.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
