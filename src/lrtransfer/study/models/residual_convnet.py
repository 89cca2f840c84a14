"""Residual convolutional network of Noci et al. (2024), without its scaling factors."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from lrtransfer.scaling.role_names import tensor_roles
from lrtransfer.scaling.roles import Roles
from lrtransfer.study.models.activations import activation as activation_module
from lrtransfer.study.models.images import as_images, check_image
from lrtransfer.study.models.norms import image_norm

Activation = Literal["relu", "tanh", "gelu", "linear"]
NormKind = Literal["none", "batch", "layer", "group"]

_STAGES = 3


class ResidualConvNet(nn.Module):
    """Three stages: a 3×3 convolution, L/3 residual branches, a 2×2 max-pool; a linear readout.

    A branch applies the activation, a 3×3 convolution and the norm, `layers_per_branch` times:
    h ← τ h + B(h). All stages have the same number of channels. As in the authors' released
    `ConvNet`, the convolution that opens a stage has no activation after it. No biases beside
    the norm's.

    Args:
        in_features: Numbers per image; inputs of shape (n, …) are read as (n, channels, s, s).
        out_features: Number of outputs C.
        width: Number N of channels; the readout sees N times the pixels that are left.
        depth: Number L of residual branches, a multiple of 3.
        channels: Channels of the image.
        image_size: Side s of the image, in pixels.
        layers_per_branch: Convolutions k in each branch.
        skip: The skip switch τ: 1 keeps the residual stream, 0 gives a plain network.
        stride: Stride of the first convolution.
        activation: `relu`, `tanh`, `gelu` or `linear`.
        norm: `none`, `batch`, `layer` (over channels) or `group`.
        groups: Groups of group norm.

    Raises:
        ValueError: `depth` is no positive multiple of 3, `layers_per_branch` or `stride`
            is below 1, `channels` and `image_size` do not fit `in_features`, the image is
            too small for the max-pools, or `groups` does not divide `width`.
    """

    def __init__(
        self,
        *,
        in_features: int,
        out_features: int,
        width: int,
        depth: int = 3,
        channels: int = 1,
        image_size: int = 28,
        layers_per_branch: int = 1,
        skip: float = 1.0,
        stride: int = 2,
        activation: Activation = "relu",
        norm: NormKind = "none",
        groups: int = 1,
    ) -> None:
        super().__init__()
        check_image(in_features, channels, image_size)
        if depth < _STAGES or depth % _STAGES:
            raise ValueError(f"depth is {depth}. Give a positive multiple of {_STAGES} branches.")
        if layers_per_branch < 1:
            raise ValueError(f"layers_per_branch is {layers_per_branch}. Give 1 or more.")
        if stride < 1:
            raise ValueError(f"stride is {stride}. Give 1 or more.")
        side = ((image_size - 1) // stride + 1) // 2**_STAGES
        if side < 1:
            raise ValueError(f"image_size is {image_size}, too small for {_STAGES} max-pools.")
        self._image = (channels, image_size)
        self.skip = skip
        self.pool = nn.MaxPool2d(2)
        self.embed = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.transitions = nn.ModuleList(_convolution(width) for _ in range(_STAGES - 1))
        self.branches = nn.ModuleList()
        for _ in range(depth):
            parts: list[nn.Module] = []
            for _ in range(layers_per_branch):
                parts += [activation_module(activation), _convolution(width)]
                if norm != "none":
                    parts.append(image_norm(norm, width, groups=groups))
            self.branches.append(nn.Sequential(*parts))
        self.readout = nn.Linear(width * side**2, out_features, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs, shape (n, C), for inputs of shape (n, …)."""
        hidden = as_images(inputs, *self._image)
        per_stage = len(self.branches) // _STAGES
        for stage, opening in enumerate([self.embed, *self.transitions]):
            hidden = opening(hidden)
            for branch in self.branches[stage * per_stage : (stage + 1) * per_stage]:
                hidden = torch.add(branch(hidden), hidden, alpha=self.skip)
            hidden = self.pool(hidden)
        outputs: Tensor = self.readout(hidden.flatten(1))
        return outputs

    def roles(self) -> Roles:
        """Name the role of every weight, and the modules that are residual branches."""
        tensors = tensor_roles(self, {"embed": "input", "readout": "output"})
        return Roles(tensors, branches=[f"branches.{i}" for i in range(len(self.branches))])


def _convolution(width: int) -> nn.Conv2d:
    return nn.Conv2d(width, width, 3, padding=1, bias=False)


COORDINATE_CHECK = {"options": {"channels": 1, "image_size": 8, "stride": 1, "norm": "layer"}}
ROLES = ("input", "hidden", "output", "norm_gain", "bias", "branch")
# Small nets for shared tests: sizes in common; of each net the others, how many residual branches
# it has, and its last output there.
CASES = {
    "sizes": {
        "in_features": 128,
        "channels": 2,
        "image_size": 8,
        "activation": "tanh",
        "stride": 1,
        "layers_per_branch": 2,
    },
    "nets": [
        ({"norm": "group", "width": 2, "groups": 2}, 3, -1.349280524543209),
        ({"norm": "none", "width": 2}, 3, -0.44674717232216826),
        ({"norm": "batch", "width": 2}, 3, -0.04503178936103378),
        ({"norm": "layer", "width": 4}, 3, -0.5163782986794654),
    ],
}
MODEL = ResidualConvNet
