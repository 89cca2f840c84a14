"""Training losses, found by file name: outputs (…, C), targets (…) -> mean over samples."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    LossFunction = Callable[[Tensor, Tensor], Tensor]


def loss_function(name: str) -> LossFunction:
    """Return the loss ``name``."""
    found: LossFunction = import_module(f"{__name__}.{name}").LOSS
    return found
