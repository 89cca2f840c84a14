"""One claim, told whole: under μP the narrow net's best learning rate serves the wide net.

    python examples/minimal.py

No pipeline, no file: a residual MLP is trained on 4,000 handwritten digits at three widths, over a
grid of learning rates, under μP and under NTP (Noci et al. 2024, Figure 1). Its losses are bit for
bit those of the study's experiment `width_transfer_vision` (a test holds them to it); optimum,
drift and regret are `lt.judge`'s, the sharpness is `lt.sharpness`'s.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import lrtransfer as lt
from lrtransfer.scaling.apply import apply
from lrtransfer.scaling.roles import Roles
from lrtransfer.scaling.rules import Constants
from lrtransfer.scaling.table import rules
from lrtransfer.study.plan.catalog import load
from lrtransfer.study.training.streams import BatchOrder, generator

WIDTHS, SEEDS, DEPTH = (32, 64, 128), (0, 1), 3
RATES = {"mup": [2.0**k for k in range(-2, 4)], "ntp": [2.0**k for k in range(3, 9)]}
STEPS, BATCH_SIZE = 256, 64
CONSTANTS = Constants(branch_exponent=0.5)  # branches times L^-1/2


class ResidualMLP(nn.Module):
    """h¹ = W⁰x;  h^{l+1} = h^l + W^l relu(h^l);  f = W^{L+1} relu(h^{L+1})."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed = nn.Linear(784, width, bias=False)
        self.branches = nn.ModuleList(
            nn.Sequential(nn.ReLU(), nn.Linear(width, width, bias=False)) for _ in range(DEPTH)
        )
        self.readout = nn.Linear(width, 10, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, shape (n, 10), for images of shape (n, 1, 28, 28)."""
        hidden = self.embed(images.flatten(1))
        for branch in self.branches:
            hidden = branch(hidden) + hidden
        logits: Tensor = self.readout(hidden.relu())
        return logits


# What each tensor is. What its size makes of its initial scale, multiplier and learning rate is a
# row of scaling/parameterizations.yaml: NTP, for example, multiplies each map by fan-in^-1/2 and
# leaves the rates; μP multiplies the readout by N^-1/2 more, and every rate by N.
ROLES = Roles(
    {
        "embed.weight": "input",
        "readout.weight": "output",
        **{f"branches.{i}.1.weight": "hidden" for i in range(DEPTH)},
    },
    branches=[f"branches.{i}" for i in range(DEPTH)],
)


class Run(NamedTuple):
    """What one training left: the losses of its steps, and λ_max of the Hessian at its end."""

    losses: list[float]
    sharpness: float


def digits() -> tuple[Tensor, Tensor]:
    """Return the training images, shape (4000, 1, 28, 28), and their classes."""
    source = load("data", "mnist5k")(test_per_class=100, split_seed=0)
    arrays = source.arrays(source.read())
    return torch.from_numpy(arrays["train_inputs"]), torch.from_numpy(arrays["train_targets"])


def train(
    parameterization: str, width: int, rate: float, seed: int, data: tuple[Tensor, Tensor]
) -> Run:
    """Train one network by SGD at one global learning rate."""
    images, labels = data
    model = ResidualMLP(width)
    scaled = apply(
        model,
        ROLES,
        rules(parameterization, "sgd"),
        CONSTANTS,
        width=width,
        depth=DEPTH,
        generator=generator("initialisation", seed),
    )
    optimizer = torch.optim.SGD(
        {"params": [tensor], "lr": rate * scaled[name].learning_rate}
        for name, tensor in model.named_parameters()
    )
    order = BatchOrder(len(images), BATCH_SIZE, seed)
    losses = []
    for step in range(STEPS):
        chosen = order(step)
        loss = cross_entropy(model(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
        if not torch.isfinite(loss):
            return Run(losses, float("nan"))
    # Under unequal rates the sharpness that η₀ meets is that of D^½ H D^½.
    relative = {name: numbers.learning_rate for name, numbers in scaled.items()}
    batch = (images[:256], labels[:256])
    return Run(losses, lt.sharpness(model, cross_entropy, batch, scale=relative).value)


def main() -> None:
    """Sweep, judge, and say whether the claim holds."""
    torch.set_num_threads(1)
    data = digits()
    rows = []
    for arm, rates in RATES.items():
        for width in WIDTHS:
            for rate in rates:
                for seed in SEEDS:
                    run = train(arm, width, rate, seed, data)
                    late = run.losses[-STEPS // 4 :]
                    loss = sum(late) / len(late)
                    row = {"arm": arm, "width": width, "lr": rate, "seed": seed, "loss": loss}
                    rows.append({**row, "rate times sharpness": rate * run.sharpness})
    sweep = pd.DataFrame(rows)
    judged = lt.judge(sweep, size="width", rate="lr", loss="loss", seed="seed", arm="arm")
    print(judged, "\n")
    print("rate times sharpness at the end (2 is the edge of stability), mean over seeds:")
    edge = sweep.groupby(["arm", "width", "lr"])["rate times sharpness"]
    print(edge.mean().unstack("width").round(2).to_string(), "\n")
    widest = judged.regret[judged.regret["width"] == max(WIDTHS)].set_index("arm")
    mup, ntp = (widest.loc[arm] for arm in RATES)
    verdict = "supported" if mup["ci_high"] < ntp["ci_low"] else "inconclusive"
    print(f"μP loses less than NTP with the narrow net's learning rate: {verdict}")


if __name__ == "__main__":
    main()
