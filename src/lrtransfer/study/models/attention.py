"""Multi-head self-attention, written out so that every second derivative is exact."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lrtransfer.study.models.affine import linear
from lrtransfer.study.models.norms import Norm, rms_norm
from lrtransfer.study.models.rotary import rotate


def head_size(width: int, heads: int) -> int:
    """Return the dimension of each head.

    Raises:
        ValueError: `heads` does not divide `width`.
    """
    if heads < 1 or width % heads:
        raise ValueError(f"heads is {heads}, which does not divide width {width}. Give a divisor.")
    return width // heads


class AttentionLogits(nn.Module):
    """a = q kᵀ/√d; a module of its own, so that a parameterization can multiply the logits.

    Args:
        size: Head dimension d.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return the logits, shape (…, T, T), for queries and keys of shape (…, T, d)."""
        return (queries @ keys.transpose(-2, -1)) / math.sqrt(self.size)


class SelfAttention(nn.Module):
    """softmax(q kᵀ/√d) v per head, then the output projection.

    Args:
        width: Dimension N of the tokens.
        heads: Number of heads; the head dimension is d = N/heads.
        causal: Whether a token sees only itself and those before it.
        bias: Whether the four maps have biases.
        qk_norm: Whether queries and keys pass an RMS norm over d (Dehghani et al. 2023).
        rotary_base: Base of the rotary position embedding; None goes without.
        kv_heads: Heads of keys and values, each of which serves heads/kv_heads of the queries
            (grouped queries, Ainslie et al. 2023); None has one for each.

    Raises:
        ValueError: `heads` does not divide `width`, the head dimension is odd with rotary
            embedding, or `kv_heads` does not divide `heads`.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        causal: bool,
        bias: bool,
        qk_norm: bool = False,
        rotary_base: float | None = None,
        kv_heads: int | None = None,
    ) -> None:
        super().__init__()
        size = head_size(width, heads)
        if rotary_base is not None and size % 2:
            raise ValueError(
                f"width {width} over heads {heads} is {size}; rotary embedding needs an even one."
            )
        shared = heads if kv_heads is None else kv_heads
        if shared < 1 or heads % shared:
            raise ValueError(f"kv_heads is {kv_heads}, which does not divide heads {heads}.")
        self.heads = heads
        self.queries_per_key = heads // shared
        self.causal = causal
        self.rotary_base = rotary_base
        self.query = linear(width, width, bias=bias)
        self.key = linear(width, shared * size, bias=bias)
        self.value = linear(width, shared * size, bias=bias)
        self.query_norm: Norm | nn.Identity = rms_norm(size) if qk_norm else nn.Identity()
        self.key_norm: Norm | nn.Identity = rms_norm(size) if qk_norm else nn.Identity()
        self.logits = AttentionLogits(size)
        self.projection = linear(width, width, bias=bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the attended tokens, shape (n, T, N), for tokens of shape (n, T, N)."""
        queries = self._placed(self.query_norm(self._by_head(self.query(tokens))))
        keys = self._repeated(self._placed(self.key_norm(self._by_head(self.key(tokens)))))
        logits = self.logits(queries, keys)
        if self.causal:
            ones = torch.ones(logits.shape[-2:], dtype=torch.bool, device=logits.device)
            logits = logits.masked_fill(ones.triu(1), -torch.inf)
        mixed = logits.softmax(-1) @ self._repeated(self._by_head(self.value(tokens)))
        outputs: Tensor = self.projection(mixed.transpose(1, 2).flatten(2))
        return outputs

    def _by_head(self, tokens: Tensor) -> Tensor:
        n, length, _ = tokens.shape
        return tokens.reshape(n, length, -1, self.logits.size).transpose(1, 2)

    def _repeated(self, vectors: Tensor) -> Tensor:
        r = self.queries_per_key
        return vectors if r == 1 else vectors.repeat_interleave(r, 1)

    def _placed(self, vectors: Tensor) -> Tensor:
        return vectors if self.rotary_base is None else rotate(vectors, self.rotary_base)


def head_sizes(model: nn.Module) -> dict[str, int]:
    """Return the name of every module of attention logits -> its head dimension d."""
    return {n: m.size for n, m in model.named_modules() if isinstance(m, AttentionLogits)}
