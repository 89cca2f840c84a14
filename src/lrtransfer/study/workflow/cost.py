"""What a study will cost: updates and gradients counted, and timed on this machine.

Snakemake reads the Snakefile in every job and asks for time limits, so that torch is imported by
what counts alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.expand import Plan, Run, Sweep
from lrtransfer.study.storage.atomic import write_text
from lrtransfer.study.storage.paths import WORK, Layout

if TYPE_CHECKING:
    from lrtransfer.study.workflow.card import Card
    from lrtransfer.study.workflow.trial import Machine, Sizes

# Priced in GPU-hours.
_ON_GPUS = ("gpu", "paper")
# What a Lanczos product costs in gradient evaluations (`make bench TARGETS=curvature`).
_GRADIENTS_PER_PRODUCT = 2.0
_PRODUCTS_PER_SPECTRUM_TOP = 7
# Starting Python and torch; and what an experiment has of other jobs: tables, estimates, figures.
_JOB_SECONDS = 4.0
_LATER_JOBS = 3

_FILE = WORK / "costs.json"
# Runs that leave most of a GPU idle.
_SMALL = WORK / "small.json"
# An estimate may be off by this factor before a job has to go on in a second attempt.
_MARGIN = 3.0
_START_MINUTES = 5


def run_seconds(run: Run, sizes: Sizes, machine: Machine | Card) -> float:
    """Return the estimated time of one run, in seconds of what `machine` times.

    Args:
        run: The run.
        sizes: Of its data set.
        machine: A core of this machine, which tries what it has not tried yet, or a stated GPU.
    """
    config, measure = run.config, run.config.measure
    seconds = config.steps * machine.update(config, sizes)
    if measure is None:
        return seconds
    gradients = float(sum(catalog.constant("probes", name, "PRICE") for name in measure.probes))
    if measure.steps is not None:
        count = len(measure.steps)
    else:
        # The first and the last step are measured whatever they cost (`training.cadence`).
        share, price = measure.share or 0.0, gradients * measure.samples / config.batch_size
        affordable = int(share * config.steps / price) if price else config.steps
        count = 1 + max(1, min(affordable, config.steps))
    return seconds + count * gradients * machine.gradient(config, sizes, measure.samples)


def spectra_seconds(plan: Plan, sizes: Mapping[str, Sizes], machine: Machine | Card) -> float:
    """Return the estimated time of all spectra, in seconds of what `machine` times."""
    total = 0.0
    for spectrum in plan.spectra:
        config, run = spectrum.config, spectrum.run.config
        products = 2 * _PRODUCTS_PER_SPECTRUM_TOP * config.top
        products += config.density.probes * config.density.steps
        gradient = machine.gradient(run, sizes[run.data], config.samples)
        total += products * _GRADIENTS_PER_PRODUCT * gradient
    return total


def dataset_sizes(plan: Plan) -> dict[str, Sizes]:
    """Return the sizes of every data set of a plan, by identity: of images their shape, if known.

    A network of convolutions may ask for it.
    """
    from lrtransfer.study.data.described import described, is_known, sizes

    found: dict[str, Sizes] = {}
    for dataset in plan.datasets:
        features, outputs = sizes(dataset)
        shape = described(dataset).shape if is_known(dataset) else None
        found[dataset.id] = (features if shape is None else shape, outputs)
    return found


def note_costs(plan: Plan) -> None:
    """Estimate the seconds of every run on this machine and keep them for the jobs' time limits.

    What was kept of another plan goes.
    """
    sizes, machine = dataset_sizes(plan), _machine(plan, shared=False)
    costs = _costs(plan, sizes, machine)
    write_text(_FILE, json.dumps({key: round(seconds, 2) for key, seconds in costs.items()}))
    small = {run.key for run in plan.runs if machine.idles(run.config, sizes[run.config.data])}
    write_text(_SMALL, json.dumps(sorted(small)))


def _machine(plan: Plan, *, shared: bool = True) -> Machine | Card:
    """Return what a study of this scale is priced on."""
    from lrtransfer.study.workflow.card import Card
    from lrtransfer.study.workflow.trial import Machine

    on_gpus = plan.study.scale in _ON_GPUS
    return Card(plan.study.resources.card, shared=shared) if on_gpus else Machine()


def _costs(plan: Plan, sizes: Mapping[str, Sizes], machine: Machine | Card) -> dict[str, float]:
    """Return run key -> seconds; a run that experiments share is there once."""
    runs = {run.key: run for sweep in plan.sweeps for run in _as_batched(sweep)}
    return {key: run_seconds(run, sizes[run.config.data], machine) for key, run in runs.items()}


def _as_batched(sweep: Sweep) -> Iterator[Run]:
    """Yield a sweep's runs with as many of them at once as there are."""
    at_once = sum(run.config.batched is not None for run in sweep.runs)
    for run in sweep.runs:
        most = run.config.batched
        own = None if most is None else min(most, at_once)
        yield replace(run, config=replace(run.config, batched=own))


