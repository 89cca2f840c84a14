"""A net of one hidden layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lrtransfer.scaling.roles import Roles


class Added(nn.Module):
    """x (n, D) -> V·tanh(Ux), shape (n, C)."""

    def __init__(
        self, *, in_features: int, out_features: int, width: int, depth: int = 1, slope: float = 1.0
    ) -> None:
        super().__init__()
        self.slope = slope
        self.embed = nn.Linear(in_features, width, bias=False)
        self.readout = nn.Linear(width, out_features, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs."""
        hidden = torch.tanh(self.slope * self.embed(inputs.flatten(1)))
        outputs: Tensor = self.readout(hidden)
        return outputs

    def roles(self) -> Roles:
        """Return what each tensor is."""
        return Roles({"embed.weight": "input", "readout.weight": "output"})


CASES = {
    "sizes": {"in_features": 6, "width": 4},
    "nets": [({"slope": 0.5}, 0, -0.9646052320759363)],
}
ROLES = ("input", "output")
MODEL = Added
