"""Normalization layers for tokens and images, with gain and bias in submodules of their own."""

from __future__ import annotations

from torch import Tensor, nn

from lrtransfer.study.models.affine import LearnedTensor

_EPSILON = 1e-5


class Norm(nn.Module):
    """x ↦ g·normalize(x) + b, with g from the submodule `gain` and b from `bias`.

    Args:
        normalize: The normalization without trained parameters.
        shape: Shape of g and b, broadcast against x.
        bias: Whether there is a b.
    """

    def __init__(self, normalize: nn.Module, *shape: int, bias: bool) -> None:
        super().__init__()
        self.normalize = normalize
        self.gain = LearnedTensor(*shape, mean=1.0)
        self.bias = LearnedTensor(*shape) if bias else None

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the normalized inputs, of their shape."""
        outputs: Tensor = self.normalize(inputs) * self.gain()
        return outputs if self.bias is None else outputs + self.bias()


class ChannelLayerNorm(nn.Module):
    """Layer norm over the channels of each pixel (Liu et al. 2022, ConvNeXt), without gain.

    Args:
        channels: Number C of channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=_EPSILON, elementwise_affine=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the normalized images, shape (n, C, height, width)."""
        return self.norm(images.movedim(1, -1)).movedim(-1, 1)  # type: ignore[no-any-return]


def layer_norm(width: int, *, bias: bool) -> Norm:
    """Return layer norm (Ba et al. 2016) over the last axis, of size `width`."""
    return Norm(nn.LayerNorm(width, eps=_EPSILON, elementwise_affine=False), width, bias=bias)


def rms_norm(width: int) -> Norm:
    """Return RMS norm (Zhang and Sennrich 2019) over the last axis, of size `width`."""
    return Norm(nn.RMSNorm(width, eps=_EPSILON, elementwise_affine=False), width, bias=False)


def image_norm(kind: str, channels: int, *, groups: int) -> nn.Module:
    """Return a norm for images of shape (n, channels, height, width).

    Args:
        kind: `none`; `batch` (Ioffe and Szegedy 2015); `layer`, over the channels of each
            pixel; `group` (Wu and He 2018).
        channels: Number of channels.
        groups: Groups of group norm; unused by the others.

    Raises:
        ValueError: `kind` is another one, or `groups` does not divide `channels`.
    """
    if kind == "none":
        return nn.Identity()
    if kind == "group" and (groups < 1 or channels % groups):
        raise ValueError(f"groups is {groups}, which does not divide {channels} channels.")
    if kind not in {"batch", "layer", "group"}:
        raise ValueError(f"norm is {kind!r}. Give one of none, batch, layer, group.")
    normalize: nn.Module
    if kind == "batch":
        normalize = nn.BatchNorm2d(channels, eps=_EPSILON, affine=False)
    elif kind == "layer":
        normalize = ChannelLayerNorm(channels)
    else:
        normalize = nn.GroupNorm(groups, channels, eps=_EPSILON, affine=False)
    return Norm(normalize, channels, 1, 1, bias=True)