def known_costs() -> dict[str, float]:
    """Return run key -> estimated seconds; empty where nothing was estimated."""
    try:
        costs = json.loads(_FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return costs if isinstance(costs, dict) else {}


def small_runs() -> frozenset[str]:
    """Return the keys of the runs that may share a GPU; none where nothing was estimated."""
    try:
        return frozenset(json.loads(_SMALL.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return frozenset()


def runtime_minutes(
    keys: Sequence[str], costs: Mapping[str, float], ceiling: int, attempt: int
) -> int:
    """Return the time limit of a job: short jobs start sooner, and a limit hit costs little.

    Args:
        keys: The job's runs.
        costs: From `known_costs`.
        ceiling: The most that a first attempt asks for, and what is asked where a run's cost is
            unknown: `resources.train.runtime_minutes` of params.yaml.
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

    machine, sizes = _machine(plan), dataset_sizes(plan)
    on_gpus = plan.study.scale in _ON_GPUS
    costs = _costs(plan, sizes, machine)
    print(f"scale {plan.study.scale}, results in {layout.results}/")
    total = sum(costs.values()) + jobs * _JOB_SECONDS
    for name in plan.experiments:
        part = plan.part(name)
        spectra = spectra_seconds(part, sizes, machine)
        later = _LATER_JOBS * _JOB_SECONDS
        own = len(part.sweeps) + sum(bool(sweep.spectra) for sweep in part.sweeps)
        trained = sum(costs[key] for key in {run.key for run in part.runs})
        total += spectra + later
        started = own * _JOB_SECONDS + later
        if on_gpus:
            price = f"{_hours(trained + spectra)} GPU-hours"
        else:
            price = f"{duration(trained + spectra + started)} of one core"
        for line in (*_lines(part, name, price), *decay_lines(part, sizes)):
            print(plain(line))
    if on_gpus:
        card = plan.study.resources.card
        print(
            f"in all about {_hours(total)} hours of one {card.name} at {card.utilisation:.0%} of "
            f"its peak and {card.kernel_us:g} µs a kernel, where {card.jobs} jobs share it"
        )
        return
    print(
        f"in all about {duration(total)} of one core of this machine, {duration(total / 2)} on "
        "two; most experiments within a factor of 1.5 of that, less where runs diverge"
    )


def _lines(plan: Plan, name: str, price: str) -> Iterator[str]:
    grid = plan.grid(name)
    yield f"{name}: {plan.study.study[name].question}"
    steps, batches = (run.config.steps for run in plan.runs), (run.batch for run in plan.runs)
    yield (
        f"  {len(plan.study.study[name].arms)} arms, widths {_list(grid.widths)}, depths "
        f"{_list(grid.depths)}, {len(grid.seeds)} seeds, {_range(steps)} steps of {_range(batches)}"
    )
    measured = sum(run.measured for run in plan.runs)
    yield (
        f"  {len(plan.sweeps)} sweeps, {len(plan.runs)} runs ({measured} with curvature), "
        f"{len(plan.spectra)} spectra; about {price}"
    )


def _hours(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.2g}"


def _range(values: Iterable[int]) -> str:
    ends = sorted(set(values))
    return str(ends[0]) if len(ends) == 1 else f"{ends[0]} to {ends[-1]}"


def _list(values: list[int]) -> str:
    return ", ".join(map(str, values))
