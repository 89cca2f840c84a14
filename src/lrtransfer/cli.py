"""The command line. Commands for readers come first; those below `study` are Snakemake's."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lrtransfer.study.plan import StudyError
from lrtransfer.study.storage.locks import LockHeldError
from lrtransfer.study.workflow import commands
from lrtransfer.study.workflow.job_environment import override

Command = Callable[[argparse.Namespace], None]
Adding = Callable[..., argparse.ArgumentParser]

# Faults that a user can mend: one line on stderr and exit status 1, no traceback.
_FAULTS = (FileNotFoundError, LookupError, LockHeldError, RuntimeError, ValueError, OSError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 2 for a faulty study, 1 for other faults."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except StudyError as error:
        print(error, file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        print(f"error: {' '.join(map(str, error.cmd))} failed; see above", file=sys.stderr)
        return error.returncode or 1
    except _FAULTS as error:
        if os.environ.get("LRTRANSFER_TRACEBACK"):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lrtransfer", description="Does the learning rate found on a small network transfer?"
    )
    parser.set_defaults(params=Path("params.yaml"))
    add = parser.add_subparsers(metavar="COMMAND", required=True).add_parser

    _study_commands(add)
    _answers(add)
    _measurements(add)
    _stages(add)
    return parser


def _study_commands(add: Adding) -> None:
    """Commands that run and care for the study."""
    check = _selecting(add("check", help="validate params.yaml; print what it asks for and costs"))
    check.add_argument("params", nargs="?", type=Path, default=Path("params.yaml"))
    check.set_defaults(command=commands.check)

    study = _selecting(add("workflow", help="run the study, or one stage of it, under Snakemake"))
    study.add_argument("targets", nargs="*", default=["all"], help="stages (train_all) or files")
    study.add_argument("--cores", type=int, default=int(os.environ.get("JOBS", "2")))
    study.set_defaults(command=commands.workflow)

    for name, command, text in (
        ("status", commands.status, "what is finished, missing or stale, and why"),
        ("figures", commands.figures, "redraw every figure and the report from stored results"),
    ):
        _selecting(add(name, help=text)).set_defaults(command=command)

    prune = _selecting(add("prune", help="list results that no study asks for; remove on demand"))
    prune.add_argument("--yes", action="store_true", help="remove without asking")
    prune.set_defaults(command=commands.prune)

    restore = add("restore", help="dvc pull, and give Snakemake its records back")
    restore.add_argument("--no-pull", action="store_true", help="only the records")
    restore.add_argument("dvc_arguments", nargs="*", help="passed to dvc pull (after --)")
    restore.set_defaults(command=commands.restore)

    adopt = _selecting(add("adopt", help="keep runs over a refactoring, if a sample is bit-equal"))
    adopt.add_argument("--sample", type=int, default=3, help="runs to retrain of each kind")
    adopt.add_argument("--seed", type=int, default=0, help="seed of the sample")
    adopt.set_defaults(command=commands.adopt)


def _answers(add: Adding) -> None:
    """Commands that tell what was found."""
    claims = _selecting(add("claims", help="print the ledger of claims"))
    claims.add_argument("--json", action="store_true", help="print JSON")
    claims.add_argument(
        "--against",
        type=Path,
        metavar="CLAIMS.JSON",
        help="compare with another ledger, of other seeds say; exit status 4 if a claim that is "
        "supported in one is contradicted in the other",
    )
    claims.set_defaults(command=commands.claims)

    predict = add(
        "predict",
        help="the learning rate predicted at a size that was not run",
        epilog="Exit status 3 where the data support no answer for any arm.",
    )
    predict.add_argument("--experiment", required=True, metavar="NAME")
    predict.add_argument("--arm", metavar="NAME", help="[all]")
    predict.add_argument("--width", type=int, help="of the net to predict")
    predict.add_argument("--depth", type=int, help="of the net to predict")
    predict.add_argument("--scale", default=override("scale"), help="instead of params.yaml's")
    predict.add_argument("--json", action="store_true", help="print JSON")
    predict.set_defaults(command=commands.predict)


def _measurements(add: Adding) -> None:
    """Commands that measure networks outside the study."""
    coordinates = add("coordcheck", help="do features grow with the width as the rules say?")
    for name in ("model", "parameterization", "optimizer"):
        coordinates.add_argument(f"--{name}", nargs="+", default=[], metavar="NAME", help="[all]")
    coordinates.add_argument("--out", type=Path, help="CSV file of every coordinate")
    coordinates.set_defaults(command=commands.coordcheck)

    sharpness = add("sharpness", help="curvature of a saved model")
    sharpness.add_argument("file", type=Path, help="checkpoint of a run, or safetensors weights")
    sharpness.add_argument(
        "--problem", metavar="MODULE:FUNCTION", help="for weights: returns model, loss_fn, batch"
    )
    sharpness.add_argument(
        "--operator", nargs="+", default=["hessian"], help="hessian ggn residual fisher ntk"
    )
    sharpness.add_argument("-k", type=int, default=1, help="how many eigenvalues [1]")
    sharpness.add_argument("--samples", type=int, help="for checkpoints [as the run measured]")
    sharpness.add_argument("--tolerance", type=float, default=0.01, help="relative residual [0.01]")
    sharpness.add_argument("--json", action="store_true", help="print JSON")
    sharpness.set_defaults(command=commands.sharpness)


def _stages(add: Adding) -> None:
    """Commands that Snakemake and DVC call."""
    add("schema", help="print the JSON schema of params.yaml").set_defaults(command=commands.schema)

    for name, command in (("train", commands.train), ("spectra", commands.spectra)):
        job = _selecting(add(name, help="[Snakemake] make these files, all of one job"))
        job.add_argument("files", nargs="+")
        job.add_argument("--threads", type=int, default=1)
        job.set_defaults(command=command)
    prepare = _selecting(add("prepare", help="[Snakemake] one data set"))
    prepare.add_argument("dataset")
    prepare.set_defaults(command=commands.prepare)
    for name, command in (
        ("tables", commands.tables),
        ("spectra-tables", commands.spectra_tables),
        ("fit", commands.fit),
        ("draw", commands.draw),
    ):
        one = _selecting(add(name, help="[Snakemake] this stage of one experiment"))
        one.add_argument("experiment")
        one.set_defaults(command=command)
    for name, command in (
        ("index", commands.index),
        ("ledger", commands.ledger),
        ("report", commands.report),
    ):
        _selecting(add(name, help="[Snakemake] this stage")).set_defaults(command=command)
    add("save-provenance", help="[DVC] keep Snakemake's records").set_defaults(
        command=commands.save_provenance
    )


def _selecting(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--scale", default=override("scale"), help="instead of params.yaml's")
    parser.add_argument(
        "--experiments",
        default=override("experiments"),
        help="core, all or names with commas; instead of params.yaml's",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
