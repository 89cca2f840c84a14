"""What the command line is called with. What commands do is imported once one is chosen."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from lrtransfer.cli.of_tables import designing, judging

Adding = Callable[..., argparse.ArgumentParser]


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        self.exit(2, f"error: {message}. `{self.prog} --help` says more.\n")


class _Version(argparse.Action):
    """Prints the version; asked for only then, since that takes a while."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        import lrtransfer

        print(f"lrtransfer {getattr(lrtransfer, '__version__', '(not installed)')}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands.

    What it parses holds `module` and `command`, where the chosen command is done, and `extra`,
    which installs what that needs.
    """
    made = _Parser(
        prog="lrtransfer", description="Does the learning rate found on a small network transfer?"
    )
    made.add_argument("--version", action=_Version, nargs=0, help="print it")
    made.set_defaults(
        params=Path("params.yaml"),
        scale=None,
        experiments=None,
        module="lrtransfer.study.workflow.commands",
        extra="study",
    )
    commands = made.add_subparsers(metavar="COMMAND", dest="called", required=True)
    add = _naming(commands.add_parser)

    _study_commands(add)
    _answers(add)
    _measurements(add)
    judging(
        add(
            "judge",
            "what anyone's table of runs says of learning-rate transfer",
            "lrtransfer judge runs.csv --size width --rate lr --loss loss --seed seed",
            "lrtransfer judge runs.csv --size width --rate lr --loss loss --predict width=4096",
        )
    )
    designing(
        add(
            "design",
            "rates and seeds that reach a wished half width at least cost",
            "lrtransfer design runs.csv --size width --rate lr --loss loss --drift 0.1",
            "lrtransfer design --experiment width_transfer_vision --drift 0.1",
        )
    )
    _itself(add)
    # Without help it is not listed: Snakemake and DVC call it.
    stages = commands.add_parser("stage", description="What Snakemake and DVC call.")
    stages.set_defaults(module="lrtransfer.study.workflow.stage_commands")
    _stages(_naming(stages.add_subparsers(metavar="STAGE", required=True).add_parser))
    return made


def _naming(add: Adding) -> Adding:
    """Let a command be done by the function of its name, and its help end in examples."""

    def named(
        name: str, help: str, *examples: str, note: str = "", **settings: Any
    ) -> argparse.ArgumentParser:
        shown = "\n  ".join(["for example:", *examples]) if examples else ""
        made = add(
            name,
            help=help,
            description=f"{help[0].upper()}{help[1:]}{'' if help.endswith('?') else '.'}",
            epilog="\n\n".join(filter(None, [note, shown])),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **settings,
        )
        made.set_defaults(command=name.replace("-", "_"))
        return made

    return named


def _cores(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of cores. Give a whole number from 1 on, as --cores 2 or JOBS=2"
        )
    return int(text)


def _study_commands(add: Adding) -> None:
    """Commands that begin, run and care for the study."""
    begun = add(
        "init",
        "begin a study of one's own in a new folder",
        "lrtransfer init mine && cd mine && lrtransfer run",
    )
    begun.set_defaults(module="lrtransfer.study.workflow.folder")
    begun.add_argument("folder", type=Path)

    check = _selecting(
        add(
            "check",
            "validate params.yaml; print what it asks for and costs",
            "lrtransfer check --experiments all",
            "lrtransfer check --resolved width_transfer_vision",
        )
    )
    check.add_argument("params", nargs="?", type=Path, default=Path("params.yaml"))
    check.add_argument(
        "--resolved",
        metavar="NAME",
        help="print this experiment with all that it inherits, and where each part stands",
    )

    study = _selecting(
        add(
            "run",
            "run the study, or one stage of it, under Snakemake",
            "lrtransfer run --cores 2",
            "lrtransfer run train_all --experiments tuners --scale smoke",
            aliases=["workflow"],
        )
    )
    study.add_argument("targets", nargs="*", default=["all"], help="stages (train_all) or files")
    study.add_argument(
        "--cores", type=_cores, default=os.environ.get("JOBS", "2"), help="jobs at a time [JOBS, 2]"
    )

    _selecting(
        add(
            "status",
            "what is finished, missing or stale, and why",
            "lrtransfer status --experiments all",
        )
    )
    _selecting(
        add(
            "figures",
            "redraw every figure and the report from stored results",
            "lrtransfer figures --experiments tuners",
        )
    )

    prune = _selecting(
        add(
            "prune",
            "list results that no study asks for; remove on demand",
            "lrtransfer prune",
            "lrtransfer prune --yes",
        )
    )
    prune.add_argument("--yes", action="store_true", help="remove without asking")

    restore = add(
        "restore",
        "dvc pull, and give Snakemake its records back",
        "lrtransfer restore -- --remote store",
        "lrtransfer restore --no-pull",
    )
    restore.add_argument("--no-pull", action="store_true", help="only the records")
    restore.add_argument("dvc_arguments", nargs="*", help="passed to dvc pull (after --)")

    adopt = _selecting(
        add(
            "adopt",
            "keep runs over a refactoring, if a sample is bit-equal",
            "lrtransfer adopt --sample 3",
        )
    )
    adopt.add_argument("--sample", type=int, default=3, help="runs to retrain of each kind")
    adopt.add_argument("--seed", type=int, default=0, help="seed of the sample")


def _answers(add: Adding) -> None:
    """Commands that tell what was found."""
    claims = _selecting(
        add(
            "claims",
            "print the ledger of claims",
            "lrtransfer claims --wide",
            "lrtransfer claims --against elsewhere/results/claims.json",
        )
    )
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
        "the learning rate predicted at a size that was not run",
        "lrtransfer predict --experiment width_transfer_vision --arm mup --width 1024",
        note="Exit status 3 where the data support no answer for any arm.",
    )
    predict.add_argument("--experiment", required=True, metavar="NAME")
    predict.add_argument("--arm", metavar="NAME", help="[all]")
    predict.add_argument("--width", type=int, help="of the net to predict")
    predict.add_argument("--depth", type=int, help="of the net to predict")
    predict.add_argument("--batch", type=int, metavar="SAMPLES", help="of an update")
    predict.add_argument("--duration", type=int, metavar="SAMPLES", help="that a run sees")
    predict.add_argument("--scale", help="instead of params.yaml's")
    predict.add_argument("--json", action="store_true", help="print JSON")

    export = _selecting(
        add(
            "export",
            "the runs, in the form of other tools",
            "lrtransfer export --to csv --out export",
        )
    )
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
        "do features grow with the width as the rules say?",
        "lrtransfer coordcheck --model gpt --parameterization mup sp --optimizer adamw",
        "lrtransfer coordcheck --model mine:make_model --parameterization mup",
        note="A model may be MODULE:FUNCTION, too: a function from a width to a network.",
    )
    own = "of a model that does not, the study's with it or"
    for name, otherwise in (
        ("model", "all that tell their roles"),
        ("parameterization", f"all; {own} mup"),
        ("optimizer", f"sgd adamw; {own} adamw"),
    ):
        coordinates.add_argument(
            f"--{name}", nargs="+", default=[], metavar="NAME", help=f"[{otherwise}]"
        )
    coordinates.add_argument("--out", type=Path, help="CSV file: a row per combination")
    coordinates.add_argument("--coordinates", type=Path, help="CSV file: a row per coordinate")

    add(
        "schema",
        "print the JSON schema of params.yaml",
        "lrtransfer schema > params.schema.json",
    )

    sharpness = add(
        "sharpness",
        "curvature of a model, saved or at its start",
        "lrtransfer sharpness results/checkpoints/KEY/256.safetensors --operator hessian ggn -k 5",
        "lrtransfer sharpness weights.safetensors --model mine:problem",
    )
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


def _itself(add: Adding) -> None:
    """Commands about this installation."""
    doctor = add(
        "doctor",
        "what is installed here, what the machine has, and what is missing for what",
        "lrtransfer doctor",
        "lrtransfer doctor --json",
        note="Exit status 1 where something that is required here is broken.",
    )
    doctor.set_defaults(module="lrtransfer.cli.doctor")
    doctor.add_argument("--json", action="store_true", help="print JSON")

    completion = add(
        "completion",
        "print a script with which a shell completes commands and flags",
        "lrtransfer completion bash > ~/.local/share/bash-completion/completions/lrtransfer",
    )
    completion.set_defaults(module="lrtransfer.cli.completion", extra="completion")
    completion.add_argument("shell", choices=["bash", "zsh"])


def _stages(add: Adding) -> None:
    """Parts of the study, each called by a rule or a stage."""
    prepare = _selecting(add("prepare", "one data set"))
    prepare.add_argument("dataset")
    for name in ("train", "spectra"):
        job = _selecting(add(name, "these files, all of one job"))
        job.add_argument("files", nargs="+")
        job.add_argument("--threads", type=int, default=1)
    for name in ("tables", "spectra-table", "estimates", "draw"):
        _selecting(add(name, "of one experiment")).add_argument("experiment")
    for name in ("ledger", "report"):
        _selecting(add(name, "over all experiments"))
    add("provenance", "keep Snakemake's records beside the results")


def _selecting(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--scale", help="instead of params.yaml's")
    parser.add_argument(
        "--experiments", help="core, all or names with commas; instead of params.yaml's"
    )
    return parser
