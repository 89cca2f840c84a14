"""Plain convolutional networks of Noci et al. (2024), without their scaling factors."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from lrtransfer.scaling.role_names import tensor_roles
from lrtransfer.scaling.roles import Roles
from lrtransfer.study.models.activations import activation as activation_module
from lrtransfer.study.models.images import as_images, check_image

Activation = Literal["relu", "tanh", "gelu", "linear"]

_STRIDES = {2: (2, 4), 3: (2, 1, 1)}


class ConvNet(nn.Module):
    """3×3 convolutions, each followed by the activation and a 2×2 max-pool; a linear readout.

    Two convolutions, of strides 2 and 4, are the authors' SimpleConvNet (Fig. 1): a 32×32 or
    28×28 image becomes one pixel. Three, of strides 2, 1 and 1, are a plain 3-layer network: a
    32×32 image becomes 2×2 pixels. No biases. The authors' network without skip connections is
    the family `residual_convnet` with `skip` zero.

    Args:
        in_features: Numbers per image; inputs of shape (n, …) are read as (n, channels, s, s).
        out_features: Number of outputs C.
        width: Number N of channels of every convolution.
        depth: Number of convolutions: 2 or 3.
        channels: Channels of the image.
        image_size: Side s of the image, in pixels.
        activation: `relu`, `tanh`, `gelu` or `linear`.

    Raises:
        ValueError: `depth` is another number, `channels` and `image_size` do not fit
            `in_features`, or the image is too small for the max-pools.
    """

    def __init__(
        self,
        *,
        in_features: int,
        out_features: int,
        width: int,
        depth: int = 2,
        channels: int = 1,
        image_size: int = 28,
        activation: Activation = "relu",
    ) -> None:
        super().__init__()
        check_image(in_features, channels, image_size)
        if depth not in _STRIDES:
            raise ValueError(f"depth is {depth}. Give 2 or 3 convolutions.")
        self._image = (channels, image_size)
        self.activation = activation_module(activation)
        self.pool = nn.MaxPool2d(2)
        self.convolutions = nn.ModuleList()
        side, fan = image_size, channels
        for stride in _STRIDES[depth]:
            self.convolutions.append(nn.Conv2d(fan, width, 3, stride, padding=1, bias=False))
            side, fan = ((side - 1) // stride + 1) // 2, width
        if side < 1:
            raise ValueError(f"image_size is {image_size}, too small for {depth} max-pools.")
        self.readout = nn.Linear(width * side**2, out_features, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs, shape (n, C), for inputs of shape (n, …)."""
        hidden = as_images(inputs, *self._image)
        for convolution in self.convolutions:
            hidden = self.pool(self.activation(convolution(hidden)))
        outputs: Tensor = self.readout(hidden.flatten(1))
        return outputs

    def roles(self) -> Roles:
        """Name the role of every weight; there is no branch."""
        return Roles(tensor_roles(self, {"convolutions.0": "input", "readout": "output"}))


COORDINATE_CHECK = {"samples": 8, "options": {"channels": 1, "image_size": 20}}
ROLES = ("input", "hidden", "output")
# Small nets for shared tests: sizes in common; of each net the others, how many residual branches
# it has, and its last output there.
CASES = {
    "sizes": {"channels": 2, "activation": "tanh", "width": 2},
    "nets": [
        ({"in_features": 512, "image_size": 16, "depth": 3}, 0, -0.10726498866192347),
        ({"in_features": 800, "image_size": 20, "depth": 2}, 0, -0.47765877976137444),
    ],
}
MODEL = ConvNet
