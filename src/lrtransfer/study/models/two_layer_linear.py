"""Two-layer linear network of Noci et al. (2024), §5, without its scaling factors."""

from __future__ import annotations

from torch import Tensor, nn

from lrtransfer.scaling.roles import Roles


class TwoLayerLinear(nn.Module):
    """f(x) = x E V, with E of shape (D, N) and V of shape (N, C), stored transposed.

    The paper's factor 1/(γ√(ND)) belongs to a parameterization: 1/√D on E, 1/(γ√N) on V.

    Args:
        in_features: Input dimension D; inputs of shape (n, …) are flattened to (n, D).
        out_features: Number of outputs C.
        width: Hidden dimension N.
        depth: Number of hidden layers, 1 by construction.

    Raises:
        ValueError: `depth` is not 1.
    """

    def __init__(self, *, in_features: int, out_features: int, width: int, depth: int = 1) -> None:
        super().__init__()
        if depth != 1:
            raise ValueError(f"depth is {depth}; this network has one hidden layer. Give depth 1.")
        self.embed = nn.Linear(in_features, width, bias=False)
        self.readout = nn.Linear(width, out_features, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs, shape (n, C), for inputs of shape (n, …)."""
        outputs: Tensor = self.readout(self.embed(inputs.flatten(1)))
        return outputs

    def roles(self) -> Roles:
        """Name the role of both matrices; there is no branch."""
        return Roles({"embed.weight": "input", "readout.weight": "output"})


COORDINATE_CHECK = {"widths": (64, 128, 256, 512), "samples": 8}
ROLES = ("input", "output")
# Small nets for shared tests: sizes in common; of each net the others, how many residual branches
# it has, and its last output there.
CASES = {
    "sizes": {"in_features": 6},
    "nets": [
        ({"width": 4}, 0, -2.505628679194265),
    ],
}
MODEL = TwoLayerLinear
