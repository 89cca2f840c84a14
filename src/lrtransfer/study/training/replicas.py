"""The processes that train one run together: here the usual one, in `parallel` several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import torch

from lrtransfer.study.data import Arrays
from lrtransfer.study.training.run import TrainingRun

T = TypeVar("T")


class Replicas(Protocol):
    """Equal copies of a network, one to a process; all ask the same things in the same order."""

    @property
    def count(self) -> int:
        """How many processes there are."""

    @property
    def leads(self) -> bool:
        """Whether this process is the one that holds locks, writes files and tells progress."""

    def told(self, answer: Callable[[], T]) -> T:
        """Return the leading process's answer in all of them; the others wait for it."""

    def any(self, flag: bool) -> bool:
        """Return in all processes whether one of them raised the flag."""

    def training_run(
        self, config: dict[str, Any], arrays: Arrays, device: torch.device
    ) -> TrainingRun:
        """Return this process's part of a run; arguments and errors as :class:`TrainingRun`."""


class Alone:
    """One process, which leads itself."""

    count = 1
    leads = True

    def told(self, answer: Callable[[], T]) -> T:
        """Return the answer."""
        return answer()

    def any(self, flag: bool) -> bool:
        """Return the flag."""
        return flag

    def training_run(
        self, config: dict[str, Any], arrays: Arrays, device: torch.device
    ) -> TrainingRun:
        """Return the run."""
        return TrainingRun(config, arrays, device)
