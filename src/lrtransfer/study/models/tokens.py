"""Checks of token inputs."""

from __future__ import annotations

import torch
from torch import Tensor


def check_block(block_size: int) -> None:
    """Check the longest sequence a model takes.

    Raises:
        ValueError: It is below 1.
    """
    if block_size < 1:
        raise ValueError(f"block_size is {block_size}. Give 1 or more tokens.")


def check_tokens(tokens: Tensor, block_size: int) -> None:
    """Check that `tokens` are numbers of shape (n, T) with T ≤ `block_size`.

    Raises:
        ValueError: Another dtype or shape, or a longer sequence.
    """
    if tokens.dtype != torch.int64 or tokens.ndim != 2:
        raise ValueError(
            f"inputs are {tokens.dtype} of shape {tuple(tokens.shape)}. Give int64 tokens (n, T)."
        )
    if tokens.shape[1] > block_size:
        raise ValueError(
            f"inputs have {tokens.shape[1]} tokens, more than block_size {block_size}. "
            "Give shorter sequences or a larger block_size."
        )
