"""MLP-Mixer (Tolstikhin et al. 2021) without scaling factors."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from lrtransfer.scaling.role_names import tensor_roles
from lrtransfer.scaling.roles import Roles
from lrtransfer.study.models.affine import linear
from lrtransfer.study.models.feed_forward import FeedForward
from lrtransfer.study.models.images import as_images, as_patches, check_image, count_patches
from lrtransfer.study.models.norms import layer_norm
from lrtransfer.study.models.residual_stream import check_ratio, count_blocks, flow

Activation = Literal["relu", "tanh", "gelu", "silu"]


class TokenMixing(nn.Module):
    """A feed-forward map along the tokens, the same for every channel.

    Args:
        mix: The map, on a last axis of T tokens.
    """

    def __init__(self, mix: nn.Module) -> None:
        super().__init__()
        self.mix = mix

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the mixed tokens, shape (n, T, N), for tokens of shape (n, T, N)."""
        outputs: Tensor = self.mix(tokens.transpose(1, 2)).transpose(1, 2)
        return outputs


class MLPMixer(nn.Module):
    """Patches, branches h ← h + B(LN h), a final norm, the mean over patches, a linear readout.

    B alternates token mixing, over the patches, and channel mixing, over the width. No dimension
    of a token-mixing tensor grows with the width: its role is `scalar` or, for a bias,
    `scalar_bias` ("scalar-like" in Yang et al. 2022, Tensor Programs V).

    Args:
        in_features: Numbers per image; inputs of shape (n, …) are read as (n, channels, s, s).
        out_features: Number of outputs C.
        width: Dimension N of the residual stream.
        depth: Number L of residual branches, two a block: even.
        channels: Channels of the image.
        image_size: Side s of the image, in pixels.
        patch: Side of a patch, in pixels.
        token_hidden: Inner width of token mixing, the same at every N (96 in Mixer-Ti).
        mlp_ratio: Inner width of channel mixing over N.
        activation: `relu`, `tanh`, `gelu` or `silu`.
        bias: Whether maps and norms have biases.

    Raises:
        ValueError: `depth` is odd, `patch` does not divide `image_size`, `channels` and
            `image_size` do not fit `in_features`, or `token_hidden` or `mlp_ratio` is
            below 1.
    """

    def __init__(
        self,
        *,
        in_features: int,
        out_features: int,
        width: int,
        depth: int = 4,
        channels: int = 1,
        image_size: int = 28,
        patch: int = 4,
        token_hidden: int = 96,
        mlp_ratio: int = 4,
        activation: Activation = "gelu",
        bias: bool = False,
    ) -> None:
        super().__init__()
        check_image(in_features, channels, image_size)
        check_ratio("mlp_ratio", mlp_ratio)
        if token_hidden < 1:
            raise ValueError(f"token_hidden is {token_hidden}. Give 1 or more.")
        patches = count_patches(image_size, patch)
        self._image = (channels, image_size)
        self.patch = patch
        self.embed = linear(channels * patch**2, width, bias=bias)
        self.branches = nn.ModuleList()
        for _ in range(count_blocks(depth)):
            over_tokens = FeedForward(patches, token_hidden, activation=activation, bias=bias)
            over_channels = FeedForward(width, mlp_ratio * width, activation=activation, bias=bias)
            for mixing in (TokenMixing(over_tokens), over_channels):
                self.branches.append(nn.Sequential(layer_norm(width, bias=bias), mixing))
        self.final_norm = layer_norm(width, bias=bias)
        self.readout = linear(width, out_features, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs, shape (n, C), for inputs of shape (n, …)."""
        hidden = self.embed(as_patches(as_images(inputs, *self._image), self.patch))
        hidden = self.final_norm(flow(hidden, self.branches))
        outputs: Tensor = self.readout(hidden.mean(1))
        return outputs

    def roles(self) -> Roles:
        """Name the role of every weight, and the modules that are residual branches."""
        tensors = tensor_roles(self, {"embed": "input", "readout": "output"})
        for name, role in tensors.items():
            if ".mix." in name:
                tensors[name] = "scalar_bias" if role == "bias" else "scalar"
        return Roles(tensors, branches=[f"branches.{i}" for i in range(len(self.branches))])


COORDINATE_CHECK = {"options": {"channels": 1, "image_size": 8, "patch": 4, "bias": True}}
ROLES = ("input", "hidden", "output", "scalar", "scalar_bias", "norm_gain", "bias", "branch")
# Small nets for shared tests: sizes in common; of each net the others, how many residual branches
# it has, and its last output there.
CASES = {
    "sizes": {
        "in_features": 32,
        "channels": 2,
        "image_size": 4,
        "patch": 2,
        "width": 4,
        "token_hidden": 3,
    },
    "nets": [
        ({"bias": True}, 4, -0.6134395261144471),
        ({"depth": 2}, 2, -0.8572173475131948),
    ],
}
MODEL = MLPMixer
