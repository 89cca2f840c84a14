"""The parts of a study, each called by a rule of Snakemake's or a stage of DVC's."""

from __future__ import annotations

import gc
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from functools import wraps
from typing import TYPE_CHECKING

from lrtransfer.study.workflow.selection import selected

Command = Callable[[Namespace], None]

_GARBAGE = 700  # new objects before a search for it, while tensors may lie in it

if TYPE_CHECKING:
    from lrtransfer.study.plan.expand import Run
    from lrtransfer.study.workflow.start import Selection


def _stage(command: Command) -> Command:
    """Let a stage set aside the damaged result that it meets, so that the next call heals it.

    What the study's own code raises becomes one line, which names the file.
    """

    @wraps(command)
    def run(options: Namespace) -> None:
        from lrtransfer.study.plan.places import fault
        from lrtransfer.study.plan.yaml_file import StudyError
        from lrtransfer.study.workflow.safeguard import setting_aside

        try:
            with setting_aside():
                command(options)
        except Exception as error:
            if (line := fault(error)) is None:
                raise
            raise StudyError([line]) from error

    return run


def prepare(options: Namespace) -> None:
    """Prepare one data set that params.yaml declares."""
    from lrtransfer.study.data.pinned import note_seen
    from lrtransfer.study.data.prepare import prepare as prepare_one

    plan = selected(options).plan
    dataset = next(one for one in plan.datasets if one.name == options.dataset)
    spec = dataset.spec
    assert spec.sha256 is not None  # noqa: S101 - `select` refuses a data set without one
    folder = prepare_one(dataset.id, spec.source, spec.sha256, dict(spec.options))
    note_seen(dataset)
    print(f"prepared {folder}", file=sys.stderr)
    from lrtransfer.study.workflow.preflight import check_samples

    # Of what lay afar it is known only now; no run may be trained that it has no samples for.
    check_samples(plan, dataset)


@_stage
def train(options: Namespace) -> None:
    """Train the runs behind the given files, each in as many processes as the study asks for."""
    from lrtransfer.study.training.distributed.launch import (
        started_by_torchrun,
        train_part,
        train_together,
    )
    from lrtransfer.study.workflow.targets import runs_behind

    chosen = selected(options)
    processes = chosen.plan.study.resources.processes_per_run
    runs = runs_behind(chosen.plan, options.files)
    if started_by_torchrun():
        train_part(runs, chosen.layout, chosen.plan.study.device, options.threads)
    elif processes > 1:
        train_together(options, processes)
    else:
        train_here(runs, chosen, options.threads)


def train_here(runs: list[Run], chosen: Selection, threads: int) -> None:
    """Train runs in this process; those that are finished are left alone."""
    from lrtransfer.study.plan.catalog import is_ours
    from lrtransfer.study.training.device import choose_device, gpu_of_its_own
    from lrtransfer.study.training.sweep import Job, train_runs
    from lrtransfer.study.workflow.light_start import leave_out_compiler

    leave_out_compiler()
    _begin(threads)
    if not all(is_ours(*part) for run in runs for part in _tried(run)):
        from lrtransfer.study.workflow.preflight import check_own_parts

        check_own_parts(chosen.plan, runs)
    with gpu_of_its_own(choose_device(chosen.plan.study.device)) as device:
        count = train_runs(runs, Job(chosen.layout, device))
    print(f"trained {count} of {len(runs)} runs; the others were finished", file=sys.stderr)


def _begin(threads: int) -> None:
    """Let torch have its threads, and memory be freed as soon as usual."""
    import torch

    torch.set_num_threads(threads)
    gc.freeze()
    gc.set_threshold(_GARBAGE)


def _tried(run: Run) -> Iterator[tuple[str, str]]:
    """Yield room and name of those parts that are tried where they are the study's own."""
    config = run.config
    yield from (("models", config.model.family), ("losses", config.loss))
    yield "optim", config.optimizer.name
    yield from (("probes", name) for name in (config.measure.probes if config.measure else ()))


@_stage
def spectra(options: Namespace) -> None:
    """Compute the spectra behind the given files."""
    from lrtransfer.study.spectra.job import compute_spectra
    from lrtransfer.study.training.device import choose_device, gpu_of_its_own
    from lrtransfer.study.workflow.targets import spectra_behind

    chosen = selected(options)
    wanted = spectra_behind(chosen.plan, options.files)
    _begin(options.threads)
    with gpu_of_its_own(choose_device(chosen.plan.study.device)) as device:
        compute_spectra(wanted, chosen.layout, device)


@_stage
def tables(options: Namespace) -> None:
    """Write the tables over the runs of one experiment."""
    from lrtransfer.study.workflow.stages import write_run_tables

    chosen = selected(options)
    write_run_tables(chosen.plan, chosen.layout, options.experiment)


@_stage
def spectra_table(options: Namespace) -> None:
    """Write the table over the spectra of one experiment."""
    from lrtransfer.study.workflow.stages import write_spectra_table

    chosen = selected(options)
    write_spectra_table(chosen.plan, chosen.layout, options.experiment)


@_stage
def estimates(options: Namespace) -> None:
    """Write the estimates of one experiment."""
    from lrtransfer.study.workflow.stages import write_estimates

    chosen = selected(options)
    write_estimates(chosen.plan, chosen.layout, options.experiment)


@_stage
def ledger(options: Namespace) -> None:
    """Write the ledger and the metrics of all experiments that have estimates."""
    from lrtransfer.study.workflow.stages import write_ledger

    chosen = selected(options)
    write_ledger(chosen.plan, chosen.layout)


@_stage
def draw(options: Namespace) -> None:
    """Draw the figures of one experiment."""
    from lrtransfer.study.workflow.reporting import draw_figures

    chosen = selected(options)
    draw_figures(chosen.plan, chosen.layout, options.experiment)


@_stage
def report(options: Namespace) -> None:
    """Write the report."""
    from lrtransfer.study.workflow.reporting import write_report

    chosen = selected(options)
    write_report(chosen.plan, chosen.layout)


def provenance(options: Namespace) -> None:
    """Keep Snakemake's records beside the results."""
    from lrtransfer.study.workflow.safeguard import save_provenance

    print(f"kept {save_provenance()} records of provenance")
