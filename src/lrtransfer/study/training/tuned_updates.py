"""The updates of a run whose learning rate a tuner chooses, and what they log of every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lrtransfer.optim.tuners.closure import NonFiniteLossError
from lrtransfer.optim.tuners.tuner import Tuner
from lrtransfer.study.plan.parts import load

if TYPE_CHECKING:
    from lrtransfer.study.plan.run_config import NamedConfig

_COLUMNS = ("rate", "update_cosine", "step_sharpness", "gradient_evaluations")


class TunedUpdates:
    """The steps of a tuner around a run's optimizer.

    The run's learning rate and schedule are a factor on what the tuner chooses: at 1 the tuner is
    what it is, and CDAT with σ = 2 has σ = 2c at the learning rate c.

    Args:
        tuner: Name and options.
        optimizer: One group per parameter, with its `relative_rate`.
        steps: Length of the run.
    """

    def __init__(self, tuner: NamedConfig, optimizer: torch.optim.Optimizer, steps: int) -> None:
        for group in optimizer.param_groups:
            # What a tuner takes for the rate at the factor 1.
            group["relative_rate"] *= group.get("rate_factor", 1.0)
            group["lr"] = group["relative_rate"]
        self.tuner: Tuner = load("tuner", tuner)(optimizer, **tuner.options)
        self.columns = {
            name: torch.full((steps,), torch.nan, dtype=torch.float64) for name in _COLUMNS
        }
        self.previous: Tensor | None = None

    def step(self, step: int, closure: Callable[[], Tensor]) -> Tensor:
        """Take update `step` (0-based) and return the loss before it.

        NaN stands for a loss, gradient or curvature that was not finite; nothing moved then.
        """
        try:
            loss = self.tuner.step(closure)
        except NonFiniteLossError:
            return torch.tensor(torch.nan)
        update = torch.cat([u.reshape(-1) for u in self.tuner.last_update or []])
        values: dict[str, Any] = {
            "rate": self.tuner.learning_rate,
            "update_cosine": self._cosine(update),
            "step_sharpness": getattr(self.tuner, "directional_sharpness", torch.nan),
            "gradient_evaluations": self.tuner.gradient_evaluations,
        }
        for name, value in values.items():
            self.columns[name][step] = float(value)
        self.previous = update
        return loss

    def learning_rates(self, count: int) -> list[float]:
        """Return the learning rate of the first `count` updates."""
        found: list[float] = self.columns["rate"][:count].tolist()
        return found

    def rows(self, count: int) -> dict[int, dict[str, float]]:
        """Return what is known at every step from 0 to `count`.

        `rate`, `update_cosine` (between the update's direction and the one before) and
        `step_sharpness` (u·Hu/(−g·u) on the update's batch, where the tuner measures it) are
        those of the update that leaves the parameters of that step; `gradient_evaluations` is
        the price of all updates that led there.
        """
        price = [0.0, *self.columns["gradient_evaluations"].tolist()]
        found = {step: {"gradient_evaluations": price[step]} for step in range(count + 1)}
        for name in _COLUMNS[:-1]:
            for step, value in enumerate(self.columns[name][:count].tolist()):
                found[step][name] = value
        return found

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return numbers and tensors by name: all that resuming needs beside the optimizer's."""
        numbers: dict[str, Any] = {}
        tensors = {f"column/{name}": values.clone() for name, values in self.columns.items()}
        if self.previous is not None:
            tensors["previous"] = self.previous
        for name, value in self.tuner.memory.items():
            items = enumerate(value) if isinstance(value, list) else [("", value)]
            for index, item in items:
                place = f"memory/{name}/{index}"
                (tensors if isinstance(item, Tensor) else numbers)[place] = item
        return numbers, tensors

    def load_state(self, found: dict[str, Any], device: torch.device) -> None:
        """Go on from numbers and tensors that `state` returned."""
        lists: dict[str, dict[int, Any]] = {}
        for place, value in found.items():
            kind, _, rest = place.partition("/")
            name, _, index = rest.partition("/")
            item = value.to(device) if isinstance(value, Tensor) else value
            if kind == "previous":
                self.previous = item
            elif kind == "column":
                self.columns[name].copy_(value)
            elif index:
                lists.setdefault(name, {})[int(index)] = item
            else:
                self.tuner.memory[name] = item
        for name, items in lists.items():
            self.tuner.memory[name] = [items[index] for index in sorted(items)]

    def _cosine(self, update: Tensor) -> float:
        if self.previous is None or self.previous.shape != update.shape:
            return torch.nan
        return float(torch.nn.functional.cosine_similarity(update, self.previous, dim=0))
