"""What each command does; torch, pandas and matplotlib are imported by those that need them."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from typing import Any

from lrtransfer.study.plan import Run
from lrtransfer.study.workflow.selection import Selection, select


def _selected(options: Namespace) -> Selection:
    return select(options.params, options.scale, options.experiments)


def check(options: Namespace) -> None:
    """Validate params.yaml and print what it asks for and what that costs."""
    from lrtransfer.study.workflow.estimate import print_estimate
    from lrtransfer.study.workflow.preflight import check_runs

    chosen = _selected(options)
    check_runs(chosen.plan)
    print_estimate(chosen)


def workflow(options: Namespace) -> None:
    """Run Snakemake on the study; does not return."""
    from lrtransfer.study.workflow.entry import run_snakemake

    chosen = _selected(options)
    if any(not chosen.layout.run(run.key).exists() for run in chosen.plan.runs):
        from lrtransfer.study.workflow.job_cost import note_costs
        from lrtransfer.study.workflow.preflight import check_runs

        check_runs(chosen.plan)
        note_costs(chosen.plan)
    run_snakemake(chosen.plan, chosen.layout, options.targets, options.cores, chosen.overrides)


def claims(options: Namespace) -> None:
    """Print the ledger."""
    from lrtransfer.study.evidence.ledger import counts, table

    records = _ledger(_selected(options))
    if options.against is not None:
        from lrtransfer.study.evidence.replication import compare
        from lrtransfer.study.workflow.stored import read_claims

        found = compare(records, read_claims(options.against))
        print(found.text())
        raise SystemExit(4 if found.reversed else 0)
    if options.json:
        print(json.dumps(records, indent=2, ensure_ascii=False))
        return
    print(table(records))
    print(f"\n{counts(records)}")


def _ledger(chosen: Selection) -> list[dict[str, Any]]:
    from lrtransfer.study.workflow.stored import ledger_of

    study = chosen.plan.study
    return ledger_of(chosen.layout, chosen.plan.experiments, study.scale, study.fits.confidence)


def predict(options: Namespace) -> None:
    """Print the optimal learning rate predicted at a size that was not run."""
    from lrtransfer.study.workflow.prediction import as_json, as_text, predictions

    chosen = select(options.params, options.scale, "all")
    found = predictions(chosen, options.experiment, options.arm, options.width, options.depth)
    print(as_json(found) if options.json else as_text(found))
    if not any(answer.prediction for answer in found):
        raise SystemExit(3)


def status(options: Namespace) -> None:
    """Print what is finished, missing or stale."""
    from lrtransfer.study.workflow.status import describe, study_status

    chosen = _selected(options)
    everything = select(options.params, options.scale, "all").plan
    print(describe(study_status(chosen.plan, chosen.layout, everything)))


def figures(options: Namespace) -> None:
    """Redraw figures and report from stored results."""
    from lrtransfer.study.workflow.figures_stage import draw_figures, write_report

    chosen = _selected(options)
    for name in chosen.plan.experiments:
        draw_figures(chosen.plan, chosen.layout, name)
        print(f"drew {chosen.layout.figures(name)}", file=sys.stderr)
    write_report(chosen.plan, chosen.layout)
    print(f"wrote {chosen.layout.report}", file=sys.stderr)


def prune(options: Namespace) -> None:
    """List what no experiment asks for, and remove it on confirmation."""
    from lrtransfer.study.workflow.prune import remove, size, unasked_files

    chosen = select(options.params, options.scale, options.experiments or "all")
    stray = unasked_files(chosen.plan, chosen.layout)
    for path in stray:
        print(f"{size(path):>12,} bytes  {path}")
    if not stray:
        print("nothing to prune")
        return
    if options.yes or _confirmed(f"remove these {len(stray)} files and folders? [y/N] "):
        remove(stray)
        print(f"removed {len(stray)}")
    else:
        print("nothing removed")


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    return input(question).strip().lower() in {"y", "yes"}


def restore(options: Namespace) -> None:
    """Pull results and give Snakemake its records back."""
    from lrtransfer.study.workflow.provenance import pull_results, restore_provenance

    if not options.no_pull:
        pull_results(options.dvc_arguments)
    print(f"restored {restore_provenance()} records of provenance")


def save_provenance(options: Namespace) -> None:
    """Keep Snakemake's records beside the results."""
    from lrtransfer.study.workflow.provenance import save_provenance as save

    print(f"kept {save()} records of provenance")


def adopt(options: Namespace) -> None:
    """Re-key finished runs after a refactoring that a sample proves harmless."""
    from lrtransfer.study.workflow.adopt import adopt as adopt_runs
    from lrtransfer.study.workflow.adopt import candidates, sample

    chosen = _selected(options)
    found = candidates(chosen.plan, chosen.layout)
    picked = sample(found, options.sample, options.seed)
    if not found:
        print("nothing to adopt: no missing run has a stored run of equal configuration")
        return
    print(f"{len(found)} runs could be adopted; retraining {len(picked)} of them as a proof")
    adopt_runs(found, picked, chosen.layout, lambda run: _train([run], chosen, threads=1))
    print(f"adopted {len(found) - len(picked)} runs; the sample came out bit-equal")


