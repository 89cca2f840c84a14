"""Training in bfloat16: products in bfloat16, weights, norms, outputs and losses in float32.

Only the passes of an update run so. Probes, spectra and the optimizer see the float32 weights, the
masters, through the network itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Forward = Callable[[Tensor], Tensor]

_NORMS = (nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, _BatchNorm)


def in_bfloat16(forward: Forward, model: nn.Module) -> Forward:
    """Return a forward pass whose matrix products and convolutions are in bfloat16.

    Args:
        forward: Of `model`, perhaps wrapped.
        model: Of float32. Its norms take their inputs in float32 from now on: on a CPU autocast
            leaves them in whichever they come in.
    """
    for module in model.modules():
        if isinstance(module, _NORMS):
            module.register_forward_pre_hook(_widened)

    def mixed(inputs: Tensor) -> Tensor:
        with torch.autocast(inputs.device.type, torch.bfloat16):
            outputs = forward(inputs)
        return outputs.float()

    return mixed


def _widened(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(given.float() for given in inputs)
