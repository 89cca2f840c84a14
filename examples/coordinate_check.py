"""Does a rule keep what one's own network computes the same size at every width?

    python examples/coordinate_check.py

A few tiny steps at four widths, once under μP and once under the standard parameterization, where
the hidden and the output weights are named, whose updates grow with the width.
"""

from torch import Tensor, nn

import lrtransfer as lt


class Network(nn.Module):
    """A residual block between an input and an output layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(10, width)
        self.block = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU())
        self.readout = nn.Linear(width, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits, shape (n, 5), for inputs of shape (n, 10)."""
        hidden = self.first(inputs)
        logits: Tensor = self.readout(hidden + self.block(hidden))
        return logits


for rule in ("mup", "sp"):
    check = lt.coordinate_check(Network, widths=[32, 64, 128, 256], rule=rule)
    print(f"{rule}:", check, sep="\n")
    print(f"fix these: {', '.join(check.failing)}\n" if check.failing else "")
    check.figure(f"coordinates_{rule}.png")
