"""The command line: what it is called with. What commands do is imported once one is chosen."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

Adding = Callable[..., argparse.ArgumentParser]

# Faults that a user can mend: one line on stderr, no traceback.
_FAULTS = (LookupError, RuntimeError, ValueError, OSError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 2 for a faulty study, 1 for other faults.

    Without what the extra `study` installs, that too is one line and 2.
    """
    options = _parser().parse_args(arguments)
    try:
        getattr(import_module(options.module), options.command)(options)
    except subprocess.CalledProcessError as error:
        print(f"error: {' '.join(map(str, error.cmd))} failed; see above", file=sys.stderr)
        return error.returncode or 1
    except ModuleNotFoundError as error:
        if os.environ.get("LRTRANSFER_TRACEBACK") or _own(error.name):
            raise
        print(
            f"error: `lrtransfer {options.called}` needs {error.name}, which is not installed. "
            'A study needs: pip install "lrtransfer[study]"',
            file=sys.stderr,
        )
        return 2
    except (MemoryError, ImportError) as error:
        short = isinstance(error, MemoryError) or "failed to map segment" in str(error)
        if os.environ.get("LRTRANSFER_TRACEBACK") or not short:
            raise
        print("error: the memory is full. Close other programs, or lift ulimit -v", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read our output has read enough, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except _FAULTS as error:
        if os.environ.get("LRTRANSFER_TRACEBACK"):
            raise
        status: int = getattr(error, "exit_status", 1)
        print(error if status == 2 else f"error: {error}", file=sys.stderr)
        return status
    return 0


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        self.exit(2, f"error: {message}. `{self.prog} --help` says more.\n")


class _Version(argparse.Action):
    """Prints the version, which is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from importlib.metadata import version

        print(parser.prog, version("lrtransfer"))
        parser.exit()


def _cores(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of cores. Give a whole number from 1 on, as --cores 2 or JOBS=2"
        )
    return int(text)


def _own(module: str | None) -> bool:
    return module is None or module.partition(".")[0] == "lrtransfer"


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="lrtransfer", description="Does the learning rate found on a small network transfer?"
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    parser.set_defaults(
        params=Path("params.yaml"),
        scale=None,
        experiments=None,
        module="lrtransfer.study.workflow.commands",
    )
    commands = parser.add_subparsers(metavar="COMMAND", dest="called", required=True)
    add = _naming(commands.add_parser)

    _study_commands(add)
    _answers(add)
    _measurements(add)
    _judging(add("judge", help="what anyone's table of runs says of learning-rate transfer"))
    _designing(add("design", help="rates and seeds that reach a wished half width at least cost"))
    # Without help it is not listed: Snakemake and DVC call it.
    stages = commands.add_parser("stage", description="What Snakemake and DVC call.")
    _stages(_naming(stages.add_subparsers(metavar="STAGE", required=True).add_parser))
    return parser


def _naming(add: Adding) -> Adding:
    """Let a command be done by the function of its name."""

    def named(name: str, **settings: Any) -> argparse.ArgumentParser:
        parser = add(name, **settings)
        parser.set_defaults(command=name.replace("-", "_"))
        return parser

    return named


def _study_commands(add: Adding) -> None:
    """Commands that begin, run and care for the study."""
    begun = add("init", help="begin a study of one's own in a new folder")
    begun.set_defaults(module="lrtransfer.study.workflow.folder")
    begun.add_argument("folder", type=Path)

    check = _selecting(add("check", help="validate params.yaml; print what it asks for and costs"))
    check.add_argument("params", nargs="?", type=Path, default=Path("params.yaml"))
    check.add_argument(
        "--resolved",
        metavar="NAME",
        help="print this experiment with all that it inherits, and where each part stands",
    )

    study = _selecting(
        add("run", aliases=["workflow"], help="run the study, or one stage of it, under Snakemake")
    )
    study.add_argument("targets", nargs="*", default=["all"], help="stages (train_all) or files")
    study.add_argument(
        "--cores", type=_cores, default=os.environ.get("JOBS", "2"), help="jobs at a time [JOBS, 2]"
    )

    _selecting(add("status", help="what is finished, missing or stale, and why"))
    _selecting(add("figures", help="redraw every figure and the report from stored results"))

    prune = _selecting(add("prune", help="list results that no study asks for; remove on demand"))
    prune.add_argument("--yes", action="store_true", help="remove without asking")

    restore = add("restore", help="dvc pull, and give Snakemake its records back")
    restore.add_argument("--no-pull", action="store_true", help="only the records")
    restore.add_argument("dvc_arguments", nargs="*", help="passed to dvc pull (after --)")

    adopt = _selecting(add("adopt", help="keep runs over a refactoring, if a sample is bit-equal"))
    adopt.add_argument("--sample", type=int, default=3, help="runs to retrain of each kind")
    adopt.add_argument("--seed", type=int, default=0, help="seed of the sample")


def _answers(add: Adding) -> None:
    """Commands that tell what was found."""
    claims = _selecting(add("claims", help="print the ledger of claims"))
    claims.add_argument("--json", action="store_true", help="print JSON")
    claims.add_argument(
        "--wide", action="store_true", help="one table, with rules, p values and what would decide"
    )
    claims.add_argument(
        "--power", action="store_true", help="csv: how likely the static plan decides each claim"
    )
    claims.add_argument(
        "--against",
        type=Path,
        metavar="CLAIMS.JSON",
        help="compare with another ledger, of other seeds say; exit status 4 if a claim that is "
        "supported in one is contradicted in the other",
    )

    predict = add(
        "predict",
        help="the learning rate predicted at a size that was not run",
        epilog="Exit status 3 where the data support no answer for any arm.",
    )
    predict.add_argument("--experiment", required=True, metavar="NAME")
    predict.add_argument("--arm", metavar="NAME", help="[all]")
    predict.add_argument("--width", type=int, help="of the net to predict")
    predict.add_argument("--depth", type=int, help="of the net to predict")
    predict.add_argument("--scale", help="instead of params.yaml's")
    predict.add_argument("--json", action="store_true", help="print JSON")

    export = _selecting(add("export", help="the runs, in the form of other tools"))
    export.add_argument(
        "--to",
        required=True,
        choices=["csv", "parquet", "tensorboard", "wandb"],
        help="a table an experiment, or every run shown to a tracker (wandb: offline)",
    )
    export.add_argument("--out", type=Path, default=Path("export"), metavar="FOLDER")


def _measurements(add: Adding) -> None:
    """Commands that measure networks outside the study."""
    coordinates = add(
        "coordcheck",
        help="do features grow with the width as the rules say?",
        epilog="A model may be MODULE:FUNCTION, too: a function from a width to a network.",
    )
    for name in ("model", "parameterization", "optimizer"):
        coordinates.add_argument(f"--{name}", nargs="+", default=[], metavar="NAME", help="[all]")
    coordinates.add_argument("--out", type=Path, help="CSV file: a row per combination")
    coordinates.add_argument("--coordinates", type=Path, help="CSV file: a row per coordinate")

    add("schema", help="print the JSON schema of params.yaml")

    sharpness = add("sharpness", help="curvature of a model, saved or at its start")
    sharpness.add_argument(
        "file", type=Path, nargs="?", help="checkpoint of a run, or safetensors weights"
    )
    sharpness.add_argument(
        "--model",
        "--problem",
        metavar="NAME",
        help="the study's, at its start; or MODULE:FUNCTION, which returns model, loss_fn, batch",
    )
    sharpness.add_argument(
        "--operator", nargs="+", default=["hessian"], help="hessian ggn residual fisher ntk"
    )
    sharpness.add_argument("-k", type=int, default=1, help="how many eigenvalues [1]")
    sharpness.add_argument("--samples", type=int, help="for checkpoints [as the run measured]")
    sharpness.add_argument("--tolerance", type=float, default=0.01, help="relative residual [0.01]")
    sharpness.add_argument("--json", action="store_true", help="print JSON")


def _judging(parser: argparse.ArgumentParser) -> None:
    """Flags of `judge`, which needs no study."""
    parser.set_defaults(module="lrtransfer.transfer.judge_command")
    parser.add_argument("table", help="csv, tsv or Parquet; one row is one run")

    _columns(parser, required=True)

    asked = parser.add_argument_group("what is asked")
    asked.add_argument("--confidence", type=float, default=0.95, help="of the intervals [0.95]")
    for name, meaning in (
        ("reference", "size whose best rate is used elsewhere [the smallest]"),
        ("predict", "sizes to predict at; several as width=1024,4096"),
    ):
        asked.add_argument(
            f"--{name}",
            nargs="+",
            action="extend",
            default=[],
            metavar="COLUMN=SIZE",
            help=meaning,
        )

    written = parser.add_argument_group("what is written besides the text")
    written.add_argument("--figure", type=Path, metavar="FILE", help="png, pdf or svg")
    written.add_argument("--html", type=Path, metavar="FILE", help="one page with all of it")
    written.add_argument("--tables", type=Path, metavar="FOLDER", help="csv files")


class _OfStudy(argparse.Action):
    """Stores a flag with which `design` is about a study, which the instruments do not know."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, self.const if self.nargs == 0 else values)
        namespace.module = "lrtransfer.study.workflow.commands"


def _designing(parser: argparse.ArgumentParser) -> None:
    """Flags of `design`: of a table as for `judge`, or of a study's experiment."""
    parser.set_defaults(module="lrtransfer.transfer.design_command", reference=None)
    parser.add_argument("table", nargs="?", help="a pilot: csv, tsv or Parquet, a row is a run")
    _columns(parser, required=False)
    parser.add_argument("--confidence", type=float, default=0.95, help="of the interval [0.95]")

    asked = parser.add_argument_group("what is wished for")
    asked.add_argument(
        "--drift", type=float, metavar="WIDTH", help="half width, octaves per octave"
    )
    asked.add_argument("--predict", metavar="SIZE", help="the best rate there is to be known")
    asked.add_argument("--within", type=float, metavar="OCTAVES", help="half width of that rate")
    asked.add_argument(
        "--sizes",
        nargs="+",
        default=[],
        metavar="SIZE",
        help="to sweep [doublings of the pilot's]",
    )
    asked.add_argument(
        "--cost",
        nargs="+",
        default=None,
        metavar="COST",
        help="of a run: a power of its size, or SIZE=COST for each [0; a study's own price]",
    )
    asked.add_argument(
        "--one-grid",
        action="store_true",
        help="the same rates and seeds at every size, as params.yaml says them",
    )

    study = parser.add_argument_group("of a study instead of a table")
    for flag, settings in (
        ("--experiment", {"metavar": "NAME", "help": "its stored sweeps are the pilot"}),
        (
            "--static",
            {"nargs": 0, "const": True, "help": "lines of params.yaml for all experiments' sweeps"},
        ),
        (
            "--pilot",
            {"metavar": "SEED", "help": "print an experiments file that pilots all sweeps"},
        ),
    ):
        study.add_argument(flag, action=_OfStudy, **settings)  # type: ignore[arg-type]
    study.add_argument("--scale", help="instead of params.yaml's")
    study.add_argument("--experiments", help="core, all or names with commas [all]")


def _columns(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Flags that say which columns of a table are what."""
    columns = parser.add_argument_group("columns of the table")
    for name, needed, meaning in (
        ("size", required, "how large a net is, on each axis"),
        ("arm", False, "settings that are compared"),
        ("tuned", False, "settings over which each rate's loss is minimised"),
    ):
        columns.add_argument(
            f"--{name}",
            nargs="+",
            action="extend",
            default=None if needed else [],
            required=needed,
            metavar="COLUMN",
            help=meaning,
        )
    columns.add_argument("--rate", required=required, metavar="COLUMN", help="the learning rate")
    columns.add_argument("--loss", required=required, metavar="COLUMN", help="what was reached")
    columns.add_argument("--effective", metavar="COLUMN", help="the effective rate a run had")
    columns.add_argument("--seed", metavar="COLUMN", help="tells repetitions apart")
    columns.add_argument(
        "--status",
        metavar="COLUMN[=WORD,WORD]",
        help="anything but `ok` there, or one of these words: the run diverged",
    )
    columns.add_argument("--maximize", action="store_true", help="the loss is to be large")


def _stages(add: Adding) -> None:
    """Parts of the study, each called by a rule or a stage."""
    prepare = _selecting(add("prepare", help="one data set"))
    prepare.add_argument("dataset")
    for name in ("train", "spectra"):
        job = _selecting(add(name, help="these files, all of one job"))
        job.add_argument("files", nargs="+")
        job.add_argument("--threads", type=int, default=1)
    for name in ("tables", "spectra-table", "estimates", "draw"):
        _selecting(add(name, help="of one experiment")).add_argument("experiment")
    for name in ("ledger", "report"):
        _selecting(add(name, help="over all experiments"))
    add("provenance", help="keep Snakemake's records beside the results")


def _selecting(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--scale", help="instead of params.yaml's")
    parser.add_argument(
        "--experiments", help="core, all or names with commas; instead of params.yaml's"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
