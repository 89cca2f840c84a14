"""What a study will cost: operations counted exactly, time estimated on this machine.

Snakemake reads the Snakefile in every job and asks for time limits, so that torch is imported by
what counts alone.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.catalog import load
from lrtransfer.study.plan.expand import Plan, Run
from lrtransfer.study.storage.atomic import write_text
from lrtransfer.study.storage.paths import WORK, Layout

if TYPE_CHECKING:
    from lrtransfer.study.plan.run_config import ModelConfig

# What a Lanczos product costs in gradient evaluations (`make bench TARGETS=curvature`).
_GRADIENTS_PER_PRODUCT = 2.0
_PRODUCTS_PER_SPECTRUM_TOP = 5
# Starting Python and torch.
_JOB_SECONDS = 4.0

_FILE = WORK / "costs.json"
# An estimate may be off by this factor before a job has to go on in a second attempt.
_MARGIN = 3.0
_START_MINUTES = 5

Sizes = tuple[int, int]
"""Numbers per sample, and number of outputs."""


@dataclass(frozen=True)
class Machine:
    """How fast this machine is: seconds per small operation, FLOP per second in large ones."""

    seconds_per_call: float
    flops_per_second: float


def calibrate() -> Machine:
    """Measure this machine for about half a second, on one thread."""
    import torch

    torch.set_num_threads(1)
    small, large = torch.randn(8, 8), torch.randn(512, 512)
    return Machine(
        seconds_per_call=_timed(lambda: small @ small),
        flops_per_second=2 * 512**3 / _timed(lambda: large @ large),
    )


def run_seconds(run: Run, sizes: Sizes, machine: Machine) -> float:
    """Return the estimated time of one run, in seconds of one core.

    Args:
        run: The run.
        sizes: Of its data set.
        machine: From :func:`calibrate`.
    """
    config = run.config
    flops, calls = _gradient(config.model, sizes)

    def gradient(samples: int) -> float:
        return samples * flops / machine.flops_per_second + calls * machine.seconds_per_call

    tuner, measure = config.tuner, config.measure
    price = 1.0 if tuner is None else float(catalog.constant("optim/tuners", tuner.name, "PRICE"))
    seconds = config.steps * price * gradient(config.batch_size)
    if measure is None:
        return seconds
    if measure.steps is None:
        return seconds * (1 + (measure.share or 0.0))
    gradients = sum(catalog.constant("probes", name, "PRICE") for name in measure.probes)
    return seconds + len(measure.steps) * float(gradients) * gradient(measure.samples)


def spectra_seconds(plan: Plan, sizes: Mapping[str, Sizes], machine: Machine) -> float:
    """Return the estimated time of all spectra, in seconds of one core."""
    total = 0.0
    for spectrum in plan.spectra:
        config, run = spectrum.config, spectrum.run.config
        flops, calls = _gradient(run.model, sizes[run.data])
        products = 2 * _PRODUCTS_PER_SPECTRUM_TOP * config.top
        products += config.density.probes * config.density.steps
        gradient = config.samples * flops / machine.flops_per_second
        gradient += calls * machine.seconds_per_call
        total += products * _GRADIENTS_PER_PRODUCT * gradient
    return total


def dataset_sizes(plan: Plan) -> dict[str, Sizes]:
    """Return the sizes of every data set of a plan, by identity."""
    specs = {dataset.id: dataset.spec for dataset in plan.datasets}
    return {i: load("data", spec.source)(**spec.options).sizes for i, spec in specs.items()}


def note_costs(plan: Plan) -> None:
    """Estimate the seconds of every run on this machine and keep them for the jobs' time limits."""
    machine, sizes = calibrate(), dataset_sizes(plan)
    costs = {run.key: run_seconds(run, sizes[run.config.data], machine) for run in plan.runs}
    every = known_costs() | {key: round(seconds, 1) for key, seconds in costs.items()}
    write_text(_FILE, json.dumps(every))


