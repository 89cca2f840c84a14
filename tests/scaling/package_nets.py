"""Two nets as a user of the package ``mup`` writes them, and their twins in plain torch."""

from __future__ import annotations

import mup  # type: ignore[import-untyped]
import torch
from torch import Tensor, nn

from lrtransfer.scaling.roles import Roles
from lrtransfer.study.models.attention import AttentionLogits

INPUTS, CLASSES, VOCABULARY, BLOCK, HEADS = 5, 3, 7, 4, 2


class OverHeadDimension(nn.Module):
    """q kᵀ/d, the package's advice for attention."""

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return the logits."""
        return (queries @ keys.transpose(-2, -1)) / queries.shape[-1]


def readout(width: int, *, package: bool, output_mult: float) -> nn.Module:
    """Return the last layer: ``MuReadout``, or a plain one."""
    if not package:
        return nn.Linear(width, CLASSES, bias=False)
    made: nn.Module = mup.MuReadout(width, CLASSES, bias=False, output_mult=output_mult)
    return made


class MLP(nn.Module):
    """Two hidden layers with biases."""

    roles = Roles(
        {
            "embed.weight": "input",
            "embed.bias": "bias",
            "hidden.weight": "hidden",
            "hidden.bias": "bias",
            "readout.weight": "output",
        }
    )

    def __init__(self, width: int, *, package: bool, output_mult: float = 1.0) -> None:
        super().__init__()
        self.embed = nn.Linear(INPUTS, width)
        self.hidden = nn.Linear(width, width)
        self.readout = readout(width, package=package, output_mult=output_mult)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs, shape (n, C)."""
        outputs: Tensor = self.readout(self.hidden(self.embed(inputs).tanh()).tanh())
        return outputs


class Transformer(nn.Module):
    """One block of attention and a feed-forward map of inner width 2N, with affine layer norms."""

    roles = Roles(
        {
            "embed.weight": "embedding",
            "positions.weight": "positional",
            "first_norm.weight": "norm_gain",
            "first_norm.bias": "bias",
            "query.weight": "hidden",
            "key.weight": "hidden",
            "value.weight": "hidden",
            "second_norm.weight": "norm_gain",
            "second_norm.bias": "bias",
            "expand.weight": "hidden",
            "expand.bias": "bias",
            "contract.weight": "hidden",
            "contract.bias": "bias",
            "readout.weight": "output",
        },
    )

    def __init__(self, width: int, *, package: bool, output_mult: float = 1.0) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, width)
        self.positions = nn.Embedding(BLOCK, width)
        self.first_norm = nn.LayerNorm(width)
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.logits = OverHeadDimension() if package else AttentionLogits(width // HEADS)
        self.second_norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 2 * width)
        self.contract = nn.Linear(2 * width, width)
        self.readout = readout(width, package=package, output_mult=output_mult)
        self.roles = Roles(self.roles.tensors, attention_logits={"logits": width // HEADS})

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the outputs, shape (n, T, C), for tokens (n, T)."""
        hidden = self.embed(tokens) + self.positions.weight
        normed = self.first_norm(hidden)
        queries, keys, values = (
            m(normed).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for m in (self.query, self.key, self.value)
        )
        mixed = self.logits(queries, keys).softmax(-1) @ values
        hidden = hidden + mixed.transpose(1, 2).flatten(2)
        hidden = hidden + self.contract(self.expand(self.second_norm(hidden)).tanh())
        outputs: Tensor = self.readout(hidden)
        return outputs


Net = MLP | Transformer


def with_base_shapes(kind: type[Net], width: int, base_width: int, *, output_mult: float) -> Net:
    """Return the package's net with its base shapes set and zero biases, in float64."""
    net = kind(width, package=True, output_mult=output_mult).double()
    base, delta = (kind(n, package=True) for n in (base_width, base_width + HEADS))
    mup.set_base_shapes(net, base, delta=delta)
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
    return net


def batch(net: Net) -> tuple[Tensor, Tensor]:
    """Return inputs of the net's kind and targets of its outputs' shape."""
    random = torch.Generator().manual_seed(4)
    if isinstance(net, MLP):
        inputs = torch.randn(12, INPUTS, generator=random, dtype=torch.float64)
    else:
        inputs = torch.randint(0, VOCABULARY, (6, BLOCK), generator=random)
    return inputs, torch.randn(net(inputs).shape, generator=random, dtype=torch.float64)
