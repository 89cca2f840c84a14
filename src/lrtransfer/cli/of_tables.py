"""Flags of `judge` and `design`, which need no study: the columns of a table, and what is asked."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def judging(parser: argparse.ArgumentParser) -> None:
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


def designing(parser: argparse.ArgumentParser) -> None:
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