def known_costs() -> dict[str, float]:
    """Return run key -> estimated seconds; empty where nothing was estimated."""
    try:
        costs: dict[str, float] = json.loads(_FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return costs


def runtime_minutes(
    keys: Sequence[str], costs: Mapping[str, float], ceiling: int, attempt: int
) -> int:
    """Return the time limit of a job: short jobs start sooner, and a limit hit costs little.

    Args:
        keys: The job's runs.
        costs: From :func:`known_costs`.
        ceiling: The most that a first attempt asks for, and what is asked where a run's cost is
            unknown: ``resources.train.runtime_minutes`` of params.yaml.
        attempt: 1 for the first; a later one goes on from the saved state, with more time.
    """
    if not all(key in costs for key in keys):
        return ceiling * attempt
    estimate = _START_MINUTES + math.ceil(_MARGIN * sum(costs[key] for key in keys) / 60)
    return min(estimate, ceiling) * attempt


def print_estimate(plan: Plan, layout: Layout, jobs: int) -> None:
    """Print experiments, sweeps, runs and the estimated cost on this machine.

    Args:
        plan: What the study asks for.
        layout: Where its files lie.
        jobs: Processes that it starts, for training and spectra.
    """
    from lrtransfer.study.training.progress import duration, plain
    from lrtransfer.study.workflow.preflight import decay_lines

    machine, sizes = calibrate(), dataset_sizes(plan)
    print(f"scale {plan.study.scale}, results in {layout.results}/")
    total = jobs * _JOB_SECONDS
    for name in plan.experiments:
        part = plan.part(name)
        seconds = sum(run_seconds(run, sizes[run.config.data], machine) for run in part.runs)
        seconds += spectra_seconds(part, sizes, machine)
        total += seconds
        for line in (*_lines(part, name, duration(seconds)), *decay_lines(part, sizes)):
            print(plain(line))
    print(
        f"in all about {duration(total)} of one core of this machine, {duration(total / 2)} on "
        "two; within a factor of two or so"
    )


def _lines(plan: Plan, name: str, price: str) -> Iterator[str]:
    grid = plan.grid(name)
    yield f"{name}: {plan.study.study[name].question}"
    yield (
        f"  {len(plan.study.study[name].arms)} arms, widths {_list(grid.widths)}, depths "
        f"{_list(grid.depths)}, {len(grid.seeds)} seeds, {_per_arm(grid.steps)} steps of "
        f"{_per_arm(grid.batch_size)}"
    )
    measured = sum(run.measured for run in plan.runs)
    yield (
        f"  {len(plan.sweeps)} sweeps, {len(plan.runs)} runs ({measured} with curvature), "
        f"{len(plan.spectra)} spectra; about {price} of one core"
    )


_COUNTED: dict[str, tuple[float, float]] = {}


def _gradient(model: ModelConfig, sizes: Sizes) -> tuple[float, float]:
    """Return FLOP per sample of one gradient, and its cost in small operations."""
    name = repr((model, sizes))
    if name not in _COUNTED:
        _COUNTED[name] = _count(model, sizes)
    return _COUNTED[name]


def _count(model: ModelConfig, sizes: Sizes) -> tuple[float, float]:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from lrtransfer.study.training.network import block_size, build

    block = block_size(model)
    with torch.device("meta"):
        network = build(model, *sizes)
        sample = torch.randn(1, sizes[0]) if block is None else torch.zeros(1, block).long()
    with FlopCounterMode(display=False) as counter:
        network(sample).sum().backward()
    layers = sum(1 for _ in network.parameters())
    return float(counter.get_total_flops()), 60.0 + 60.0 * layers


def _timed(work: Any) -> float:
    work()
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < 0.2:
        work()
        count += 1
    return (time.perf_counter() - began) / count


def _per_arm(value: int | dict[str, int]) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{min(value.values())} to {max(value.values())}"


def _list(values: list[int]) -> str:
    return ", ".join(map(str, values))
