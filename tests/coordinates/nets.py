"""Plain networks with roles, problems of them, and rules with a change in one place."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from lrtransfer.coordinates.networks import Network, Problem, scaled_network
from lrtransfer.scaling import table
from lrtransfer.scaling.roles import Roles
from lrtransfer.scaling.rules import Constants
from lrtransfer.scaling.symmetry import Family

INPUTS, OUTPUTS, HEADS, TOKENS = 16, 16, 2, 8
WIDTHS = (64, 128, 256)


class MLP(nn.Module):
    """h = W₀x; twice h + W φ(h); V φ(h)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed = nn.Linear(INPUTS, width, bias=False)
        self.branches = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(2))
        self.readout = nn.Linear(width, OUTPUTS, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.embed(inputs)
        for branch in self.branches:
            hidden = hidden + branch(hidden.relu())
        outputs: Tensor = self.readout(hidden.relu())
        return outputs

    def roles(self) -> Roles:
        hidden = {f"branches.{i}.weight": "hidden" for i in range(2)}
        ends = {"embed.weight": "input", "readout.weight": "output"}
        return Roles(ends | hidden, branches=["branches.0", "branches.1"])


class Logits(nn.Module):
    """Products of queries and keys over √d, by head."""

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        return queries @ keys.mT / math.sqrt(queries.shape[-1])


class Attention(nn.Module):
    """Self-attention of two heads whose dimension grows, over a normed input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query, self.key, self.value, self.projection = (
            nn.Linear(width, width, bias=False) for _ in range(4)
        )
        self.logits = Logits()

    def forward(self, hidden: Tensor) -> Tensor:
        given = hidden / hidden.square().mean(-1, keepdim=True).sqrt()
        q, k, v = (
            layer(given).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        mixed = self.logits(q, k).softmax(-1) @ v
        out: Tensor = self.projection(mixed.transpose(1, 2).flatten(2))
        return out


class Transformer(nn.Module):
    """Token embedding, one residual branch of attention, and a readout."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.head = width // HEADS
        self.embed = nn.Embedding(OUTPUTS, width)
        self.attention = Attention(width)
        self.readout = nn.Linear(width, OUTPUTS, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.embed(tokens)
        outputs: Tensor = self.readout(hidden + self.attention(hidden))
        return outputs

    def roles(self) -> Roles:
        names = ("query", "key", "value", "projection")
        hidden = {f"attention.{name}.weight": "hidden" for name in names}
        return Roles(
            {"embed.weight": "embedding", "readout.weight": "output"} | hidden,
            branches=["attention"],
            attention_logits={"attention.logits": self.head},
        )


Make = Callable[[int], "MLP | Transformer"]


def rules(name: str, family: Family) -> table.Rules:
    return table.rules(name, family)


def changed(rules: Mapping[str, Any], role: str, quantity: str, **power: Any) -> dict[str, Any]:
    """Return ``rules`` with one quantity of one role put as told."""
    own = deepcopy(dict(rules))
    own[role][quantity] = {k: v if k == "factor" else {"constant": v} for k, v in power.items()}
    return own


def problem(
    make_model: Make,
    rules: Mapping[str, Any],
    family: Family,
    *,
    widths: tuple[int, ...] = WIDTHS,
    learning_rate: float | None = None,
) -> Problem:
    """Return networks of ``make_model`` under ``rules``, stepped by SGD or AdamW, and noise."""

    def network(width: int, seed: int) -> Network:
        model = make_model(width)
        return scaled_network(
            model,
            model.roles(),
            rules,
            Constants(base_width=widths[0], base_depth=2),
            family=family,
            width=width,
            depth=2,
            generator=torch.Generator().manual_seed(seed),
            learning_rate=learning_rate,
        )

    random = torch.Generator().manual_seed(7)
    if make_model is Transformer:
        shape: tuple[int, ...] = (2, TOKENS)
        inputs = torch.randint(OUTPUTS, shape, generator=random)
    else:
        shape = (8,)
        inputs = torch.randn(*shape, INPUTS, generator=random, dtype=torch.float64)
    signs = torch.randn(*shape, OUTPUTS, generator=random, dtype=torch.float64).sign()
    stepper = torch.optim.SGD if family == "sgd" else torch.optim.AdamW
    return Problem(widths, network, stepper, inputs, signs)
