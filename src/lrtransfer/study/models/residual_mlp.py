"""Residual multi-layer perceptron of Noci et al. (2024), §2, without its scaling factors."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from lrtransfer.scaling.roles import Roles

Activation = Literal["relu", "tanh", "gelu", "linear"]

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "linear": nn.Identity,
}


class ResidualMLP(nn.Module):
    """h¹ = W⁰x;  h^{l+1} = τ h^l + B_l(h^l), l = 1…L;  f = W^{L+1} φ(h^{L+1}).

    A branch B_l applies the activation φ and then a bias-free linear map, `layers_per_branch`
    times. The width factors (N^-1/2), the depth factor (L^-α on the branches) and the output
    scale (1/γ) of the paper belong to a parameterization, which adds them from outside.

    Args:
        in_features: Input dimension D; inputs of shape (n, …) are flattened to (n, D).
        out_features: Number of outputs C.
        width: Hidden dimension N.
        depth: Number L of residual branches.
        layers_per_branch: Linear maps k in each branch.
        skip: The skip switch τ: 1 keeps the residual stream, 0 gives a plain network.
        activation: φ: `relu`, `tanh`, `gelu` or `linear`.
    """

    def __init__(
        self,
        *,
        in_features: int,
        out_features: int,
        width: int,
        depth: int = 3,
        layers_per_branch: int = 1,
        skip: float = 1.0,
        activation: Activation = "relu",
    ) -> None:
        super().__init__()
        if layers_per_branch < 1:
            raise ValueError(f"layers_per_branch is {layers_per_branch}. Give 1 or more.")
        self.skip = skip
        self.embed = nn.Linear(in_features, width, bias=False)
        self.branches = nn.ModuleList(
            _branch(width, layers_per_branch, activation) for _ in range(depth)
        )
        self.activation = _ACTIVATIONS[activation]()
        self.readout = nn.Linear(width, out_features, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs, shape (n, C), for inputs of shape (n, …)."""
        hidden = self.embed(inputs.flatten(1))
        for branch in self.branches:
            hidden = torch.add(branch(hidden), hidden, alpha=self.skip)
        outputs: Tensor = self.readout(self.activation(hidden))
        return outputs

    def roles(self) -> Roles:
        """Name the role of every weight, and the modules that are residual branches."""
        tensors = {"embed.weight": "input", "readout.weight": "output"}
        tensors |= {
            name: "hidden" for name, _ in self.named_parameters() if name.startswith("branches.")
        }
        return Roles(tensors, branches=[f"branches.{i}" for i in range(len(self.branches))])


def _branch(width: int, layers: int, activation: Activation) -> nn.Sequential:
    parts: list[nn.Module] = []
    for _ in range(layers):
        parts += [_ACTIVATIONS[activation](), nn.Linear(width, width, bias=False)]
    return nn.Sequential(*parts)


COORDINATE_CHECK = {"widths": (64, 128, 256, 512), "samples": 8}
ROLES = ("input", "hidden", "output", "branch")
# Small nets for shared tests: sizes in common; of each net the others, how many residual branches
# it has, and its last output there.
CASES = {
    "sizes": {"in_features": 6},
    "nets": [
        ({"width": 4, "depth": 2, "activation": "tanh"}, 2, -1.7802529086047945),
    ],
}
MODEL = ResidualMLP
