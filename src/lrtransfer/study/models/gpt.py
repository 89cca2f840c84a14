"""GPT-2-like language model (Radford et al. 2019), pre- or post-LN, without scaling factors."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from lrtransfer.scaling.role_names import tensor_roles
from lrtransfer.scaling.roles import Roles
from lrtransfer.study.models.affine import LearnedTensor, linear
from lrtransfer.study.models.attention import SelfAttention, head_sizes
from lrtransfer.study.models.feed_forward import FeedForward
from lrtransfer.study.models.norms import layer_norm
from lrtransfer.study.models.residual_stream import check_ratio, count_blocks, flow
from lrtransfer.study.models.tokens import check_block, check_tokens

Activation = Literal["relu", "tanh", "gelu", "silu"]
NormPosition = Literal["pre", "post"]


class GPT(nn.Module):
    """Causal transformer with learned positions; its embedding and readout are not tied.

    Pre-LN: h ← h + B(LN h), and a norm before the readout. Post-LN: h ← LN(h + B(h)) (Vaswani et
    al. 2017), no norm after. B alternates self-attention and the feed-forward map. Without
    `bias` the norms have gains alone.

    Args:
        in_features: Unused: tokens have no features.
        out_features: Size of the vocabulary.
        width: Dimension N of the residual stream.
        depth: Number L of residual branches, two a block: even.
        block_size: Longest sequence, in tokens.
        heads: Attention heads.
        mlp_ratio: Inner width of the feed-forward map over N.
        norm_position: `pre` or `post`.
        activation: `relu`, `tanh`, `gelu` or `silu`.
        bias: Whether maps and norms have biases, as in GPT-2.

    Raises:
        ValueError: `depth` is odd, `heads` does not divide `width`, or `block_size` or
            `mlp_ratio` is below 1.
    """

    def __init__(
        self,
        *,
        in_features: int,
        out_features: int,
        width: int,
        depth: int = 4,
        block_size: int = 64,
        heads: int = 4,
        mlp_ratio: int = 4,
        norm_position: NormPosition = "pre",
        activation: Activation = "gelu",
        bias: bool = False,
    ) -> None:
        super().__init__()
        blocks = count_blocks(depth)
        check_block(block_size)
        check_ratio("mlp_ratio", mlp_ratio)
        if norm_position not in ("pre", "post"):
            raise ValueError(f"norm_position is {norm_position!r}. Give pre or post.")
        self.block_size = block_size
        self.embed = nn.Embedding(out_features, width)
        self.positions = LearnedTensor(block_size, width, std=0.02)
        pre = norm_position == "pre"
        self.branches = nn.ModuleList()
        for _ in range(blocks):
            attention = SelfAttention(width, heads, causal=True, bias=bias)
            mixing = FeedForward(width, mlp_ratio * width, activation=activation, bias=bias)
            for branch in (attention, mixing):
                self.branches.append(
                    nn.Sequential(layer_norm(width, bias=bias), branch) if pre else branch
                )
        self.post_norms = nn.ModuleList(
            layer_norm(width, bias=bias) for _ in range(0 if pre else depth)
        )
        self.final_norm = layer_norm(width, bias=bias) if pre else nn.Identity()
        self.readout = linear(width, out_features, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits of the next token, shape (n, T, vocabulary), for tokens (n, T).

        Raises:
            ValueError: The tokens are not int64 of shape (n, T), or T exceeds `block_size`.
        """
        check_tokens(tokens, self.block_size)
        hidden = self.embed(tokens) + self.positions()[: tokens.shape[1]]
        if len(self.post_norms) > 0:
            for branch, norm in zip(self.branches, self.post_norms, strict=True):
                hidden = norm(hidden + branch(hidden))
        else:
            hidden = flow(hidden, self.branches)
        logits: Tensor = self.readout(self.final_norm(hidden))
        return logits

    def roles(self) -> Roles:
        """Name the role of every weight, and the modules that are residual branches."""
        own = {"embed": "embedding", "positions": "positional", "readout": "output"}
        return Roles(
            tensor_roles(self, own),
            branches=[f"branches.{i}" for i in range(len(self.branches))],
            attention_logits=head_sizes(self),
        )


COORDINATE_CHECK = {"options": {"block_size": 8}}
ROLES = (
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
    "sizes": {"in_features": 0, "width": 4, "heads": 2, "block_size": 5},
    "nets": [
        ({"bias": True}, 4, 0.9677038304536874),
        ({"norm_position": "post"}, 4, 1.9889612379192234),
    ],
}
MODEL = GPT
