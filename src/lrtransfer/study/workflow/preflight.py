"""What only torch can judge of a study, judged before any job starts.

Runs are tried: their networks without memory, their rules and settings. And an experiment with
weight-decay rules is told whether its runs can show what weight decay does.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from lrtransfer.alignment.effective_rate import effective_rates
from lrtransfer.optim import Schedule
from lrtransfer.scaling.infer import UnplacedTensorError
from lrtransfer.study.data.described import Described, described, is_known, sizes
from lrtransfer.study.plan.expand import Dataset, Plan, Run
from lrtransfer.study.plan.parts import load
from lrtransfer.study.plan.places import fault
from lrtransfer.study.plan.run_config import RunConfig
from lrtransfer.study.plan.yaml_file import StudyError
from lrtransfer.study.training.distributed.replicated_run import check_model, check_settings
from lrtransfer.study.training.network import blank_network, block_size
from lrtransfer.study.training.run import check_passes
from lrtransfer.study.workflow.light_start import leave_out_compiler
from lrtransfer.study.workflow.own_parts import (
    OutputsError,
    import_own,
    own_probes,
    smallest,
    try_batched,
    try_outputs,
    try_probes,
)
from lrtransfer.study.workflow.trial import Sizes, counted, one_sample
from lrtransfer.theory.steady_state import judge

_MOST_TENSORS = 20_000
_TRIED_STEPS = 65  # of a schedule, the first and the last among them

Attempt = Callable[[Plan, RunConfig], None]


def check_runs(plan: Plan) -> None:
    """Build every network of a study without memory, and try its rules and settings.

    Through a model or a loss of the study's own samples are passed, its own probes measure, and its
    figures and measures are imported.

    Raises:
        StudyError: A model, a role, an optimizer, a schedule or a batch does not fit; each line
            names the arm and the remedy, or the file and the line of the study's own that failed.
    """
    leave_out_compiler()
    import_own(plan)
    attempts = (
        _try_loss,
        _try_network,
        try_outputs,
        _try_optimizer,
        _try_tuner,
        _try_replay,
        _try_schedule,
        _try_samples,
        _try_split,
    )
    _refuse(plan, _kinds(plan), attempts)
    _try_own(plan, [run for sweep in plan.sweeps for run in sweep.runs])


def check_samples(plan: Plan, dataset: Dataset) -> None:
    """Compare what runs ask of a prepared data set with what it holds; raises as `check_runs`."""
    own = [run for run in _kinds(plan) if run.config.data == dataset.id]
    _refuse(plan, own, (_try_samples,))


def _kinds(plan: Plan) -> list[Run]:
    """Return a run of each sweep: others differ in rate, in seed, in whether they measure."""
    return [max(sweep.runs, key=lambda run: run.measured) for sweep in plan.sweeps]


def _refuse(plan: Plan, runs: Iterable[Run], attempts: Sequence[Attempt]) -> None:
    faults = dict.fromkeys(fault for run in runs for fault in _faults(plan, run, attempts))
    if faults:
        raise StudyError([f"params.yaml: {fault}" for fault in faults])


def _faults(plan: Plan, run: Run, attempts: Sequence[Attempt]) -> Iterator[str]:
    place = f"study.{run.experiment}.arms.{run.arm}"
    sound = True
    for attempt in attempts:
        if attempt is try_outputs and not sound:
            continue  # it takes network and loss as they should be
        size = f"width {run.width}, depth {run.depth}"
        try:
            attempt(plan, run.config)
        except (_TooManyTensorsError, UnplacedTensorError, OutputsError) as error:
            # The other sizes would take as long, or say the same.
            raise StudyError([f"params.yaml: {place} ({size}): {error}"]) from error
        except StudyError:
            raise
        except Exception as error:  # anything that a user's code may raise
            if (line := fault(error)) is not None:
                raise StudyError([line]) from error
            if not isinstance(error, ValueError | TypeError):
                raise
            yield f"{place} ({size}): {error}" if attempt is _try_network else f"{place}: {error}"
            sound = sound and attempt not in (_try_loss, _try_network)


def _try_network(plan: Plan, config: RunConfig) -> None:
    with _no_more_tensors_than(_MOST_TENSORS):
        made = blank_network(config, *sizes(plan.data_of(config)))
    if made.warmup is not None:
        for name in made.scaled:
            made.warmup(name, 0)


def check_own_parts(plan: Plan, runs: Sequence[Run]) -> None:
    """Try own parts of runs that are about to be trained; raises as `check_runs`."""
    _refuse(plan, {(run.arm, run.width, run.depth): run for run in runs}.values(), (try_outputs,))
    _try_own(plan, runs)


def _try_own(plan: Plan, runs: Sequence[Run]) -> None:
    _refuse(plan, smallest(run for run in runs if own_probes(run.config)), (try_probes,))
    _refuse(plan, smallest(run for run in runs if run.config.batched), (try_batched,))


class _TooManyTensorsError(ValueError):
    """A network would take minutes to write down."""


@contextmanager
def _no_more_tensors_than(most: int) -> Iterator[None]:
    """Stop what builds a larger network."""
    count = itertools.count(1)

    def note(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        if next(count) > most:
            raise _TooManyTensorsError(
                f"the network has more than {most:,} tensors. Lower the depth, or the options of "
                "the model that repeat layers."
            )

    handle = register_module_parameter_registration_hook(note)
    try:
        yield
    finally:
        handle.remove()


def _try_loss(plan: Plan, config: RunConfig) -> None:
    data = plan.data_of(config)
    if config.loss == "cross_entropy" and is_known(data) and not described(data).classes:
        raise ValueError(
            f"cross_entropy is of classes, and the targets of {data.name!r} are numbers. Write "
            "loss: squared."
        )


def _try_optimizer(plan: Plan, config: RunConfig) -> None:
    _optimizer(config)


def _try_tuner(plan: Plan, config: RunConfig) -> None:
    if config.tuner is not None:
        load("tuner", config.tuner)(_optimizer(config), **config.tuner.options)


def _try_replay(plan: Plan, config: RunConfig) -> None:
    if config.replay is not None:
        for name in (config.optimizer, config.replay):
            optimizer = _optimizer(replace(config, optimizer=name))
            effective_rates(nn.Module(), optimizer)


def _optimizer(config: RunConfig) -> torch.optim.Optimizer:
    """Return the run's optimizer over a hidden matrix and another, at the learning rate 1."""
    groups = [
        # Not of zeros: such a matrix has no norm to keep.
        {"params": [nn.Parameter(torch.ones(1, 1))], "role": role, "relative_rate": 1.0}
        for role in ("hidden", "output")
    ]
    made: torch.optim.Optimizer = load("optimizer", config.optimizer)(
        groups, **config.optimizer.options
    )
    for group in made.param_groups:
        group["lr"] = 1.0
    return made


