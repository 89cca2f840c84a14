"""LLaMA-like language model (Touvron et al. 2023) without scaling factors."""

from __future__ import annotations

from torch import Tensor, nn

from lrtransfer.scaling.role_names import tensor_roles
from lrtransfer.scaling.roles import Roles
from lrtransfer.study.models.attention import SelfAttention, head_sizes
from lrtransfer.study.models.feed_forward import SwiGLU
from lrtransfer.study.models.norms import rms_norm
from lrtransfer.study.models.residual_stream import check_ratio, count_blocks, flow
from lrtransfer.study.models.tokens import check_block, check_tokens


class Llama(nn.Module):
    """Causal transformer: RMS pre-norm, SwiGLU, rotary positions, no biases, no tied tensors.

    h ← h + B(RMSNorm h), with B self-attention and SwiGLU in turn; a norm before the readout.

    Args:
        in_features: Unused: tokens have no features.
        out_features: Size of the vocabulary.
        width: Dimension N of the residual stream.
        depth: Number L of residual branches, two a block: even.
        block_size: Longest sequence, in tokens.
        heads: Attention heads; N/heads must be even.
        head_size: Dimension of every head, so that their number grows with the width; 0 goes by
            `heads`.
        mlp_ratio: Inner width of SwiGLU over N; 3 in the runs of Kosson et al. (2025).
        rotary_base: Base of the rotary position embedding.
        qk_norm: Whether queries and keys pass an RMS norm per head.
        kv_heads: Heads of keys and values, each shared by heads/kv_heads of the queries; None has
            one for each. How a rate should scale with that ratio no source establishes.

    Raises:
        ValueError: `depth` is odd, `heads` does not divide `width` into even parts,
            `head_size` does not divide `width`, `kv_heads` does not divide `heads`, `block_size`
            or `mlp_ratio` is below 1, or `rotary_base` is not positive.
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
        head_size: int = 0,
        mlp_ratio: int = 3,
        rotary_base: float = 10000.0,
        qk_norm: bool = False,
        kv_heads: int | None = None,
    ) -> None:
        super().__init__()
        check_block(block_size)
        check_ratio("mlp_ratio", mlp_ratio)
        if rotary_base <= 0:
            raise ValueError(f"rotary_base is {rotary_base}. Give a positive number.")
        if head_size:
            heads = head_count(width, head_size)
        self.block_size = block_size
        self.embed = nn.Embedding(out_features, width)
        self.branches = nn.ModuleList()
        for _ in range(count_blocks(depth)):
            attention = SelfAttention(
                width,
                heads,
                causal=True,
                bias=False,
                qk_norm=qk_norm,
                rotary_base=rotary_base,
                kv_heads=kv_heads,
            )
            self.branches.append(nn.Sequential(rms_norm(width), attention))
            self.branches.append(nn.Sequential(rms_norm(width), SwiGLU(width, mlp_ratio * width)))
        self.final_norm = rms_norm(width)
        self.readout = nn.Linear(width, out_features, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits of the next token, shape (n, T, vocabulary), for tokens (n, T).

        Raises:
            ValueError: The tokens are not int64 of shape (n, T), or T exceeds `block_size`.
        """
        check_tokens(tokens, self.block_size)
        hidden = flow(self.embed(tokens), self.branches)
        logits: Tensor = self.readout(self.final_norm(hidden))
        return logits

    def roles(self) -> Roles:
        """Name the role of every weight, and the modules that are residual branches."""
        return Roles(
            tensor_roles(self, {"embed": "embedding", "readout": "output"}),
            branches=[f"branches.{i}" for i in range(len(self.branches))],
            attention_logits=head_sizes(self),
        )


def head_count(width: int, size: int) -> int:
    """Return the number of heads of one size.

    Raises:
        ValueError: `size` does not divide `width`.
    """
    if width % size:
        raise ValueError(f"head_size is {size}, which does not divide width {width}.")
    return width // size


COORDINATE_CHECK = {"options": {"block_size": 8}}
ROLES = ("embedding", "hidden", "output", "norm_gain", "branch", "attention_logits")
# Small nets for shared tests: sizes in common; of each net the others, how many residual branches
# it has, and its last output there.
CASES = {
    "sizes": {"in_features": 0, "width": 4, "heads": 2, "block_size": 5},
    "nets": [
        ({"depth": 2, "qk_norm": True}, 2, 1.4012230961350844),
        ({}, 4, 1.27593745122832),
        ({"depth": 2, "kv_heads": 1}, 2, 1.5699457508344743),
    ],
}
MODEL = Llama
