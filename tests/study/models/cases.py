"""Small float64 networks of every family, for the tests that all families share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lrtransfer.study.plan import catalog

CLASSES = 3


@dataclass(frozen=True)
class Case:
    """A net of a family, as the family's file describes it.

    Attributes:
        family: The family.
        sizes: The constructor's arguments, all but ``out_features``.
        branches: The number of residual branches that it should name.
        output: The last output of the filled net at `inputs`: of the last token, if it takes any.
    """

    family: str
    sizes: dict[str, Any]
    branches: int
    output: float

    def __str__(self) -> str:
        told = {k: v for k, v in self.sizes.items() if k not in {"image_size", "in_features"}}
        return "-".join([self.family, *(f"{k}={v}" for k, v in told.items())])


def _cases(family: str) -> Iterator[Case]:
    described = catalog.constant("models", family, "CASES")
    for sizes, branches, output in described["nets"]:
        yield Case(family, described["sizes"] | sizes, branches, output)


CASES = [case for family in catalog.families() for case in _cases(family)]
# One net of each family, the one with biases or norms where there is a choice.
FIRST = {case.family: case for case in reversed(CASES)}


def fill(model: nn.Module) -> nn.Module:
    """Give every tensor of ``model``, made float64, entries that depend on their place alone.

    Gains lie around one; matrices keep the size of what passes through them.
    """
    model.double()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            wave = _wave(parameter.numel()).view_as(parameter)
            if "gain" in name:
                parameter.copy_(1 + 0.3 * wave)
            elif "bias" in name:
                parameter.copy_(0.3 * wave)
            else:
                parameter.copy_(wave * (2 / parameter[0].numel()) ** 0.5)
    return model


def build(case: Case, **changes: Any) -> nn.Module:
    """Return the case's network, filled, with ``changes`` to its sizes."""
    sizes = {"out_features": CLASSES} | case.sizes | changes
    return fill(catalog.load("models", case.family)(**sizes))


def inputs(case: Case, n: int = 4) -> Tensor:
    """Return n inputs of the case's kind: tokens, or numbers of the flattened shape."""
    if block := case.sizes.get("block_size"):
        return (_wave(n * block).view(n, block) * 100).long() % CLASSES
    features = case.sizes["in_features"]
    return 1.4 * _wave(n * features).view(n, features)


def _wave(count: int) -> Tensor:
    """Return sin k² for k = 1…count: numbers without order, the same everywhere."""
    return torch.arange(1, count + 1).double().square().sin()
