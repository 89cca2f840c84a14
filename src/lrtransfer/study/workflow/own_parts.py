"""Parts of the study's own, tried on two samples before anything trains."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.described import described, sizes
from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.expand import Dataset, Plan, Run
from lrtransfer.study.plan.parts import load
from lrtransfer.study.plan.places import PACKAGE, fault, imported, shown
from lrtransfer.study.plan.run_config import RunConfig
from lrtransfer.study.probes import Measurement, Probe
from lrtransfer.study.training.network import PRECISIONS, blank_network, block_size
from lrtransfer.study.training.run import Hooks, TrainingRun
from lrtransfer.study.workflow.trial import bare


class OutputsError(ValueError):
    """A part returns something else than is needed of it."""


def try_outputs(plan: Plan, config: RunConfig) -> None:
    """Pass two samples through a model and a loss, where one of them is not this package's.

    Raises:
        OutputsError: A shape is wrong; the message names the file.
    """
    family = config.model.family
    own = [not catalog.is_ours("models", family), not catalog.is_ours("losses", config.loss)]
    dataset = plan.data_of(config)
    block, dtype = block_size(config.model), PRECISIONS[config.precision]
    if not any(own) or (block is None and described(dataset).shape is None):
        return  # of the latter a text, `preflight` says that it does not fit
    features, outputs = sizes(dataset)
    inputs, places = torch.zeros(2, block or 1, dtype=torch.long), [2, block or 1]
    targets = torch.zeros(places, dtype=torch.long)
    if block is None:
        inputs, places = torch.randn(2, *described(dataset).shape or (), dtype=dtype), [2]
        classes = described(dataset).classes
        targets = targets[:, 0] if classes else torch.zeros(2, outputs, dtype=dtype)
    wanted = (*places, outputs)
    found = torch.randn(wanted, dtype=dtype)
    if own[0]:
        found = _called(family, blank_network(config, features, outputs).model, inputs)
    if not isinstance(found, Tensor) or found.shape != wanted:
        raise OutputsError(
            f"the model {family!r} returns {_what(found)} for inputs {tuple(inputs.shape)}, but "
            f"the data need {wanted}: samples{', tokens' * (block is not None)}, outputs. Correct "
            f"{shown(catalog.source_file('models', family))}."
        )
    loss = load("loss", config.loss)
    once, twice = loss(found, targets), loss(torch.cat([found] * 2), torch.cat([targets] * 2))
    file = shown(catalog.source_file("losses", config.loss))
    remedy = f"Return the mean over samples, a tensor of shape (), in {file}."
    if not isinstance(once, Tensor) or once.shape != ():
        raise OutputsError(f"the loss {config.loss!r} returns {_what(once)}. {remedy}")
    if own[1] and not torch.allclose(once, twice, rtol=1e-3, atol=1e-6, equal_nan=True):
        raise OutputsError(
            f"the loss {config.loss!r} returns {once.item():.4g} for two samples and "
            f"{twice.item():.4g} for each of them twice. {remedy}"
        )


def _called(family: str, model: nn.Module, inputs: Tensor) -> Any:
    """Return a model's outputs; raise `OutputsError` where it takes more than inputs."""
    try:
        return model(inputs)
    except TypeError as error:
        if fault(error) is not None:  # the line of the file is told
            raise
        file = shown(catalog.source_file("models", family))
        raise OutputsError(
            f"the model {family!r} cannot be called with its inputs alone ({error}). Correct "
            f"`forward` in {file}."
        ) from error


def import_own(plan: Plan) -> None:
    """Import the figures and measures of the study's own: all that runs before there are results.

    Raises:
        PartError: One fails; the line names the file and its line.
    """
    for name in plan.experiments:
        for figure in plan.study.study[name].figures:
            if not catalog.is_ours("figures", figure):
                catalog.load("figures", figure)
    for source in catalog.measure_sources():
        if not source.file.is_relative_to(PACKAGE):
            imported(source)


def smallest(runs: Iterable[Run]) -> list[Run]:
    """Return of each arm the smallest run."""
    found: dict[tuple[str, str], Run] = {}
    for run in sorted(runs, key=lambda run: (run.width, run.depth)):
        found.setdefault((run.experiment, run.arm), run)
    return list(found.values())


def own_probes(config: RunConfig) -> tuple[str, ...]:
    """Return the probes of a run that are not this package's."""
    names = config.measure.probes if config.measure else ()
    return tuple(name for name in names if not catalog.is_ours("probes", name))


