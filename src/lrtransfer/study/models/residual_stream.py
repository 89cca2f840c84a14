"""The residual stream of transformers and mixers: two branches a block, L of them in all."""

from __future__ import annotations

from torch import Tensor, nn


def count_blocks(depth: int) -> int:
    """Return the number of blocks of a stream with `depth` residual branches, two a block.

    Raises:
        ValueError: `depth` is odd or below 2.
    """
    if depth < 2 or depth % 2:
        raise ValueError(
            f"depth is {depth}; it counts residual branches, two a block. Give an even number ≥ 2."
        )
    return depth // 2


def check_ratio(name: str, ratio: int) -> None:
    """Check the inner width of a feed-forward branch over that of the stream.

    Raises:
        ValueError: It is below 1.
    """
    if ratio < 1:
        raise ValueError(f"{name} is {ratio}. Give 1 or more.")


def flow(hidden: Tensor, branches: nn.ModuleList) -> Tensor:
    """Return h after h ← h + B(h) for each branch B, in order."""
    for branch in branches:
        hidden = hidden + branch(hidden)
    return hidden
