"""Trained vectors and tables as submodules, and the affine map made of them.

A parameterization multiplies the output of the submodule that holds a tensor. A bias inside
`nn.Linear` would share that multiplier with the weight (and pass it twice), so here every
trained tensor is alone in its submodule and enters the network as m·p.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LearnedTensor(nn.Module):
    """A trained tensor p that takes no input; calling the module returns it.

    Args:
        shape: The shape of p.
        mean: Mean of its initial entries.
        std: Standard deviation of its initial entries.
    """

    def __init__(self, *shape: int, mean: float = 0.0, std: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(mean + std * torch.randn(shape))

    def forward(self) -> Tensor:
        """Return p."""
        return self.weight


class Affine(nn.Module):
    """y = W x + b on the last axis, with W in the submodule `map` and b in `bias`.

    Args:
        in_features: Size of the last axis of x.
        out_features: Size of the last axis of y.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.map = nn.Linear(in_features, out_features, bias=False)
        self.bias = LearnedTensor(out_features)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return y, shape (…, out_features), for x of shape (…, in_features)."""
        outputs: Tensor = self.map(inputs) + self.bias()
        return outputs


def linear(in_features: int, out_features: int, *, bias: bool) -> nn.Module:
    """Return a linear map, with a bias of its own submodule where `bias` asks for one."""
    if bias:
        return Affine(in_features, out_features)
    return nn.Linear(in_features, out_features, bias=False)
