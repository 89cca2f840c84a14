"""The text of ``lrtransfer check``: what a study asks for, and about how long it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lrtransfer.study.data import source
from lrtransfer.study.plan import Plan
from lrtransfer.study.training.progress import duration
from lrtransfer.study.workflow.cost import (
    Machine,
    calibrate,
    job_seconds,
    run_seconds,
    spectra_seconds,
)
from lrtransfer.study.workflow.decay_conditions import condition_lines
from lrtransfer.study.workflow.selection import Selection
from lrtransfer.study.workflow.targets import Targets


def print_estimate(chosen: Selection) -> None:
    """Print experiments, sweeps, runs and the estimated cost on this machine."""
    plan = chosen.plan
    machine = calibrate()
    targets = Targets(plan, chosen.layout)
    print(f"scale {plan.study.scale}, results in {chosen.layout.results}/")
    total = 0.0
    for name in plan.experiments:
        part = replace(plan, sweeps=tuple(s for s in plan.sweeps if s.name.startswith(f"{name}/")))
        seconds = _seconds(part, machine)
        total += seconds
        for line in (*_lines(part, name, seconds), *condition_lines(part, dataset_sizes(part))):
            print(line)
    total += job_seconds(len(list(targets.train_jobs())) + len(list(targets.spectra_jobs())))
    print(
        f"in all about {duration(total)} of one core of this machine, {duration(total / 2)} on "
        "two; within a factor of two or so"
    )


def dataset_sizes(plan: Plan) -> dict[str, tuple[int, int]]:
    """Return data set id -> numbers per sample and number of outputs."""
    specs = {dataset.id: dataset.spec for dataset in plan.datasets}
    return {i: source(spec.source, **spec.options).sizes for i, spec in specs.items()}


def _lines(plan: Plan, name: str, seconds: float) -> Iterator[str]:
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
        f"{len(plan.spectra)} spectra; about {duration(seconds)} of one core"
    )


def _seconds(plan: Plan, machine: Machine) -> float:
    sizes = dataset_sizes(plan)
    training = sum(run_seconds(run, sizes[run.config["data"]], machine) for run in plan.runs)
    return training + spectra_seconds(plan, sizes, machine)


def _per_arm(value: int | dict[str, int]) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{min(value.values())} to {max(value.values())}"


def _list(values: list[int]) -> str:
    return ", ".join(map(str, values))
