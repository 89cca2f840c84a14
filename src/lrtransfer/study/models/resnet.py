"""ResNet-18, -34 and -50 (He et al. 2016) with a choice of norm, without scaling factors."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from lrtransfer.scaling.role_names import tensor_roles
from lrtransfer.scaling.roles import Roles
from lrtransfer.study.models.activations import activation as activation_module
from lrtransfer.study.models.images import as_images, check_image
from lrtransfer.study.models.norms import image_norm

Activation = Literal["relu", "tanh", "gelu"]
NormKind = Literal["none", "batch", "layer", "group"]
Stem = Literal["cifar", "imagenet"]
Variant = Literal[18, 34, 50]

_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
_BOTTLENECK_EXPANSION = 4


class ResNet(nn.Module):
    """Four stages of blocks h ← φ(S(h) + B(h)), the mean over pixels, a linear readout.

    B is two 3×3 convolutions (18, 34) or 1×1, 3×3, 1×1 with four times the channels at its end
    (50), each followed by the norm, φ between them. S is the identity, or a strided 1×1
    convolution and norm where the shape changes. Channels double and pixels halve from stage to
    stage. No biases beside the norm's.

    Args:
        in_features: Numbers per image; inputs of shape (n, …) are read as (n, channels, s, s).
        out_features: Number of outputs C.
        width: Channels N of the first stage, 64 in the paper; all others are multiples of it.
        depth: Number L of residual branches, a multiple m of the variant's own (8 for 18; 16 for
            34 and 50): every stage has m times its blocks.
        variant: 18, 34 or 50.
        channels: Channels of the image.
        image_size: Side s of the image, in pixels.
        stem: `imagenet`: 7×7 of stride 2 and a max-pool; `cifar`: 3×3 of stride 1.
        activation: φ: `relu`, `tanh` or `gelu`.
        norm: `none`, `batch`, `layer` (over channels) or `group`.
        groups: Groups of group norm.

    Raises:
        ValueError: `depth` is no multiple of the variant's, `variant` or `stem` is unknown,
            `channels` and `image_size` do not fit `in_features`, or `groups` does not
            divide the channels.
    """

    def __init__(
        self,
        *,
        in_features: int,
        out_features: int,
        width: int,
        depth: int = 8,
        variant: Variant = 18,
        channels: int = 3,
        image_size: int = 32,
        stem: Stem = "cifar",
        activation: Activation = "relu",
        norm: NormKind = "none",
        groups: int = 32,
    ) -> None:
        super().__init__()
        check_image(in_features, channels, image_size)
        repeats = _repeats(variant, depth)
        self._image = (channels, image_size)
        self.embed = _stem(stem, channels, width)
        self.embed_norm = image_norm(norm, width, groups=groups)
        self.activation = activation_module(activation)
        self.stem_pool = nn.MaxPool2d(3, 2, padding=1) if stem == "imagenet" else nn.Identity()
        self.branches = nn.ModuleList()
        self.shortcuts = nn.ModuleList()
        fan = width
        for stage, blocks in enumerate(_BLOCKS[variant]):
            inner = width * 2**stage
            for block in range(repeats * blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                plan = _plan(variant, fan, inner, stride)
                self.branches.append(_branch(plan, norm, groups, activation))
                out = plan[-1][1]
                shortcut: nn.Module = nn.Identity()
                if stride != 1 or fan != out:
                    shortcut = nn.Sequential(
                        nn.Conv2d(fan, out, 1, stride, bias=False),
                        image_norm(norm, out, groups=groups),
                    )
                self.shortcuts.append(shortcut)
                fan = out
        self.readout = nn.Linear(fan, out_features, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs, shape (n, C), for inputs of shape (n, …)."""
        hidden = self.embed(as_images(inputs, *self._image))
        hidden = self.stem_pool(self.activation(self.embed_norm(hidden)))
        for branch, shortcut in zip(self.branches, self.shortcuts, strict=True):
            hidden = self.activation(shortcut(hidden) + branch(hidden))
        outputs: Tensor = self.readout(hidden.mean((2, 3)))
        return outputs

    def roles(self) -> Roles:
        """Name the role of every weight, and the modules that are residual branches."""
        tensors = tensor_roles(self, {"embed": "input", "readout": "output"})
        return Roles(tensors, branches=[f"branches.{i}" for i in range(len(self.branches))])


def _repeats(variant: int, depth: int) -> int:
    if variant not in _BLOCKS:
        raise ValueError(f"variant is {variant}. Give 18, 34 or 50.")
    own = sum(_BLOCKS[variant])
    if depth < own or depth % own:
        raise ValueError(
            f"depth is {depth}, but ResNet-{variant} has {own} residual branches. "
            f"Give depth {own} or a multiple of it."
        )
    return depth // own


def _stem(stem: str, channels: int, width: int) -> nn.Conv2d:
    shapes = {"cifar": (3, 1), "imagenet": (7, 2)}
    if stem not in shapes:
        raise ValueError(f"stem is {stem!r}. Give cifar or imagenet.")
    kernel, stride = shapes[stem]
    return nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2, bias=False)


_Plan = list[tuple[int, int, int, int]]


def _plan(variant: int, fan: int, inner: int, stride: int) -> _Plan:
    """Return (channels in, channels out, kernel, stride) of the convolutions of one branch."""
    if variant == 50:  # stride on the 3×3 convolution, as in torchvision ("v1.5")
        out = _BOTTLENECK_EXPANSION * inner
        return [(fan, inner, 1, 1), (inner, inner, 3, stride), (inner, out, 1, 1)]
    return [(fan, inner, 3, stride), (inner, inner, 3, 1)]


def _branch(plan: _Plan, norm: str, groups: int, activation: str) -> nn.Sequential:
    parts: list[nn.Module] = []
    for i, (fan, out, kernel, stride) in enumerate(plan):
        if i > 0:
            parts.append(activation_module(activation))
        parts.append(nn.Conv2d(fan, out, kernel, stride, padding=kernel // 2, bias=False))
        parts.append(image_norm(norm, out, groups=groups))
    return nn.Sequential(*parts)


COORDINATE_CHECK = {
    "widths": (8, 16, 32, 64),
    "samples": 2,
    "options": {"channels": 1, "image_size": 8, "norm": "layer"},
}
ROLES = ("input", "hidden", "output", "norm_gain", "bias", "branch")
# Small nets for shared tests: sizes in common; of each net the others, how many residual branches
# it has, and its last output there.
CASES = {
    "sizes": {"in_features": 128, "channels": 2, "image_size": 8, "activation": "tanh"},
    "nets": [
        ({"norm": "layer", "width": 4}, 8, -0.5206495374460821),
        ({"norm": "none", "width": 2}, 8, 0.32143008870793155),
        ({"norm": "batch", "width": 2}, 8, 0.25115300520803024),
        ({"norm": "group", "width": 2, "groups": 2}, 8, -0.146736307333165),
        ({"width": 2, "depth": 16, "variant": 34}, 16, 0.10350315690023314),
        ({"width": 1, "depth": 16, "variant": 50}, 16, -0.13580456716609107),
    ],
}
MODEL = ResNet
