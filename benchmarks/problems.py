"""The networks that benchmarks measure: structured data, one batch, plain training steps."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lrtransfer.study.plan.catalog import load

IMAGES: dict[str, Any] = {"in_features": 784, "out_features": 10}
TOKENS: dict[str, Any] = {"in_features": 0, "out_features": 64, "block_size": 32}
GROUP_NORM: dict[str, Any] = {"channels": 1, "image_size": 28, "norm": "group", "groups": 4}


@dataclass(frozen=True)
class Problem:
    """A network, its loss and one batch.

    Attributes:
        smoothing: share of every label spread over all classes: it keeps curvature at the minimum.
    """

    name: str
    model: nn.Module
    inputs: Tensor
    targets: Tensor
    smoothing: float = 0.0

    @property
    def batch(self) -> tuple[Tensor, Tensor]:
        """Inputs and targets."""
        return self.inputs, self.targets

    @property
    def device(self) -> torch.device:
        """Where the batch lies."""
        return self.inputs.device

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the cross-entropy, mean over samples and tokens."""
        logits = outputs.reshape(-1, outputs.shape[-1])
        return functional.cross_entropy(logits, targets.flatten(), label_smoothing=self.smoothing)

    def on(self, chosen: Tensor | slice) -> Problem:
        """Return the same network on some of the samples."""
        return replace(self, inputs=self.inputs[chosen], targets=self.targets[chosen])

    def gradient(self) -> tuple[Tensor, ...]:
        """Return the gradient: the unit of price."""
        loss = self.loss(self.model(self.inputs), self.targets)
        return torch.autograd.grad(loss, list(self.model.parameters()))

    def value(self) -> float:
        """Return the loss of the batch."""
        with torch.no_grad():
            return self.loss(self.model(self.inputs), self.targets).item()

    def train(self, steps: int, optimizer: torch.optim.Optimizer) -> None:
        """Take full-batch steps."""
        for _ in range(steps):
            pieces = self.gradient()
            for parameter, piece in zip(self.model.parameters(), pieces, strict=True):
                parameter.grad = piece
            optimizer.step()
            optimizer.zero_grad()

    def double(self) -> Problem:
        """Return a copy in float64."""
        inputs = self.inputs.double() if self.inputs.is_floating_point() else self.inputs
        return replace(self, model=copy.deepcopy(self.model).double(), inputs=inputs)


def make(
    name: str, family: str, samples: int, device: torch.device, seed: int = 0, **sizes: Any
) -> Problem:
    """Return a network of `family` at initialisation, with `samples` images or sequences."""
    torch.manual_seed(seed)
    model = load("models", family)(**sizes).to(device)
    if family == "gpt":
        text = _markov_chain(samples, sizes["block_size"] + 1, sizes["out_features"]).to(device)
        return Problem(name, model, text[:, :-1], text[:, 1:])
    labels = torch.randint(10, (samples,))
    inputs = torch.randn(10, 784)[labels] + 2.0 * torch.randn(samples, 784)
    return Problem(name, model, inputs.to(device), labels.to(device))


def _markov_chain(samples: int, length: int, states: int) -> Tensor:
    """Return sequences, shape (samples, length), of a chain with few likely successors."""
    rates = torch.softmax(2.0 * torch.randn(states, states), dim=1)
    columns = [torch.randint(states, (samples,))]
    for _ in range(length - 1):
        columns.append(torch.multinomial(rates[columns[-1]], 1).flatten())
    return torch.stack(columns, dim=1)