def _try_schedule(plan: Plan, config: RunConfig) -> None:
    schedule: Schedule = load("schedule", config.schedule)
    for step in np.unique(np.linspace(0, config.steps - 1, _TRIED_STEPS).astype(int)).tolist():
        found = schedule(step, config.steps, **config.schedule.options)
        if not (isinstance(found, Real) and 0 <= found < math.inf):
            raise ValueError(
                f"the schedule {config.schedule.name!r} gives {found!r} at step {step} of "
                f"{config.steps}. Return a factor of the learning rate, a number from 0 on."
            )


def _try_split(plan: Plan, config: RunConfig) -> None:
    processes = plan.study.resources.processes_per_run
    if processes > 1:
        check_settings(config, processes)
        check_model(blank_network(config, *sizes(plan.data_of(config))).model, processes)


def _try_samples(plan: Plan, config: RunConfig) -> None:
    """Compare what a run asks of its data with what they hold, where that is known."""
    dataset = plan.data_of(config)
    if not is_known(dataset):
        return
    found = described(dataset)
    samples = _samples(config, found)
    if samples is None:
        kind = "images" if block_size(config.model) is None else "text"
        raise ValueError(
            f"the data set holds {', '.join(found.holds)}; the model {config.model.family!r} "
            f"needs {kind}. Choose another data set or model."
        )
    if config.augmentation is not None and len(found.shape or ()) != 3:
        what = "a text" if found.shape is None else f"samples of shape {found.shape}"
        raise ValueError(
            f"augmentation is {config.augmentation}, but the data set holds {what}, no images "
            "(channels, height, width). Write none, or choose another data set."
        )
    chosen = samples if config.train_samples is None else config.train_samples
    if chosen > samples:
        raise ValueError(f"train_samples is {chosen}, but there are {samples} samples. Lower it.")
    check_passes(config, chosen)
    measured = config.measure.samples if config.measure else 0
    for name, count in (("batch_size", config.batch_size), ("measure.samples", measured)):
        if count > chosen:
            raise ValueError(f"{name} is {count}, but there are {chosen} samples. Lower it.")


