"""How long an update of a run takes on this machine: some real ones, tried on random data.

No formula knows how far a network of width 16 stays below the processor's peak, or what an
optimizer or tuner adds: a few updates of each kind of run do, in milliseconds.
"""

from __future__ import annotations

import math
import time
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from statistics import mean, median
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module
from torch.utils.flop_counter import FlopCounterMode

from lrtransfer.study.data import Arrays
from lrtransfer.study.plan.run_config import ModelConfig, RunConfig
from lrtransfer.study.training.network import block_size, build
from lrtransfer.study.training.run import Hooks, TrainingRun

Sizes = tuple[int | tuple[int, ...], int]
"""Shape of a sample or how many numbers it has, and number of outputs."""

# A trial lasts this long (seconds), or as long as two updates and the first take.
_SECONDS = 0.012
_MOST_UPDATES = 40
# What is larger is tried on fewer samples (FLOP of a gradient) or not at all (parameters).
_LARGEST_GRADIENT = 1e9
_LARGEST_MODEL = 30_000_000
# Share of the matrix peak that a network reaches that was not tried.
_OF_PEAK = 0.3
_BATCHES = 8


class Machine:
    """Seconds of processor time on one thread of this machine; each kind of run is tried once."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._counts: dict[str, tuple[float, int]] = {}

    def update(self, config: RunConfig, sizes: Sizes) -> float:
        """Return the time of one update of a run.

        Args:
            config: The run's.
            sizes: Of its data set.
        """
        # Neither how tensors scale nor their rates move the time, and data hardly.
        parts = (
            *("model", "batch_size", "loss", "precision", "trained"),
            *("optimizer", "tuner", "replay"),
        )
        kind = repr(([getattr(config, part) for part in parts], sizes))
        if kind not in self._seconds:
            self._seconds[kind] = self._time(config, sizes)
        return self._seconds[kind]

    def idles(self, config: RunConfig, sizes: Sizes) -> bool:
        """Return False: a core is busy with one job."""
        return False

    def gradient(self, config: RunConfig, sizes: Sizes, samples: int) -> float:
        """Return the time of one gradient of a run's loss on some samples.

        A step of the run's optimizer is in it: what measures walks over the parameters too.
        """
        return self.update(replace(config, batch_size=samples, tuner=None, replay=None), sizes)

    def _time(self, config: RunConfig, sizes: Sizes) -> float:
        flops, parameters = self._count(config.model, sizes)
        samples = max(1, min(config.batch_size, int(_LARGEST_GRADIENT / max(flops, 1.0))))
        if parameters <= _LARGEST_MODEL and flops <= _LARGEST_GRADIENT:
            tried = _try(replace(config, batch_size=samples), sizes)
            if tried is not None:
                return tried * config.batch_size / samples
        return config.batch_size * flops / (_OF_PEAK * self._peak)

    def _count(self, model: ModelConfig, sizes: Sizes) -> tuple[float, int]:
        """Return the FLOP of one sample's gradient, and the number of parameters."""
        name = repr((model, sizes))
        if name not in self._counts:
            self._counts[name] = count(model, sizes)
        return self._counts[name]

    @cached_property
    def _peak(self) -> float:
        """FLOP per second in large products."""
        torch.set_num_threads(1)
        matrix = torch.ones(512, 512)
        spent = []
        for _ in range(10):
            began = time.process_time()
            matrix @ matrix
            spent.append(time.process_time() - began)
        return float(2 * 512**3 / median(spent))


class _EnoughError(Exception):
    """The trial has lasted long enough."""


def _try(config: RunConfig, sizes: Sizes) -> float | None:
    """Return the time of one update on random data; None where the run does not get that far."""
    torch.set_num_threads(1)
    tried = bare(config)
    ends: list[float] = []

    def after_step(step: int, run: TrainingRun) -> None:
        ends.append(time.process_time())
        if step > 2 and (ends[-1] - ends[0] > _SECONDS or step > _MOST_UPDATES):
            raise _EnoughError

    # A loss or a model of one's own may want other data than these: an estimate stops no study.
    with suppress(Exception):
        run = TrainingRun(tried, _random(tried, sizes), torch.device("cpu"))
        run.execute(Hooks(after_step=after_step))
    if len(ends) < 2:
        return None
    # A tuner's updates differ among themselves; others are told apart by disturbances alone.
    typical = mean if config.tuner else median
    return typical(after - before for before, after in pairwise(ends))


def bare(config: RunConfig) -> RunConfig:
    """Return a run without what needs other data than some, or other updates than one."""
    return replace(
        config,
        measure=None,
        augmentation=None,
        decay=None,
        group_warmup=None,
        train_samples=None,
        horizon=None,
        one_pass=False,
        compile=None,
    )


def _random(config: RunConfig, sizes: Sizes) -> Arrays:
    """Return data of the right sizes, of some batches."""
    shape, outputs = _shape(sizes), sizes[1]
    random, samples = np.random.default_rng(0), _BATCHES * config.batch_size
    block = block_size(config.model)
    if block is not None:
        tokens: Any = random.integers(outputs, size=samples * block + 1)
        tokens[0] = outputs - 1
        return {"train_tokens": tokens}
    inputs = random.standard_normal((samples, *shape), np.float32)
    if outputs == 1:
        numbers = random.standard_normal((samples, 1), np.float32)
        return {"train_inputs": inputs, "train_targets": numbers}
    targets = random.integers(outputs, size=samples)
    targets[0] = outputs - 1
    return {"train_inputs": inputs, "train_targets": targets}


def count(model: ModelConfig, sizes: Sizes) -> tuple[float, int]:
    """Return the FLOP of one sample's gradient, and the number of parameters."""
    counter = FlopCounterMode(display=False)
    network = pass_counted(model, sizes, counter)
    # The backward pass has two products for each of the forward pass.
    return 3.0 * counter.get_total_flops(), sum(p.numel() for p in network.parameters())


def pass_counted(model: ModelConfig, sizes: Sizes, counter: AbstractContextManager[Any]) -> Module:
    """Return a network after a forward pass of one sample under a counter.

    Without memory for its tensors, unless the network reads values, of which there are none then.
    """
    try:
        return _pass_on("meta", model, sizes, counter)
    except (RuntimeError, NotImplementedError):
        return _pass_on("cpu", model, sizes, counter)


def _pass_on(
    device: str, model: ModelConfig, sizes: Sizes, counter: AbstractContextManager[Any]
) -> Module:
    with torch.device(device):
        network, sample = build(model, *counted(sizes)), one_sample(model, sizes)
        network.eval()  # one sample has no batch statistics
    with torch.no_grad(), counter:
        network(sample)
    return network


def one_sample(model: ModelConfig, sizes: Sizes) -> Tensor:
    """Return an input of one sample, of no meaning, on the device of the context."""
    block = block_size(model)
    return torch.randn(1, *_shape(sizes)) if block is None else torch.zeros(1, block).long()


def counted(sizes: Sizes) -> tuple[int, int]:
    """Return the numbers of a sample and the outputs."""
    return math.prod(_shape(sizes)), sizes[1]


def _shape(sizes: Sizes) -> tuple[int, ...]:
    return (sizes[0],) if isinstance(sizes[0], int) else sizes[0]
