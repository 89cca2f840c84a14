"""Small runs and curves tables with known contents."""

import json
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from lrtransfer.transfer.size import with_size

INITIAL_LOSS = 2.3

Array = npt.NDArray[np.float64]
Place = Callable[[int, int], float]
"""An optimum of size and seed."""
Loss = Callable[[int, int, float], float]
"""A final loss of size, seed and log2 of the rate."""
Quantity = Callable[[int, int, Array], Array]
"""A curve of size, seed and steps."""


def make_runs(
    loss: Loss,
    *,
    arm: str = "mup",
    sizes: Iterable[int] = (32, 64, 128),
    seeds: Iterable[int] = (0, 1, 2),
    grid: Iterable[float] = range(-3, 4),
    reference: float = 0.0,
    axis: str = "width",
    options: dict[str, float] | None = None,
) -> pd.DataFrame:
    """Runs whose final loss is loss(size, seed, log2_lr); an infinite loss is a divergence.

    `sizes` are widths of depth-3 nets, or depths of width-64 nets where `axis` is "depth";
    `options` are those of the optimizer.
    """
    config = json.dumps({"optimizer": {"name": "sgd", "options": options or {"momentum": 0.0}}})
    rows = []
    for size in sizes:
        for seed in seeds:
            for log2_lr in grid:
                final = loss(size, seed, log2_lr)
                diverged = bool(np.isinf(final))
                rows.append(
                    {
                        "experiment": "planted",
                        "arm": arm,
                        "key": f"{arm}-{size}-{seed}-{log2_lr}",
                        "width": size if axis == "width" else 64,
                        "depth": size if axis == "depth" else 3,
                        "lr": 2.0**log2_lr,
                        "log2_lr": float(log2_lr),
                        "seed": seed,
                        "measured": log2_lr == reference,
                        "status": "diverged" if diverged else "ok",
                        "initial_loss": INITIAL_LOSS,
                        "final_loss": np.nan if diverged else final,
                        "config": config,
                    }
                )
    return pd.DataFrame(rows)


def make_curves(
    runs: pd.DataFrame,
    steps: Iterable[int],
    **quantities: Quantity,
) -> pd.DataFrame:
    """Curves of the measured runs: quantity = function(size, seed, steps)."""
    t = np.array(list(steps))
    tables = [
        pd.DataFrame(
            {
                "key": run["key"],
                "step": t,
                "loss": 1.0,
                **{n: f(run["size"], run["seed"], t) for n, f in quantities.items()},
            }
        )
        for run in with_size(runs)[runs["measured"]].to_dict("records")
    ]
    return pd.concat(tables, ignore_index=True)


def parabola(optimum: Place, curvature: float = 0.1) -> Loss:
    """A symmetric valley of the log loss, for `make_runs`."""

    def loss(width: int, seed: int, log2_lr: float) -> float:
        return float(np.exp(-1 + curvature * (log2_lr - optimum(width, seed)) ** 2))

    return loss