def coordcheck(options: Namespace) -> None:
    """Check the coordinates of networks; own parameterizations are those of params.yaml."""
    import torch

    from lrtransfer.coordinates.report import run
    from lrtransfer.study.plan import load_study
    from lrtransfer.study.plan.parameterizations import builtin, known

    torch.set_num_threads(1)
    asked = options.parameterization
    specs = builtin()
    if not set(asked) <= set(specs):
        specs = known(load_study(options.params).parameterizations)
    run(options.model, asked, options.optimizer, specs, options.out)


def sharpness(options: Namespace) -> None:
    """Print the largest eigenvalues of a saved model's curvature."""
    import torch

    from lrtransfer.study.spectra import saved_model
    from lrtransfer.study.workflow.curvature_report import as_json, as_text

    torch.set_num_threads(1)
    about = None
    if options.problem is None:
        problem, about = saved_model.from_checkpoint(options.file, options.samples)
    elif options.samples is not None:
        raise ValueError("--samples is for checkpoints; the batch is what --problem returns")
    else:
        problem = saved_model.from_function(options.problem, options.file)
    found = saved_model.measure(problem, options.operator, options.k, tolerance=options.tolerance)
    print(as_json(found, about) if options.json else as_text(found, about))


def schema(options: Namespace) -> None:
    """Print the JSON schema of params.yaml."""
    from lrtransfer.study.plan.schema import Study

    print(json.dumps(Study.model_json_schema(), indent=2, ensure_ascii=False))


def prepare(options: Namespace) -> None:
    """Prepare one data set that params.yaml declares."""
    from lrtransfer.study.data.prepare import prepare as prepare_one

    by_name = {dataset.name: dataset for dataset in _selected(options).plan.datasets}
    dataset = by_name[options.dataset]
    spec = dataset.spec
    folder = prepare_one(dataset.id, spec.source, spec.sha256, dict(spec.options))
    print(f"prepared {folder}", file=sys.stderr)


def train(options: Namespace) -> None:
    """Train the runs behind the given files, each in as many processes as the study asks for."""
    from lrtransfer.study.workflow.targets import runs_behind
    from lrtransfer.study.workflow.torchrun import started_by_torchrun, train_part, train_together

    chosen = _selected(options)
    processes = chosen.plan.study.resources.processes_per_run
    runs = runs_behind(chosen.plan, options.files)
    if started_by_torchrun():
        train_part(runs, chosen, options.threads)
    elif processes > 1:
        train_together(options, processes)
    else:
        _train(runs, chosen, options.threads)


def _train(runs: list[Run], chosen: Selection, threads: int) -> None:
    import torch

    from lrtransfer.study.training.device import choose_device
    from lrtransfer.study.training.sweep import Job, train_runs
    from lrtransfer.study.workflow.gpu_slot import gpu_of_its_own

    torch.set_num_threads(threads)
    with gpu_of_its_own(choose_device(chosen.plan.study.device)) as device:
        count = train_runs(runs, Job(chosen.layout, device))
    print(f"trained {count} of {len(runs)} runs; the others were finished", file=sys.stderr)


def spectra(options: Namespace) -> None:
    """Compute the spectra behind the given files."""
    import torch

    from lrtransfer.study.spectra.job import compute_spectra
    from lrtransfer.study.training.device import choose_device
    from lrtransfer.study.workflow.gpu_slot import gpu_of_its_own
    from lrtransfer.study.workflow.targets import spectra_behind

    torch.set_num_threads(options.threads)
    chosen = _selected(options)
    wanted = spectra_behind(chosen.plan, options.files)
    with gpu_of_its_own(choose_device(chosen.plan.study.device)) as device:
        compute_spectra(wanted, chosen.layout, device)


def tables(options: Namespace) -> None:
    """Write the tables over the runs of one experiment."""
    from lrtransfer.study.workflow.tables_stage import write_run_tables

    chosen = _selected(options)
    write_run_tables(chosen.plan, chosen.layout, options.experiment)


def spectra_tables(options: Namespace) -> None:
    """Write the tables over the spectra of one experiment."""
    from lrtransfer.study.workflow.tables_stage import write_spectra_tables

    chosen = _selected(options)
    write_spectra_tables(chosen.plan, chosen.layout, options.experiment)


def index(options: Namespace) -> None:
    """Write the index over all selected experiments."""
    from lrtransfer.study.workflow.tables_stage import write_index

    chosen = _selected(options)
    write_index(chosen.plan, chosen.layout)


def fit(options: Namespace) -> None:
    """Write the fits and claims of one experiment."""
    from lrtransfer.study.workflow.tables_stage import write_fits

    chosen = _selected(options)
    write_fits(chosen.plan, chosen.layout, options.experiment)


def draw(options: Namespace) -> None:
    """Draw the figures of one experiment."""
    from lrtransfer.study.workflow.figures_stage import draw_figures

    chosen = _selected(options)
    draw_figures(chosen.plan, chosen.layout, options.experiment)


def ledger(options: Namespace) -> None:
    """Write the ledger and the metrics: the claims of all selected experiments."""
    from lrtransfer.study.workflow.metrics import metrics
    from lrtransfer.study.workflow.stored import write_json

    chosen = _selected(options)
    records = _ledger(chosen)
    write_json(chosen.layout.claims, records)
    write_json(chosen.layout.metrics, metrics(records, chosen.plan.experiments, chosen.layout))


def report(options: Namespace) -> None:
    """Write the report."""
    from lrtransfer.study.workflow.figures_stage import write_report

    chosen = _selected(options)
    write_report(chosen.plan, chosen.layout)
