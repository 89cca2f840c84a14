"""What each command does; what is heavy, or needs an extra, is imported by those that use it."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, get_args

from lrtransfer.study.workflow.selection import all_selected, selected

if TYPE_CHECKING:
    from lrtransfer.study.plan.expand import Run
    from lrtransfer.study.workflow.start import Selection


def check(options: Namespace) -> None:
    """Validate params.yaml and print what it asks for and what that costs, or one experiment."""
    if options.resolved is not None:
        from lrtransfer.study.plan.load import read_params
        from lrtransfer.study.plan.resolved import written_out

        scale = selected(options).plan.study.scale
        print(written_out(read_params(options.params), options.resolved, scale))
        return
    from lrtransfer.study.workflow.machine import check_memory

    check_memory()
    from lrtransfer.study.workflow.cost import print_estimate
    from lrtransfer.study.workflow.preflight import check_runs
    from lrtransfer.study.workflow.start import check_data
    from lrtransfer.study.workflow.targets import Targets

    chosen = selected(options)
    check_data(chosen.plan)
    check_runs(chosen.plan)
    targets = Targets(chosen.plan, chosen.layout)
    jobs = len([*targets.train_jobs(), *targets.spectra_jobs()])
    print_estimate(chosen.plan, chosen.layout, jobs)


def run(options: Namespace) -> None:
    """Run Snakemake on the study; does not return."""
    from lrtransfer.study.training.trackers import asked
    from lrtransfer.study.workflow.machine import check_memory, check_own_folders
    from lrtransfer.study.workflow.start import check_data, run_snakemake

    check_memory()
    check_own_folders()
    asked()
    chosen = selected(options)
    check_data(chosen.plan)
    if any(not chosen.layout.run(run.key).is_file() for run in chosen.plan.runs):
        from lrtransfer.study.workflow.cost import note_costs
        from lrtransfer.study.workflow.preflight import check_runs

        print(f"checking and pricing {len(chosen.plan.runs)} runs", file=sys.stderr, flush=True)
        check_runs(chosen.plan)
        note_costs(chosen.plan)
    run_snakemake(chosen.plan, chosen.layout, options.targets, options.cores, chosen.overrides)


def claims(options: Namespace) -> None:
    """Print the ledger."""
    from lrtransfer.study.evidence.ledger import counts, table
    from lrtransfer.study.workflow.claims_text import COLUMNS, claims_text
    from lrtransfer.study.workflow.stages import read_claims, read_ledger

    chosen = selected(options)
    if options.power:
        from lrtransfer.study.workflow.designing import power_table

        print(power_table(all_selected(options)), end="")
        return
    records = read_ledger(chosen.layout, chosen.plan.experiments)
    _warn_of_changes(chosen)
    _warn_of_other_rules(chosen, records)
    if options.against is not None:
        from lrtransfer.study.evidence.replication import compare
        from lrtransfer.study.plan.yaml_file import StudyError

        if not options.against.is_file():
            raise StudyError([f"--against {options.against}: no such file. Give a claims.json."])
        found = compare(records, read_claims(options.against))
        print(found.text())
        raise SystemExit(4 if found.reversed else 0)
    if options.json:
        print(json.dumps(records, indent=2, ensure_ascii=False))
        return
    print(table(records) if options.wide else claims_text(records))
    print("", *(fill(line, COLUMNS) for line in counts(records).splitlines()), sep="\n")


def predict(options: Namespace) -> None:
    """Print the optimal learning rate predicted at a size that was not run."""
    from lrtransfer.study.workflow.answers import predictions, predictions_json, predictions_text
    from lrtransfer.transfer.size import AXES

    asked = {axis: getattr(options, axis) for axis in AXES}
    chosen = all_selected(options, options.experiment)
    _warn_of_changes(chosen)
    found = predictions(chosen, options.experiment, options.arm, asked)
    print(predictions_json(found) if options.json else predictions_text(found))
    if not any(answer.prediction for answer in found):
        raise SystemExit(3)


def design(options: Namespace) -> None:
    """Print the design of an experiment's sweeps, the static plan of all, or its pilots."""
    from lrtransfer.study.workflow.designing import experiment_design, pilots, static_plan

    chosen = selected(options) if options.experiments else all_selected(options)
    if options.experiment is not None:
        print(experiment_design(all_selected(options), options))
    elif options.pilot is not None:
        print(pilots(chosen, options.params, options.pilot), end="")
    else:
        print(static_plan(chosen, options.params))


