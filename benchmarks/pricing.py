"""Prices: processor time of some work over that of a gradient of the same batch."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch

from benchmarks.problems import Problem

ROUNDS = 3
_GRADIENTS = 5
_CHEAP = 60


def prepare(device: str) -> torch.device:
    """Set one thread, and full float32 products on a GPU, and return the device."""
    torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return torch.device(device)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Return the processor time, which a busy machine moves least; on a GPU the elapsed time."""
    if device.type != "cuda":
        began = time.process_time()
        work()
        return time.process_time() - began
    torch.cuda.synchronize(device)
    began = time.perf_counter()
    work()
    torch.cuda.synchronize(device)
    return time.perf_counter() - began


class Price:
    """Seconds of some work over those of a gradient, taken just before and just after."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem

    def __call__(self, work: Callable[[], object], rounds: int = ROUNDS) -> float:
        """Return the median over `rounds`, after one round that is not counted if several."""
        if rounds > 1:
            work()
        return round(median(self._once(work) for _ in range(rounds)), 2)

    def several(self, work: Callable[[], object]) -> float:
        """Return the median of three if the first is cheap enough to go on."""
        prices = [self._once(work)]
        while prices[0] < _CHEAP and len(prices) < ROUNDS:
            prices.append(self._once(work))
        return round(median(prices), 2)

    def unit(self) -> float:
        """Return the seconds of one gradient."""
        self._problem.gradient()
        return median(self._gradients())

    def _once(self, work: Callable[[], object]) -> float:
        self._problem.gradient()
        before = self._gradients()
        spent = seconds(work, self._problem.device)
        self._problem.gradient()
        return spent / median(before + self._gradients())

    def _gradients(self) -> list[float]:
        problem = self._problem
        return [seconds(problem.gradient, problem.device) for _ in range(_GRADIENTS)]


def digits(value: float) -> float:
    """Return `value` with two significant digits."""
    return float(f"{value:.2g}")
