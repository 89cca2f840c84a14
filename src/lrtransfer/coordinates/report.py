"""Verdicts as lines of a table, and every coordinate as a row of a CSV file."""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lrtransfer.coordinates.check import Check, check_all, combinations
from lrtransfer.coordinates.growth import Judged
from lrtransfer.coordinates.prediction import Exponent
from lrtransfer.study.plan.schema import ParameterizationSpec
from lrtransfer.study.storage.atomic import write_text

_HEADER = ("model", "parameterization", "optimizer", "verdict", "growth", "farthest from its rule")
_LINE = "{:17} {:31} {:9} {:13} {:9} {}"
_COLUMNS = (
    "model",
    "parameterization",
    "optimizer",
    "module",
    "quantity",
    "exponent",
    "low",
    "high",
    "predicted_low",
    "predicted_high",
    "as_predicted",
    "stable",
)


class FailedCheckError(RuntimeError):
    """Combinations whose coordinates do not grow as their own rules say."""


def run(
    models: Sequence[str],
    parameterizations: Sequence[str],
    optimizers: Sequence[str],
    specs: Mapping[str, ParameterizationSpec],
    out: Path | None = None,
) -> list[Check]:
    """Check combinations, print a line for each and write every coordinate to ``out``.

    Args:
        models: Model families; an empty sequence stands for all, here and below.
        parameterizations: Names in ``specs``.
        optimizers: Names; all stands for ``sgd`` and ``adamw``.
        specs: Parameterizations by name.
        out: CSV file; None writes none.

    Raises:
        ValueError: A name is unknown, or rules do not let features start at order one.
        FailedCheckError: A combination fails its own prediction; the file is written all the same.
    """
    wanted = combinations(models, parameterizations, optimizers, specs)
    print(_LINE.format(*_HEADER))
    checks = []
    for done in check_all(wanted, specs):
        checks.append(done)
        print(line(done), flush=True)
    if out is not None:
        write_text(out, table(checks))
        print(f"wrote {out}", file=sys.stderr)
    failed = [done for done in checks if not done.as_predicted]
    print(f"{len(checks) - len(failed)} of {len(checks)} combinations are as predicted")
    if failed:
        names = ", ".join(str(done.combination) for done in failed[:5])
        more = f" and {len(failed) - 5} more" if len(failed) > 5 else ""
        raise FailedCheckError(f"not as predicted: {names}{more}; see the table")
    return checks


def line(done: Check) -> str:
    """Return the verdicts of a check, with the coordinate that is farthest from its rule."""
    combination, worst = done.combination, done.worst
    text = (
        f"{worst.coordinates.module} {worst.coordinates.quantity}: {_measured(worst)}, "
        f"predicted {_predicted(worst.predicted)}"
    )
    if not done.stable:
        fastest = done.fastest
        text += (
            f"; grows: {fastest.coordinates.module} {fastest.coordinates.quantity} "
            f"{_measured(fastest)}"
        )
    return _LINE.format(
        combination.model,
        combination.parameterization,
        combination.optimizer,
        "as predicted" if done.as_predicted else "FAILS",
        "stable" if done.stable else "unstable",
        text,
    )


def table(checks: Iterable[Check]) -> str:
    """Return every judged coordinate as CSV; an exponent of a zero size is left empty."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for done in checks:
        for judged in done.coordinates:
            numbers = (*judged.measured, *judged.predicted)
            writer.writerow(
                (
                    done.combination.model,
                    done.combination.parameterization,
                    done.combination.optimizer,
                    *judged.coordinates,
                    *(f"{number:.3f}" if math.isfinite(number) else "" for number in numbers),
                    judged.as_predicted,
                    judged.stable,
                )
            )
    return sink.getvalue()


def _measured(judged: Judged) -> str:
    if judged.zero:
        return "zero"
    value, low, high = judged.measured
    return f"{value:+.2f} ± {(high - low) / 2:.2f}"


def _predicted(exponent: Exponent) -> str:
    low, high = exponent
    if not math.isfinite(high):
        return "zero"
    return f"{low:+g}" if low == high else f"{low:+g} to {high:+g}"
