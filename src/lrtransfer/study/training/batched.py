"""The rates and seeds of one network as one run over stacked tensors.

The first axis of every tensor numbers the runs. They share each operation of an update, which a
small network's are too short to fill a GPU with. Nothing is summed over runs: each keeps its own
start, order of samples, rate and divergence, and equals the run by itself up to rounding.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from lrtransfer.optim.tuners.direction import Member, direction, member
from lrtransfer.study.data import Arrays
from lrtransfer.study.plan.parts import load
from lrtransfer.study.training import streams
from lrtransfer.study.training.run import DIVERGENCE_INTERVAL, Log, TrainingRun
from lrtransfer.study.training.samples import Batch

if TYPE_CHECKING:
    from lrtransfer.study.plan.run_config import RunConfig


class BatchedRuns:
    """Runs that differ in learning rate and seed alone, trained at once.

    An optimizer that moves each number by its own gradients takes one step at rate 1 for all; η
    enters every such step as a factor, so each run takes its own multiple of it.

    Attributes:
        runs: The runs one by one. While they train their weights are slices of the stacked ones.

    Args:
        configs: Of the runs; without measurements, tuner and micro-batches.
        arrays: The prepared data set.
        device: Where to compute.

    Raises:
        ValueError: The model has batch norm, or what `TrainingRun` refuses.
    """

    def __init__(self, configs: Sequence[RunConfig], arrays: Arrays, device: torch.device) -> None:
        self.runs: list[TrainingRun] = []
        for config in configs:
            # What is compiled is the pass of all of them.
            run = TrainingRun(replace(config, compile=None), arrays, device)
            if self.runs:
                run.examples = self.runs[0].examples  # one copy on the device
            self.runs.append(run)
        _check(self.runs[0].network.model, configs[0].batched)
        self._compile = configs[0].compile
        self._began = time.perf_counter()

    @property
    def step(self) -> int:
        """Updates done, the same number in all."""
        return self.runs[0].progress.step

    def execute(self, after_step: Callable[[int], None]) -> list[Log]:
        """Train to the end, or until all have diverged, and return the log of each.

        Args:
            after_step: Called with the number of updates done; may raise to stop.
        """
        self._began = time.perf_counter()
        steps = self.runs[0].config.steps
        self._stack()
        batches = self._batches()
        while self.step < steps and self._any_left():
            self._update(*next(batches))
            after_step(self.step)
        return [self._log(run) for run in self.runs]

    def unstack(self) -> None:
        """Give every run its part of the optimizer's state, for its `state` to be whole."""
        for place, run in enumerate(self.runs):
            for own, group in zip(
                run.optimizer.param_groups, self._optimizer.param_groups, strict=True
            ):
                if "step" in group:  # where an optimizer counts by group
                    own["step"] = group["step"]
                for parameter, stacked in zip(own["params"], group["params"], strict=True):
                    run.optimizer.state[parameter] = {
                        name: value[place] if _by_run(name, value) else copy.copy(value)
                        for name, value in self._optimizer.state.get(stacked, {}).items()
                    }

    def _stack(self) -> None:
        """Put the runs' tensors, as they stand, one upon the other."""
        first = self.runs[0]
        self._losses = torch.stack([run.losses for run in self.runs])
        for run, losses in zip(self.runs, self._losses, strict=True):
            run.losses = losses
        models = [run.network.model for run in self.runs]
        self._tensors = {
            name: torch.stack(list(tensors)) for name, *tensors in _by_name(models, "buffers")
        }
        stacked: dict[Tensor, nn.Parameter] = {}
        for name, *tensors in _by_name(models, "parameters"):
            own = nn.Parameter(torch.stack([t.detach() for t in tensors]), tensors[0].requires_grad)
            for tensor, slice_ in zip(tensors, own.detach(), strict=True):
                tensor.data = slice_
            self._tensors[name] = stacked[tensors[0]] = own
        self._optimizer = self._stacked_optimizer(stacked)
        self._moved = [
            _Moved.of(self.runs, self._optimizer, place, parameter)
            for place, group in enumerate(self._optimizer.param_groups)
            for parameter in group["params"]
        ]
        objective = _Objective(first)

        def loss_of_run(tensors: dict[str, Tensor], inputs: Tensor, targets: Tensor) -> Tensor:
            named = {f"model.{name}": tensor for name, tensor in tensors.items()}
            value: Tensor = functional_call(objective, named, (inputs, targets))
            return value

        every: Callable[..., Tensor] = torch.vmap(loss_of_run)
        mode = self._compile
        self._losses_of = every if mode is None else torch.compile(every, mode=mode)

    def _stacked_optimizer(self, stacked: dict[Tensor, nn.Parameter]) -> torch.optim.Optimizer:
        """Return the runs' optimizer over the stacked parameters, with their states."""
        config, first = self.runs[0].config, self.runs[0].optimizer
        groups = [
            {**group, "params": [stacked[parameter] for parameter in group["params"]]}
            for group in first.param_groups
        ]
        made: torch.optim.Optimizer = load("optimizer", config.optimizer)(
            groups, **config.optimizer.options
        )
        if (fuse := load("fused", config.fused)) is not None:
            fuse(made)
        for place, group in enumerate(made.param_groups):
            parts = [run.optimizer.param_groups[place]["params"] for run in self.runs]
            for parameter, *members in zip(group["params"], *parts, strict=True):
                states = [
                    run.optimizer.state.get(one, {})
                    for run, one in zip(self.runs, members, strict=True)
                ]
                if states[0]:
                    made.state[parameter] = {
                        name: torch.stack([state[name] for state in states])
                        if _by_run(name, value)
                        else value
                        for name, value in states[0].items()
                    }
        return made

    def _batches(self) -> Iterator[Batch]:
        """Yield the samples of every update, (runs, n, …); runs of one seed have the same."""
        of_seed = {run.config.seed: run for run in self.runs}
        seeds = list(of_seed)
        first = self.runs[0]
        place = torch.tensor([seeds.index(run.config.seed) for run in self.runs])
        place = place.to(self._losses.device)
        steps = range(self.step, first.config.steps)
        order = (torch.cat([run.order(step) for run in of_seed.values()]) for step in steps)
        for step, pair in zip(steps, first.examples.batches(order), strict=True):
            inputs, targets = (part.view(len(seeds), -1, *part.shape[1:]) for part in pair)
            if first.augment is not None:
                random = (streams.generator("augmentation", seed, step) for seed in seeds)
                inputs = torch.stack(list(map(first.augment, inputs, random)))
            yield inputs[place], targets[place]

    def _update(self, inputs: Tensor, targets: Tensor) -> None:
        """Take the next update of every run."""
        step = self.step
        losses = self._losses_of(self._tensors, inputs, targets)
        parameters = [moved.member.parameter for moved in self._moved]
        # A run's slice of the gradient of the sum is the gradient of its own loss.
        slopes = torch.autograd.grad(losses.sum(), parameters)
        self._losses[:, step] = losses.detach()
        with torch.no_grad():
            slopes = tuple(m.penalised(s) for m, s in zip(self._moved, slopes, strict=True))
            members = [moved.member for moved in self._moved]
            updates = direction(self._optimizer, members, slopes)
            for moved, update in zip(self._moved, updates, strict=True):
                moved.move(update, self.runs[0].learning_rates.of_tensor(moved.name, step))
        for run in self.runs:
            run.progress.step = step + 1

    def _any_left(self) -> bool:
        if self.step % DIVERGENCE_INTERVAL:
            return True
        return bool(self._losses[:, : self.step].isfinite().all(1).any())

    def _log(self, run: TrainingRun) -> Log:
        bad = (~run.losses[: self.step].isfinite()).nonzero()
        diverged = int(bad[0]) + 1 if len(bad) else None
        kept = self.step if diverged is None else diverged - 1
        return Log(
            losses=run.losses[:kept].double().tolist(),
            learning_rates=[run.learning_rates.of_run(step) for step in range(kept)],
            rows={},
            diverged_step=diverged,
            measuring=0.0,
            seconds=(time.perf_counter() - self._began) / len(self.runs),
        )