def _samples(config: RunConfig, found: Described) -> int | None:
    """Return the training samples; None where the data are not of the model's kind."""
    block = block_size(config.model)
    if (block is None) != (found.shape is not None):
        return None
    return found.count if block is None else (found.count - 1) // block


def decay_lines(plan: Plan, sizes: Mapping[str, Sizes]) -> Iterator[str]:
    """Yield a line on the conditions of an experiment with weight-decay rules, then its warnings.

    Judged is, of the first arm that has a rule, the widest net at the measured learning rate (the
    first one where nothing is measured).

    Args:
        plan: The part of one experiment.
        sizes: Of each data set.
    """
    with_rule = [run for run in plan.runs if run.config.decay is not None]
    if not with_rule:
        return
    of_arm = [run for run in with_rule if run.arm == with_rule[0].arm]
    chosen = [run for run in of_arm if run.measured] or of_arm
    narrow, wide = (pick(chosen, key=lambda run: run.width) for pick in (min, max))
    regime = _regime(wide.config, sizes[wide.config.data])
    if regime is None:
        return
    samples, fan_in = regime
    rates, decay = _hidden(narrow.config, sizes[narrow.config.data])
    judgement = judge(
        samples=samples,
        fan_in=fan_in,
        learning_rates=rates,
        weight_decay=decay,
        width_multiplier=max(1.0, wide.width / narrow.width),
    )
    yield (
        f"  weight decay: {judgement.samples_per_input:.3g} samples per input of the widest net, "
        f"learning rates times decay sum to {judgement.total_decay:.3g}{_passes(plan, wide.config)}"
    )
    for warning in judgement.warnings:
        yield f"  note: {warning}"


def _hidden(config: RunConfig, sizes: Sizes) -> tuple[np.ndarray[Any, Any], float]:
    """Return every update's learning rate of a hidden weight, and its λ."""
    made = blank_network(config, *counted(sizes))
    own = next(n for name, n in made.scaled.items() if made.roles.tensors[name] == "hidden")
    schedule: Schedule = load("schedule", config.schedule)
    options = config.schedule.options
    shape = [schedule(t, config.steps, **options) for t in range(config.steps)]
    rates = np.array(shape) * config.learning_rate * own.learning_rate
    return rates, own.weight_decay * config.optimizer.options["weight_decay"]


def _regime(config: RunConfig, sizes: Sizes) -> tuple[int, int] | None:
    """Return B and C of the hidden layer with the fewest samples per input, if there is any."""
    made = blank_network(config, *counted(sizes))
    seen: dict[str, tuple[int, int]] = {}

    def note(name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        weight = module.get_parameter("weight")
        per_sample = output.numel() // weight.shape[0]
        seen[name] = (per_sample * config.batch_size, weight[0].numel())

    for name, module in made.model.named_modules():
        if (
            isinstance(module, nn.Linear | nn.Conv2d)
            and made.roles.tensors[f"{name}.weight"] == "hidden"
        ):
            module.register_forward_hook(partial(note, name))
    with torch.device("meta"), suppress(RuntimeError, NotImplementedError):  # a model reads values
        made.model(one_sample(config.model, sizes))
    return min(seen.values(), key=lambda found: found[0] / found[1], default=None)


def _passes(plan: Plan, config: RunConfig) -> str:
    """Say how often a run sees its data, where those are known."""
    dataset = plan.data_of(config)
    samples = _samples(config, described(dataset)) if is_known(dataset) else None
    if samples is None:
        return ""
    return f", {config.steps * config.batch_size / samples:.3g} passes over the data"