def status(options: Namespace) -> None:
    """Print what is finished, missing or stale."""
    from lrtransfer.study.workflow.care import describe, study_status

    chosen = selected(options)
    print(describe(study_status(chosen.plan, chosen.layout, all_selected(options).plan)))


def figures(options: Namespace) -> None:
    """Redraw figures and report from stored results; of several experiments those that have any."""
    from lrtransfer.study.workflow.reporting import draw_figures, write_report
    from lrtransfer.study.workflow.stored import drawable

    chosen = selected(options)
    _warn_of_changes(chosen)
    plan = drawable(chosen.plan, chosen.layout)
    for name in chosen.plan.experiments:
        if name not in plan.experiments:
            print(f"left out {name}: it was not run", file=sys.stderr)
            continue
        draw_figures(plan, chosen.layout, name)
        folder, asked = chosen.layout.figures(name), plan.study.study[name].figures
        print(f"drew {folder}" if asked else f"{name} asks for no figure", file=sys.stderr)
        if old := sorted(png.name for png in folder.glob("*.png") if png.stem not in asked):
            print(f"{folder}: no longer asked for, and kept: {', '.join(old)}", file=sys.stderr)
    write_report(plan, chosen.layout)
    print(f"wrote {chosen.layout.report}", file=sys.stderr)


def export(options: Namespace) -> None:
    """Write the runs in the form of another tool."""
    from lrtransfer.study.workflow.export import export_runs, export_tables

    chosen = selected(options)
    _warn_of_changes(chosen)
    if options.to in ("csv", "parquet"):
        for path in export_tables(chosen.plan, chosen.layout, options.out, options.to):
            print(path)
        return
    count = export_runs(chosen.plan, chosen.layout, options.out, options.to)
    print(f"showed {count} of {len(chosen.plan.runs)} runs to {options.to} in {options.out}")


def _warn_of_changes(chosen: Selection) -> None:
    """Say whose tables are not of the runs that params.yaml asks for now."""
    from lrtransfer.study.workflow.soundness import outdated

    if names := outdated(chosen.plan, chosen.layout):
        print(
            f"warning: params.yaml or the code asks for other runs of {', '.join(names)} now than "
            "the stored tables hold. `lrtransfer run` makes them anew.",
            file=sys.stderr,
        )


def _warn_of_other_rules(chosen: Selection, records: Sequence[Mapping[str, Any]]) -> None:
    """Say which claims were judged by another rule than claims.yaml has now."""
    from lrtransfer.study.evidence.ledger import rule_of
    from lrtransfer.study.plan.claims import FILE, load_claims

    rules = {c.id: str(rule_of(c.entry.rule)) for c in load_claims(Path(FILE), chosen.plan.study)}
    other = [r["id"] for r in records if r["rule"] != rules.get(r["id"], r["rule"])]
    if other:
        print(
            f"warning: claims.yaml has another rule now for {', '.join(dict.fromkeys(other))}. "
            "`lrtransfer run` judges anew.",
            file=sys.stderr,
        )


def prune(options: Namespace) -> None:
    """List what no experiment asks for, and remove it on confirmation; not beside a study."""
    from lrtransfer.study.plan.values import Scale
    from lrtransfer.study.plan.yaml_file import StudyError
    from lrtransfer.study.storage.locks import locked
    from lrtransfer.study.storage.paths import STUDY_LOCK
    from lrtransfer.study.workflow.start import this_process

    choose = selected if options.experiments else all_selected
    chosen, datasets = choose(options), set[str]()
    for scale in get_args(Scale):
        with suppress(StudyError):  # no experiment has this scale
            other = choose(Namespace(**{**vars(options), "scale": scale}))
            datasets |= {dataset.id for dataset in other.plan.datasets}
    with locked(STUDY_LOCK, this_process()):
        _prune(chosen, datasets, yes=options.yes)


