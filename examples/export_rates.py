"""The rates of a plan as rules that another trainer reads.

python examples/export_rates.py
"""

import torch
from torch import Tensor, nn

import lrtransfer as lt


class Network(nn.Module):
    """Four residual blocks between an input and an output layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.readout = nn.Linear(8, width), nn.Linear(width, 2)
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(4))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits, shape (n, 2), for inputs of shape (n, 8)."""
        hidden = self.first(inputs)
        for block in self.blocks:
            hidden = hidden + torch.tanh(block(hidden))
        logits: Tensor = self.readout(hidden)
        return logits


groups = lt.parameterize(
    Network(64), "mup", base=Network(16), optimizer="adamw", lr=1e-2, weight_decay=0.1
)
print(lt.export_rates(groups, format="torchtitan"))
print(lt.export_rates(groups, format="multipliers"))
