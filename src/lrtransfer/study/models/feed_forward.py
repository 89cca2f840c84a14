"""The feed-forward branches of transformers and mixers."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from lrtransfer.study.models.activations import activation as activation_module
from lrtransfer.study.models.affine import linear


class FeedForward(nn.Module):
    """x ↦ W₂ φ(W₁ x) on the last axis.

    Args:
        features: Size of the last axis.
        hidden: Size of the inner layer.
        activation: Name of φ.
        bias: Whether the two maps have biases.
    """

    def __init__(self, features: int, hidden: int, *, activation: str, bias: bool) -> None:
        super().__init__()
        self.expand = linear(features, hidden, bias=bias)
        self.activation = activation_module(activation)
        self.contract = linear(hidden, features, bias=bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs, of the inputs' shape."""
        outputs: Tensor = self.contract(self.activation(self.expand(inputs)))
        return outputs


class SwiGLU(nn.Module):
    """x ↦ W₂ (silu(W_g x) ⊙ W₁ x) on the last axis (Shazeer 2020, eq. 6), without biases.

    Args:
        features: Size of the last axis.
        hidden: Size of the inner layer.
    """

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Linear(features, hidden, bias=False)
        self.expand = nn.Linear(features, hidden, bias=False)
        self.contract = nn.Linear(hidden, features, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs, of the inputs' shape."""
        outputs: Tensor = self.contract(functional.silu(self.gate(inputs)) * self.expand(inputs))
        return outputs
