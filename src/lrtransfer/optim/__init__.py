"""Enter by `sgd.sgd`: optimizers over parameter groups, and schedules, found by file name.

An optimizer is the file `optim/<name>.py` with a function named by `OPTIMIZER`: parameter
groups and options -> `torch.optim.Optimizer`. A schedule is `optim/schedules/<name>.py` with
a function named by `SCHEDULE`: step and length of the run -> factor on the learning rate.
"""

from __future__ import annotations

from typing import Any, Protocol


class Schedule(Protocol):
    """The factor on the peak learning rate before update `step` (0-based) of `steps`."""

    def __call__(self, step: int, steps: int, /, **options: Any) -> float:
        """Return the factor."""
