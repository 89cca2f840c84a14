"""Optimizers whose update of a tensor is one kernel: other last digits, less time."""

from __future__ import annotations

import torch

_HAVE_ONE = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW)


def fuse(optimizer: torch.optim.Optimizer) -> None:
    """Let an optimizer that has not stepped yet use torch's fused kernels.

    Raises:
        ValueError: torch has none for it.
    """
    if type(optimizer) not in _HAVE_ONE:
        known = ", ".join(kind.__name__ for kind in _HAVE_ONE)
        raise ValueError(
            f"fused: torch has no fused {type(optimizer).__name__}, only {known}. Remove it."
        )
    for group in optimizer.param_groups:
        group["fused"], group["foreach"] = True, False
