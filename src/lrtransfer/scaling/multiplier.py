"""Forward multipliers, added to a plain module from outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class Multiply:
    """A forward hook that multiplies a module's output by `factor`; picklable by design."""

    factor: float

    def __call__(self, module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        """Return the scaled output."""
        return output * self.factor


def multiply_output(module: nn.Module, factor: float) -> None:
    """Scale what `module` returns; a factor of one adds nothing. State-dict keys stay."""
    if factor != 1.0:
        module.register_forward_hook(Multiply(factor))
