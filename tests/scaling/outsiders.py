"""Networks as an outsider writes them, and a plain loop that trains them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, scaled_dot_product_attention

import lrtransfer as lt

VOCABULARY = 7


class MLP(nn.Module):
    """Two hidden layers with biases, torch's own modules alone."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(5, width)
        self.second = nn.Linear(width, width)
        self.last = nn.Linear(width, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.last(torch.tanh(self.second(torch.tanh(self.first(inputs)))))
        return outputs


class Attention(nn.Module):
    """Fused query, key and value projection, and torch's fused attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        n, length, width = tokens.shape
        q, k, v = (
            part.view(n, length, self.heads, -1).transpose(1, 2)
            for part in self.qkv(tokens).chunk(3, dim=-1)
        )
        mixed = scaled_dot_product_attention(q, k, v, is_causal=True)
        outputs: Tensor = self.out(mixed.transpose(1, 2).reshape(n, length, width))
        return outputs


class Block(nn.Module):
    """Pre-norm attention and feed-forward map, as nanoGPT has them."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.ln_1(tokens))
        outputs: Tensor = tokens + self.mlp(self.ln_2(tokens))
        return outputs


class Transformer(nn.Module):
    """A language model whose readout may share the embedding's weight."""

    def __init__(self, width: int, *, blocks: int = 2, heads: int = 2, tied: bool = False) -> None:
        super().__init__()
        self.wte = nn.Embedding(VOCABULARY, width)
        self.wpe = nn.Embedding(6, width)
        self.h = nn.ModuleList(Block(width, heads) for _ in range(blocks))
        self.ln_f = nn.LayerNorm(width)
        self.head = nn.Linear(width, VOCABULARY)
        if tied:
            self.head.weight = self.wte.weight

    def forward(self, tokens: Tensor) -> Tensor:
        hidden: Tensor = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.h:
            hidden = block(hidden)
        logits: Tensor = self.head(self.ln_f(hidden))
        return logits


def numbers(samples: int = 12, features: int = 5) -> Tensor:
    """Return inputs of networks that take numbers."""
    random = torch.Generator().manual_seed(3)
    return torch.randn(samples, features, generator=random, dtype=torch.float64)


def tokens(samples: int = 4, length: int = 6, vocabulary: int = VOCABULARY) -> Tensor:
    """Return inputs of networks that take tokens."""
    random = torch.Generator().manual_seed(4)
    return torch.randint(vocabulary, (samples, length), generator=random)


def loss(outputs: Tensor) -> Tensor:
    """Return a loss that every network can lower: of constant targets."""
    if outputs.ndim == 3:
        aims = torch.arange(outputs[..., 0].numel()) % outputs.shape[-1]
        return cross_entropy(outputs.flatten(0, 1), aims)
    wanted = torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype).view_as(outputs)
    return mse_loss(outputs, wanted)


def trajectory(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    inputs: Tensor,
    *,
    steps: int = 20,
    forward: Callable[..., Any] | None = None,
) -> Tensor:
    """Train and return the outputs before every step and after the last, stacked."""
    forward = forward or model
    outputs = []
    for _ in range(steps):
        current = forward(inputs)
        outputs.append(current.detach().clone())
        optimizer.zero_grad()
        loss(current).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return torch.stack([*outputs, forward(inputs).detach()])


def with_layout(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of `parameterize`, those that a layout has in `layout`."""
    told = {f.name: settings[f.name] for f in fields(lt.Layout) if f.name in settings}
    rest = {name: value for name, value in settings.items() if name not in told}
    return rest | ({"layout": lt.Layout(**told)} if told else {})
