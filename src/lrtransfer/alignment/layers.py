"""Layers that own a weight matrix: linear maps, convolutions as maps of patches, table lookups."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

_CONVOLUTIONS: dict[int, Callable[..., Tensor]] = {
    1: functional.conv1d,
    2: functional.conv2d,
    3: functional.conv3d,
}
_Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d


@dataclass(frozen=True)
class WeightLayer:
    """A module that multiplies its inputs, as columns of a matrix X, by its `weight`.

    - `nn.Linear`: a column for each vector of inputs.
    - `nn.Conv1d/2d/3d`: a column for each patch, zeros where it leaves the image. With groups W
      is block-diagonal, and a column is the patch of all groups.
    - `nn.Embedding`: a one-hot column for each token, so that ‖X‖² is their number, and C the
      size of the vocabulary.

    A bias, and multipliers on the output, are no part of WX.

    Attributes:
        name: Name of the weight in `named_parameters(remove_duplicate=False)`.
        module: The module.
    """

    name: str
    module: nn.Module

    @property
    def weight(self) -> nn.Parameter:
        """W as it is now."""
        return cast("nn.Parameter", self.module._parameters["weight"])

    @property
    def fan_in(self) -> int:
        """C, the length of X's columns."""
        if isinstance(self.module, nn.Embedding):
            return len(self.weight)
        groups = self.module.groups if isinstance(self.module, _Convolution) else 1
        return self.weight[0].numel() * groups

    def outputs(self, inputs: Tensor, weight: Tensor) -> Tensor:
        """Return WX, in the shape that the module gives its outputs."""
        module = self.module
        if isinstance(module, nn.Embedding):
            return functional.embedding(inputs, weight)
        inputs = inputs.to(weight.dtype)
        if isinstance(module, _Convolution):
            return _convolve(module, inputs, weight, module.groups)
        return functional.linear(inputs, weight)

    def squared_inputs(self, inputs: Tensor, dtype: torch.dtype) -> Tensor:
        """Return ‖X‖², in float64; a pixel counts once for every patch that it lies in."""
        module = self.module
        if isinstance(module, nn.Embedding):
            return torch.tensor(inputs.numel(), dtype=torch.float64, device=inputs.device)
        squares = inputs.to(dtype).square()
        if isinstance(module, _Convolution):
            channels = -1 - len(module.kernel_size)
            kernel = squares.new_ones(1, 1, *module.kernel_size)
            squares = _convolve(module, squares.sum(channels, keepdim=True), kernel, 1)
        return squares.sum(dtype=torch.float64)


def weight_layers(model: nn.Module, skip: Collection[str] = ()) -> Iterator[WeightLayer]:
    """Yield the layers of `model` that can be measured, in its order, shared modules once.

    Trained tensors of other modules (norms, biases, positions, attention's fused projections) are
    no layers of this kind.

    Args:
        model: Any module.
        skip: Names of weights to leave out, as in `named_parameters`.

    Raises:
        ValueError: A layer has a form for which WX is not defined here, or `skip` names none.

    Example:
        >>> from torch import nn
        >>> [layer.name for layer in weight_layers(nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3)))]
        ['0.weight']
    """
    skipped = set(skip)
    for path, module in model.named_modules():
        if not isinstance(module, nn.Linear | _Convolution | nn.Embedding):
            continue
        name = f"{path}.weight" if path else "weight"
        if name in skipped:
            skipped.remove(name)
            continue
        if problem := _problem(module):
            raise ValueError(f"{name!r} {problem}. Leave it out with skip=[{name!r}].")
        yield WeightLayer(name, module)
    if skipped:
        raise ValueError(f"skip names {sorted(skipped)}, no weight of a layer of the model.")


def _problem(module: nn.Module) -> str | None:
    if not isinstance(module._parameters.get("weight"), nn.Parameter):
        return "is computed from other parameters, so that no optimizer step moves it"
    if isinstance(module, _Convolution) and module.padding_mode != "zeros":
        return f"pads its images by {module.padding_mode!r}, which has no matrix of patches here"
    if isinstance(module, nn.Embedding) and module.max_norm is not None:
        return "has max_norm, which changes the weight in the forward pass"
    return None


def _convolve(module: _Convolution, images: Tensor, kernel: Tensor, groups: int) -> Tensor:
    convolution = _CONVOLUTIONS[len(module.kernel_size)]
    strides = (module.stride, module.padding, module.dilation)
    return convolution(images, kernel, None, *strides, groups)