def _prune(chosen: Selection, datasets: set[str], *, yes: bool) -> None:
    from lrtransfer.study.workflow.care import remove, size, unasked_files

    stray = unasked_files(chosen.plan, chosen.layout, datasets)
    for path in stray:
        print(f"{size(path):>12,} bytes  {path}")
    if not stray:
        print("nothing to prune")
        return
    if yes or _confirmed(f"remove these {len(stray)} files and folders? [y/N] "):
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
    from lrtransfer.study.workflow.safeguard import pull_results, restore_provenance

    if not options.no_pull:
        pull_results(options.dvc_arguments)
    print(f"restored {restore_provenance()} records of provenance")


def adopt(options: Namespace) -> None:
    """Re-key finished runs after a refactoring that a sample proves harmless."""
    from lrtransfer.study.workflow.care import adopt as adopt_runs
    from lrtransfer.study.workflow.care import candidates, sample
    from lrtransfer.study.workflow.stage_commands import train_here

    chosen = selected(options)
    found = candidates(chosen.plan, chosen.layout)
    picked = sample(found, options.sample, options.seed)
    missing, before = len(found.missing), len(found.retrained)
    if not missing:
        print("nothing to adopt: no missing run has a stored run of equal configuration")
        return
    earlier = f", beside {before} that were before" if before else ""
    print(f"{missing} runs could be adopted; retraining {len(picked)} as a proof{earlier}")

    def retrain(run: Run) -> None:
        train_here([run], chosen, threads=1)

    adopt_runs(found, picked, chosen.layout, retrain)
    print(f"adopted {missing - len(picked)} runs; the sample came out bit-equal")


def coordcheck(options: Namespace) -> None:
    """Check the coordinates of networks; own parameterizations are those of params.yaml."""
    import torch

    from lrtransfer.study.plan.load import load_study
    from lrtransfer.study.plan.parameterizations import builtin, known
    from lrtransfer.study.workflow.coordinate_matrix import run
    from lrtransfer.study.workflow.outside_check import check_outside, is_outside

    torch.set_num_threads(1)
    asked = options.parameterization
    specs = builtin()
    if not set(asked) <= set(specs):
        specs = known(load_study(options.params).parameterizations)
    outside = [model for model in options.model if is_outside(model)]
    if outside and (options.out or options.coordinates):
        raise ValueError(
            f"--out and --coordinates are of models that tell their roles, and {outside[0]!r} does "
            "not. Leave them out, or check it by itself."
        )
    of_study = options.params.is_file() and not all(":" in model for model in outside)
    plan = all_selected(options).plan if of_study else None
    check_outside(outside, asked, options.optimizer, specs, plan)
    if outside and len(outside) == len(options.model):
        return
    run(
        [model for model in options.model if model not in outside],
        asked,
        options.optimizer,
        specs,
        out=options.out,
        coordinates=options.coordinates,
    )


def sharpness(options: Namespace) -> None:
    """Print the largest eigenvalues of a saved model's curvature."""
    about, model = None, options.model
    if model is None and options.file is None:
        from lrtransfer.study.plan.yaml_file import StudyError

        raise StudyError(["sharpness: nothing is named. Give a file, or --model."])
    of_study = model is not None and ":" not in model
    if of_study and not options.params.is_file():
        raise ValueError(
            f"{model!r} is the name of a study's model, and {options.params} is not here. "
            "Write module:function, or go to the study's folder."
        )
    import torch

    from lrtransfer.study.spectra import saved_model
    from lrtransfer.study.workflow.answers import eigenvalues_json, eigenvalues_text

    torch.set_num_threads(1)
    if model is None:
        problem, about = saved_model.from_checkpoint(options.file, options.samples)
    elif of_study:
        from lrtransfer.study.workflow.outside_check import at_start

        problem = at_start(all_selected(options).plan, model, options.samples)
    elif options.samples is not None:
        raise ValueError("--samples is for the study's own; the batch is what --model returns")
    else:
        problem = saved_model.from_function(model, options.file)
    found = saved_model.measure(problem, options.operator, options.k, tolerance=options.tolerance)
    print(eigenvalues_json(found, about) if options.json else eigenvalues_text(found, about))


def schema(options: Namespace) -> None:
    """Print the JSON schema of params.yaml."""
    from lrtransfer.study.plan.notation import Notation

    print(json.dumps(Notation.model_json_schema(), indent=2, ensure_ascii=False))