def try_probes(plan: Plan, config: RunConfig) -> None:
    """Let the study's own probes measure before and after one update on random data.

    Raises:
        OutputsError: A probe lacks something, or does not measure what it tells; the message names
            the file.
    """
    measure, names = config.measure, own_probes(config)
    if measure is None or not names:
        return
    tried = replace(bare(config), batch_size=2, tuner=None, replay=None, micro_batch=None)
    alone = replace(measure, probes=names, samples=2, steps=(0, 1), share=None)
    arrays = _random(plan.data_of(config), block_size(config.model))
    run = TrainingRun(replace(tried, measure=alone), arrays, torch.device("cpu"))
    run.probes = {name: _Tried(name, probe) for name, probe in run.probes.items()}

    def stop(step: int, run: TrainingRun) -> None:
        run.load_state(run.state())
        raise _EnoughError

    with suppress(_EnoughError):
        run.execute(Hooks(after_step=stop))


def try_batched(plan: Plan, config: RunConfig) -> None:
    """Let two runs train as one for a step on random data, where a part is not this package's.

    Raises:
        OutputsError: A part does not pass as such; the message names what was tried.
    """
    parts = {
        "models": config.model.family,
        "losses": config.loss,
        "optim": config.optimizer.name,
    }
    own = [
        shown(catalog.source_file(kind, name))
        for kind, name in parts.items()
        if not catalog.is_ours(kind, name)
    ]
    if config.batched is None or not own:
        return
    tried = replace(bare(config), batch_size=2, steps=1, batched=2)
    arrays = _random(plan.data_of(config), block_size(config.model))
    both = [replace(tried, seed=seed) for seed in (0, 1)]
    try:
        load("batched", 2)(both, arrays, torch.device("cpu")).execute(lambda step: None)
    except Exception as error:  # anything that vmap or a user's code may raise
        reason = str(error).partition(". ")[0]
        raise OutputsError(
            f"{' and '.join(own)}: fails where runs train as one, over stacked tensors "
            f"({type(error).__name__}: {reason}). Remove batched, or what it cannot pass: numbers "
            "drawn anew (dropout), branches on values."
        ) from error


class _EnoughError(Exception):
    """Both measurements are done."""


class _Tried:
    """A probe whose answers are looked at."""

    def __init__(self, name: str, probe: Probe) -> None:
        self.name, self.probe = name, probe
        self.file = shown(catalog.source_file("probes", name))
        for lacking in ("measure", "state", "load_state", "needs_update", "sums", "gradients"):
            if not hasattr(probe, lacking):
                raise OutputsError(
                    f"the probe {name!r} lacks {lacking!r}. Let its class in {self.file} be one of "
                    "lrtransfer.study.probes.memory.Stateless."
                )
        self.needs_update, self.sums, self.gradients = probe.needs_update, probe.sums, 0.0

    def measure(self, at: Measurement) -> dict[str, float]:
        """Measure; raise `OutputsError` if that is not column -> number, or not as it is told."""
        row: Any = self.probe.measure(at)
        self.gradients = float(self.probe.gradients)
        values = row.values() if isinstance(row, dict) else [row]
        if unfit := [v for v in values if v is row or not isinstance(v, Real)]:
            raise OutputsError(
                f"the probe {self.name!r} measures {_what(unfit[0])}. Return column -> float from "
                f"`measure`, in {self.file}."
            )
        told = catalog.constant("probes", self.name, "COLUMNS")
        if strange := [column for column in row if column.partition("/")[0] not in told]:
            raise OutputsError(
                f"the probe {self.name!r} measures {strange[0]!r}, which COLUMNS does not name. "
                f"Add it there, in {self.file}."
            )
        return dict(row)

    def state(self) -> dict[str, Tensor]:
        """Return the probe's."""
        return self.probe.state()

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Hand it on."""
        self.probe.load_state(state)


def _random(dataset: Dataset, block: int | None) -> Arrays:
    """Return two samples of a data set's shape."""
    features, outputs = sizes(dataset)
    if block is not None:
        tokens = np.zeros(2 * block + 1, np.int64)
        tokens[0] = outputs - 1
        return {"train_tokens": tokens}
    told, random = described(dataset), np.random.default_rng(0)
    inputs = random.standard_normal((2, *(told.shape or (features,))), np.float32)
    targets = np.array([outputs - 1, 0])
    if not told.classes:
        targets = random.standard_normal((2, outputs), np.float32)
    return {"train_inputs": inputs, "train_targets": targets}


def _what(found: object) -> str:
    return str(tuple(found.shape)) if isinstance(found, Tensor) else f"a {type(found).__name__}"
