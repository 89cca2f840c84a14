"""Train an ordinary network with CDAT: no learning rate to choose, no schedule.

Run it with ``python examples/cdat.py``; it takes a few seconds. The learning rate finds the edge
of stability by itself: its product with the sharpness comes down to 2 and stays there.
"""

import torch
from torch import nn

from lrtransfer.curvature import sharpness
from lrtransfer.optim.tuners.cdat import CDAT

torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, :1] * x[:, 1:2]).sin() + x[:, 2:3]
model = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 1))

opt = CDAT(torch.optim.SGD(model.parameters(), lr=1.0), sigma=2.0)
for step in range(201):
    measured = sharpness(model, nn.functional.mse_loss, (x, y)).value if step % 40 == 0 else None
    loss = opt.step(lambda: nn.functional.mse_loss(model(x), y))
    if measured is not None:
        rate = opt.learning_rate or 0.0
        print(
            f"step {step:3d}  loss {loss:.4f}  learning rate {rate:.3f}  "
            f"rate × sharpness {rate * measured:.2f}"
        )
