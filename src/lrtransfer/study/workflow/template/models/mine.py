"""My model: a plain `nn.Module`, and what makes one of a width and a depth."""

from torch import Tensor, nn


class Mine(nn.Module):
    """A network of residual layers: inputs (n, …) -> outputs (n, out_features).

    `in_features` and `out_features` come from the data, `width` and `depth` from the grid; what
    else stands here is an option that params.yaml may set. A model of tokens (n, T) has an option
    `block_size`, the T, and returns (n, T, out_features).
    """

    def __init__(
        self,
        *,
        in_features: int,
        out_features: int,
        width: int,
        depth: int,
        activation: str = "relu",
    ) -> None:
        super().__init__()
        self.act = {"relu": nn.ReLU(), "gelu": nn.GELU(), "tanh": nn.Tanh()}[activation]
        self.embed = nn.Linear(in_features, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.readout = nn.Linear(width, out_features)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs."""
        hidden = self.embed(inputs.flatten(1))
        for layer in self.layers:
            hidden = hidden + layer(self.act(hidden))
        outputs: Tensor = self.readout(self.act(hidden))
        return outputs


MODEL = Mine
# What `lrtransfer.parameterize` cannot see, if anything: the role of a tensor of your own making,
# the modules that end in a residual stream:
# LAYOUT = {"roles": {"layers.*.log_decay": "bias"}, "branches": "layers.*"}
