"""Vision transformer (Dosovitskiy et al. 2021), pre-LN, without scaling factors."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from lrtransfer.scaling.role_names import tensor_roles
from lrtransfer.scaling.roles import Roles
from lrtransfer.study.models.affine import LearnedTensor, linear
from lrtransfer.study.models.attention import SelfAttention, head_sizes
from lrtransfer.study.models.feed_forward import FeedForward
from lrtransfer.study.models.images import as_images, as_patches, check_image, count_patches
from lrtransfer.study.models.norms import layer_norm
from lrtransfer.study.models.residual_stream import check_ratio, count_blocks, flow

Activation = Literal["relu", "tanh", "gelu", "silu"]
Pool = Literal["class_token", "mean"]


class ViT(nn.Module):
    """Patches, learned positions, branches h ← h + B(LN h), a final norm and a linear readout.

    Other than in the code of Noci et al. (2024), the feed-forward map grows with the width and
    attention has its output projection.

    Args:
        in_features: Numbers per image; inputs of shape (n, …) are read as (n, channels, s, s).
        out_features: Number of outputs C.
        width: Dimension N of the residual stream.
        depth: Number L of residual branches, two a block: even.
        channels: Channels of the image.
        image_size: Side s of the image, in pixels.
        patch: Side of a patch, in pixels.
        heads: Attention heads.
        mlp_ratio: Inner width of the feed-forward map over N.
        pool: What the readout sees: a trained `class_token` or the `mean` over patches.
        activation: `relu`, `tanh`, `gelu` or `silu`.
        bias: Whether maps and norms have biases.

    Raises:
        ValueError: `depth` is odd, `heads` does not divide `width`, `patch` does not
            divide `image_size`, `channels` and `image_size` do not fit `in_features`,
            `mlp_ratio` is below 1 or `pool` is unknown.
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
        heads: int = 4,
        mlp_ratio: int = 4,
        pool: Pool = "class_token",
        activation: Activation = "gelu",
        bias: bool = False,
    ) -> None:
        super().__init__()
        check_image(in_features, channels, image_size)
        check_ratio("mlp_ratio", mlp_ratio)
        if pool not in ("class_token", "mean"):
            raise ValueError(f"pool is {pool!r}. Give class_token or mean.")
        patches = count_patches(image_size, patch)
        self._image = (channels, image_size)
        self.patch = patch
        self.embed = linear(channels * patch**2, width, bias=bias)
        self.class_token = LearnedTensor(1, width, std=0.02) if pool == "class_token" else None
        tokens = patches + (self.class_token is not None)
        self.positions = LearnedTensor(tokens, width, std=0.02)
        self.branches = nn.ModuleList()
        for _ in range(count_blocks(depth)):
            attention = SelfAttention(width, heads, causal=False, bias=bias)
            mixing = FeedForward(width, mlp_ratio * width, activation=activation, bias=bias)
            for branch in (attention, mixing):
                self.branches.append(nn.Sequential(layer_norm(width, bias=bias), branch))
        self.final_norm = layer_norm(width, bias=bias)
        self.readout = linear(width, out_features, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs, shape (n, C), for inputs of shape (n, …)."""
        hidden = self.embed(as_patches(as_images(inputs, *self._image), self.patch))
        if self.class_token is not None:
            first = self.class_token().expand(len(hidden), 1, -1)
            hidden = torch.cat([first, hidden], dim=1)
        hidden = self.final_norm(flow(hidden + self.positions(), self.branches))
        seen = hidden.mean(1) if self.class_token is None else hidden[:, 0]
        outputs: Tensor = self.readout(seen)
        return outputs

    def roles(self) -> Roles:
        """Name the role of every weight, and the modules that are residual branches."""
        own = {
            "embed": "input",
            "class_token": "embedding",
            "positions": "positional",
            "readout": "output",
        }
        return Roles(
            tensor_roles(self, own),
            branches=[f"branches.{i}" for i in range(len(self.branches))],
            attention_logits=head_sizes(self),
        )


COORDINATE_CHECK = {"options": {"channels": 1, "image_size": 8, "patch": 4}}
ROLES = (
    "input",
    "embedding",
    "positional",
    "hidden",
    "output",
    "norm_gain",
    "bias",
    "branch",
    "attention_logits",
)
# Small nets for shared tests: sizes in common; of each net the others, how many residual branches
# it has, and its last output there.
CASES = {
    "sizes": {
        "in_features": 32,
        "channels": 2,
        "image_size": 4,
        "patch": 2,
        "width": 4,
        "heads": 2,
    },
    "nets": [
        ({"bias": True}, 4, 0.5107697473675105),
        ({"depth": 2, "pool": "mean"}, 2, 0.09576416438691204),
    ],
}
MODEL = ViT
