"""A network of one's own and a plain loop, at two widths with the same learning rate.

    python examples/own_model.py

A small vision transformer is trained on 28 × 28 digits with AdamW, once under the standard
parameterization (SP) and once under μP, at width 32 and at width 128. The learning rates are those
of width 32; under μP the one that is best there is best at width 128 too.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, scaled_dot_product_attention

import lrtransfer as lt
from lrtransfer.study.plan.catalog import load

PATCH, HEADS, BLOCKS = 7, 4, 1
WIDTHS = (32, 128)
LEARNING_RATES = (2.0**-9, 2.0**-7, 2.0**-5)
STEPS, BATCH_SIZE = 90, 32


class Attention(nn.Module):
    """Torch's fused attention between one projection in and one out."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the attended tokens, shape (n, T, N), for tokens of shape (n, T, N)."""
        n, length, width = tokens.shape
        q, k, v = (
            part.view(n, length, HEADS, width // HEADS).transpose(1, 2)
            for part in self.qkv(tokens).chunk(3, dim=-1)
        )
        mixed = scaled_dot_product_attention(q, k, v)
        outputs: Tensor = self.out(mixed.transpose(1, 2).reshape(n, length, width))
        return outputs


class Block(nn.Module):
    """Pre-norm attention and feed-forward map on a residual stream."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the tokens after both branches, shape (n, T, N)."""
        tokens = tokens + self.attention(self.norm_1(tokens))
        outputs: Tensor = tokens + self.mlp(self.norm_2(tokens))
        return outputs


class Transformer(nn.Module):
    """Patches, positions, blocks, the mean over patches, a linear readout of ten classes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(1, width, PATCH, stride=PATCH)
        self.positions = nn.Parameter(torch.zeros((28 // PATCH) ** 2, width))
        self.blocks = nn.ModuleList(Block(width) for _ in range(BLOCKS))
        self.norm = nn.LayerNorm(width)
        self.readout = nn.Linear(width, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, shape (n, 10), for images of shape (n, 1, 28, 28)."""
        tokens = self.embed(images).flatten(2).transpose(1, 2) + self.positions
        for block in self.blocks:
            tokens = block(tokens)
        logits: Tensor = self.readout(self.norm(tokens).mean(1))
        return logits


def final_loss(
    parameterization: str, width: int, lr: float, images: Tensor, labels: Tensor
) -> float:
    """Train and return the mean loss of the last ten batches (nats)."""
    model = Transformer(width)
    groups = lt.parameterize(
        model,
        parameterization,
        base=Transformer(WIDTHS[0]),  # its width is where both parameterizations agree
        optimizer="adamw",
        lr=lr,
        weight_decay=0.1,
        layout=lt.Layout(  # the first of three parts are the queries
            attention={"blocks.*.attention.qkv": (width // HEADS, slice(0, width))}
        ),
        seed=0,
    )
    optimizer = torch.optim.AdamW(groups)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    losses = []
    for batch in order[: STEPS * BATCH_SIZE].chunk(STEPS):
        loss = cross_entropy(model(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    return sum(losses[-10:]) / 10


def main() -> None:
    """Print a table of losses: parameterization and width by learning rate."""
    source = load("data", "mnist5k")()
    arrays = source.arrays(source.read())
    images = torch.from_numpy(arrays["train_inputs"])
    labels = torch.from_numpy(arrays["train_targets"])
    print("loss after", STEPS, "steps", *(f"{lr:>9.5f}" for lr in LEARNING_RATES))
    for parameterization in ("sp", "mup_table8"):
        for width in WIDTHS:
            losses = [
                final_loss(parameterization, width, lr, images, labels) for lr in LEARNING_RATES
            ]
            print(f"{parameterization:>10}, N = {width:<4}", *(f"{loss:9.3f}" for loss in losses))


if __name__ == "__main__":
    main()
