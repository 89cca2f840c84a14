"""What the processes that train one run together ask of each other; and one process by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

import torch

from lrtransfer.study.data import Arrays
from lrtransfer.study.training.run import TrainingRun

if TYPE_CHECKING:
    import torch.distributed as dist
    from torch import Tensor

    from lrtransfer.study.plan.run_config import RunConfig

T = TypeVar("T")


class Replicas(Protocol):
    """Equal copies of a network, one to a process; all ask the same things in the same order."""

    @property
    def count(self) -> int:
        """How many processes there are."""

    @property
    def rank(self) -> int:
        """This process's number, from 0."""

    @property
    def leads(self) -> bool:
        """Whether this process is the one that holds locks, writes files and reports progress."""

    def broadcast(self, answer: Callable[[], T]) -> T:
        """Return the leading process's answer in all of them; the others wait for it."""

    def barrier(self) -> None:
        """Wait until all processes are here."""

    def any_raised(self, flag: bool) -> bool:
        """Return in all processes whether one of them raised the flag."""

    def training_run(self, config: RunConfig, arrays: Arrays, device: torch.device) -> TrainingRun:
        """Return this process's part of a run; arguments and errors as `TrainingRun`."""


class Sharing(Protocol):
    """What a run needs of the processes that share its batches."""

    @property
    def count(self) -> int:
        """How many processes there are."""

    @property
    def group(self) -> dist.ProcessGroup:
        """All of them, for tensors on their devices."""

    def part(self, samples: int) -> slice:
        """Return this process's share of so many samples: contiguous, equal to within one."""

    def total(self, value: Tensor) -> Tensor:
        """Return the sum of the processes' values, equal in all of them."""

    def broadcast(self, answer: Callable[[], T]) -> T:
        """Return the leading process's answer in all of them; the others wait for it."""


class SingleProcess:
    """One process, which leads itself."""

    count = 1
    rank = 0
    leads = True

    def broadcast(self, answer: Callable[[], T]) -> T:
        """Return the answer."""
        return answer()

    def barrier(self) -> None:
        """Wait for nobody."""

    def any_raised(self, flag: bool) -> bool:
        """Return the flag."""
        return flag

    def training_run(self, config: RunConfig, arrays: Arrays, device: torch.device) -> TrainingRun:
        """Return the run."""
        return TrainingRun(config, arrays, device)
