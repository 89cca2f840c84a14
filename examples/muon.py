"""Muon for hidden matrices and AdamW for the rest, under μP, at four times the base's batch."""

from __future__ import annotations

import torch
from torch import nn

import lrtransfer as lt


def mlp(width: int) -> nn.Module:
    """Return a small network."""
    hidden = nn.Linear(width, width)
    return nn.Sequential(nn.Linear(8, width), nn.GELU(), hidden, nn.GELU(), nn.Linear(width, 1))


def main() -> None:
    """Train at width 64 with what was tuned at width 16."""
    model, base = mlp(64), mlp(16)
    muon = lt.MatrixOptimizer("muon", factor="spectral", rest_lr=0.01)
    groups = lt.parameterize(
        model, "mup", base=base, optimizer=muon, lr=0.05, weight_decay=0.1, seed=0
    )
    groups = lt.rescale(groups, "root_batch", batch=4.0)
    optimizer = lt.make_optimizer(groups, model=model)
    random = torch.Generator().manual_seed(0)
    for step in range(61):
        inputs = torch.randn(64, 8, generator=random)
        loss = (model(inputs) - inputs[:, :1] * inputs[:, 1:2]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            print(f"step {step}: loss {loss.item():.3f}")
    scales = lt.time_scales(groups, steps=61)
    print({name: round(scales[name], 2) for name in ("2.weight", "4.weight")}, "of the run")


if __name__ == "__main__":
    main()
