"""Top singular values of weights and updates, and the spectral condition's share of them.

Features move alike at every width where ‖W‖op and ‖ΔW‖op grow as √(fan-out/fan-in) (Yang, Simon and
Bernstein 2023, 2310.17813).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def singular_values(weight: Tensor, k: int = 1) -> Tensor:
    """Return the k largest singular values, shape (k,), descending, in the weight's precision.

    Args:
        weight: A matrix (out, in), or a convolution's kernel (out, in, …), taken as (out, in·k²).
        k: How many; NaN stands for those beyond the shorter side.

    Raises:
        ValueError: `weight` is no matrix, or `k` is not positive.

    Example:
        >>> import torch
        >>> singular_values(torch.diag(torch.tensor([3.0, 5.0])), k=3).tolist()
        [5.0, 3.0, nan]
    """
    if weight.ndim < 2 or k < 1:
        raise ValueError(
            f"weight has shape {tuple(weight.shape)} and k is {k}; give a matrix and a positive k"
        )
    matrix = weight.detach().flatten(1)
    found = matrix.new_full((k,), math.nan)
    if not bool(torch.isfinite(matrix).all()):
        return found
    top = torch.linalg.svdvals(matrix)[:k]
    found[: len(top)] = top
    return found


def spectral_scale(weight: Tensor) -> float:
    """Return √(fan-out/fan-in) of a matrix (out, in) or a kernel (out, in, …).

    Example:
        >>> import torch
        >>> spectral_scale(torch.zeros(8, 2))
        2.0
    """
    return math.sqrt(len(weight) / weight[0].numel())
