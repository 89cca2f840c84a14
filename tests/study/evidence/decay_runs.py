"""Measured runs whose hidden weights move as the recursion for noise says."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from lrtransfer.optim.implicit_warmup import exponential
from lrtransfer.optim.schedules.linear import linear
from lrtransfer.theory.weight_decay import relative_updates, weight_rms

STEPS, BASE, RATE, DECAY = 400, 16, 0.0625, 0.4
MEASURED = sorted({round(STEPS ** (i / 15)) for i in range(16)})
NONE: dict[str, Any] = {"power": None, "unscaled": [], "faster": [], "undecayed": []}
SCHEDULE = {"name": "linear", "options": {"warmup_fraction": 0.1}}
#: arm: rule, power of m in the learning rate, power of m in λ, learning rate over RATE.
ARMS = {
    "independent": ({"rule": "independent"}, -1, 1, 1.0),
    "standard": ({"rule": "standard"}, -1, 0, 1.0),
    "swapped": ({"rule": "lr_independent"}, -1, 1, 2.0),
    "unscaled": ({"rule": "independent", "unscaled": ["hidden"]}, 0, 0, 1.0),
    "unscaled_exponential": ({"rule": "independent", "unscaled": ["hidden"]}, 0, 0, 1.0),
}


def config(arm: str, seed: int) -> dict[str, Any]:
    """Return a run's configuration as far as the fits read it."""
    rule, _, _, faster = ARMS[arm]
    found = {
        "learning_rate": RATE * faster,
        "steps": STEPS,
        "seed": seed,
        "schedule": SCHEDULE,
        "optimizer": {"name": "adamw", "options": {"beta1": 0.9, "weight_decay": DECAY}},
        "decay": NONE | rule,
        "one_pass": True,
    }
    if arm.endswith("exponential"):
        found["group_warmup"] = {"name": "exponential", "fraction": 0.5}
    return found


def rates(arm: str, width: int) -> np.ndarray:
    """Return the learning rates of a hidden weight."""
    _, power, _, faster = ARMS[arm]
    m = width / BASE
    shape = np.array([linear(t, STEPS, warmup_fraction=0.1) for t in range(STEPS)])
    if arm.endswith("exponential"):
        shape = shape * [exponential(t, STEPS // 2, m) for t in range(STEPS)]
    return shape * RATE * faster * m**power


def decay(arm: str, width: int) -> float:
    """Return λ of a hidden weight."""
    _, _, power, faster = ARMS[arm]
    return DECAY * (width / BASE) ** power / faster


def study(
    arms: tuple[str, ...] = tuple(ARMS),
    widths: tuple[int, ...] = (16, 64, 128),
    seeds: tuple[int, ...] = (0, 1, 2),
    samples: float = 2048.0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return runs and curves; a seed multiplies updates by 2^(0.01·(seed − 1))."""
    runs, curves = [], []
    for arm in arms:
        for width in widths:
            for seed in seeds:
                noise = 2 ** (0.01 * (seed - 1))
                key = f"{arm}-{width}-{seed}"
                own = config(arm, seed)
                lr, lam, start = rates(arm, width), decay(arm, width), width**-0.5
                at = np.array(MEASURED) - 1
                late = np.array(MEASURED) * 2 >= STEPS
                updates = relative_updates(lr, lam, start, 0.9)[at] * noise
                ratio = np.where(late, 1.0, width**0.5 / 4)
                curves.append(
                    pd.DataFrame(
                        {
                            "key": key,
                            "step": MEASURED,
                            "weight_alignment": width**-0.5 * np.where(late, 4.0, 1.0),
                            "update_alignment_without_decay": ratio * width**-0.5,
                            "alignment_ratio_without_decay": ratio,
                            "alignment_ratio_held_out": ratio,
                            "relative_update_without_decay": updates,
                            "relative_change_without_decay": ratio * updates,
                            "weight_rms": weight_rms(lr, lam, start)[at],
                            "hidden_rate": lr[at],
                            "hidden_share": lr[at] * lam,
                            "layer_samples": samples,
                            "layer_fan_in": float(width),
                        }
                    )
                )
                runs.append(
                    {
                        "experiment": "weight_decay", "arm": arm, "key": key, "width": width,
                        "depth": 2, "lr": own["learning_rate"],
                        "log2_lr": float(np.log2(own["learning_rate"])), "seed": seed,
                        "measured": True, "status": "ok", "initial_loss": 5.5,
                        "final_loss": 2.0 + 0.1 * list(ARMS).index(arm) + 0.01 * seed,
                        "config": json.dumps(own),
                    }
                )  # fmt: skip
    return pd.DataFrame(runs), pd.concat(curves, ignore_index=True)
