"""Does the best learning rate move with width? A sweep of one's own, judged.

Run it with ``python examples/judge.py``; it takes half a minute. Any table will do that has a row
for each run, from a spreadsheet, a logger or, as here, a loop.
"""

import itertools

import pandas as pd
import torch
from torch import nn

import lrtransfer as lt

torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, :1] * x[:, 1:2]).sin() + x[:, 2:3]


def train(width: int, rate: float, seed: int) -> float:
    """Return the loss after 60 steps of Adam."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Linear(8, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1)
    )
    opt = torch.optim.Adam(net.parameters(), lr=rate)
    for _ in range(60):
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(x), y)
        loss.backward()
        opt.step()
    return loss.item()


widths, rates, seeds = (32, 64, 128, 256), [2.0**k for k in range(-13, -2)], (0, 1, 2)
grid = itertools.product(widths, rates, seeds)
runs = pd.DataFrame([(*run, train(*run)) for run in grid], columns=["width", "lr", "seed", "loss"])
judged = lt.judge(runs, size="width", rate="lr", loss="loss", seed="seed")
print(judged)
print(judged.predict(width=1024).to_string(index=False))