@dataclass(frozen=True)
class _Moved:
    """A stacked parameter and how each run moves its slice.

    Attributes:
        member: At rate 1; decay as the first run has it.
        name: Of its group.
        rates: (runs, 1, …) learning rates over the first run's.
        shrinkage: (runs, 1, …) λ of decoupled weight decay; None without.
    """

    member: Member
    name: str
    rates: Tensor
    shrinkage: Tensor | None

    @classmethod
    def of(
        cls,
        runs: Sequence[TrainingRun],
        optimizer: torch.optim.Optimizer,
        place: int,
        parameter: nn.Parameter,
    ) -> _Moved:
        """Return a parameter of the optimizer's group number `place`."""
        group = optimizer.param_groups[place]
        found, name = member(optimizer, group, parameter, 1.0), group["name"]
        rates = [run.config.learning_rate * run.network.relative_rates[name] for run in runs]
        rates = [rate / rates[0] * group.get("rate_factor", 1.0) for rate in rates]
        decays = [run.optimizer.param_groups[place].get("weight_decay", 0.0) for run in runs]

        def column(numbers: list[float]) -> Tensor:
            made = torch.tensor(numbers, dtype=parameter.dtype, device=parameter.device)
            return made.view(-1, *(1,) * (parameter.ndim - 1))

        return cls(found, name, column(rates), column(decays) if found.shrinkage else None)

    def penalised(self, slope: Tensor) -> Tensor:
        """Return the gradient with that of the penalty, which counts as a part of the loss."""
        penalty = self.member.penalty
        return slope.add(self.member.parameter, alpha=penalty) if penalty else slope

    def move(self, update: Tensor, rate: float) -> None:
        """Move the parameter by an update at rate 1, where the first run's rate is `rate`."""
        rates = rate * self.rates
        if self.shrinkage is not None:
            self.member.parameter.mul_(1 - rates * self.shrinkage)
        self.member.parameter.addcmul_(rates, update)


class _Objective(nn.Module):
    """The loss of a run, as a module whose tensors can be replaced."""

    def __init__(self, run: TrainingRun) -> None:
        super().__init__()
        self.model = run.network.model
        self._run = run  # whose pass may be the model itself, which is to be registered once

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        return self._run.loss(self._run.forward(inputs), targets)


def _by_name(models: Sequence[nn.Module], kind: str) -> Iterator[tuple[Any, ...]]:
    """Yield a name with the tensor that each model has under it."""
    named = [dict(getattr(model, f"named_{kind}")()) for model in models]
    for name in named[0]:
        yield (name, *(tensors[name] for tensors in named))


def _by_run(name: str, value: Any) -> bool:
    """Return whether an entry of an optimizer's state is one run's own; all count alike."""
    return isinstance(value, Tensor) and name != "step"


def _check(model: nn.Module, batched: int | None) -> None:
    if name := next((n for n, m in model.named_modules() if isinstance(m, _BatchNorm)), None):
        raise ValueError(
            f"the model has batch norm ({name}), whose statistics are no run's own, but batched is "
            f"{batched}. Remove it, or give the model norm: layer or group."
        )
