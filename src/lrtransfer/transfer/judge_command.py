"""The command `lrtransfer judge`: flags -> a judgement, its text, figure, tables and page."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from lrtransfer.transfer.judge import Judgement
from lrtransfer.transfer.judge import judge as judged_table
from lrtransfer.transfer.judgement_text import text
from lrtransfer.transfer.roles import JudgeError, Status


def judge(options: argparse.Namespace) -> None:
    """Judge a table and print what was found.

    Raises:
        JudgeError: a flag or the table is not as it should be, or a file cannot be written.
    """
    reference = _sizes(options.reference, "reference")
    for axis, sizes in reference.items():
        if len(sizes) > 1:
            raise JudgeError(f"--reference {axis}: it is one size; give {axis}={sizes[0]:g}")
    found = judged(options, reference={axis: sizes[0] for axis, sizes in reference.items()})
    asked = _sizes(options.predict, "predict")
    predictions = found.predict(**asked) if asked else None
    print(text(found, predictions))
    try:
        if options.tables:
            options.tables.mkdir(parents=True, exist_ok=True)
            tables = found.tables(predictions)
            for name, frame in tables.items():
                frame.to_csv(options.tables / f"{name}.csv", index=False)
        if options.figure:
            found.figure(options.figure, predict=asked or None)
        if options.html:
            from lrtransfer.transfer.judgement_page import page

            options.html.write_text(page(found, predictions), encoding="utf-8")
    except OSError as error:
        raise JudgeError(f"cannot write {error.filename}: {error.strerror}") from error


def judged(options: argparse.Namespace, reference: Mapping[str, float] | None = None) -> Judgement:
    """Return the judgement of a table whose columns the flags name."""
    return judged_table(
        options.table,
        size=options.size,
        rate=options.rate,
        loss=options.loss,
        seed=options.seed,
        arm=options.arm or None,
        status=_status(options.status),
        tuned=options.tuned,
        effective=options.effective,
        maximize=options.maximize,
        confidence=options.confidence,
        reference=reference,
    )


def _status(given: str | None) -> Status | None:
    if given is None or "=" not in given:
        return given
    column, words = given.split("=", 1)
    return column, [word.strip() for word in words.split(",")]


def _sizes(given: list[str], flag: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for pair in given:
        axis, _, numbers = pair.rpartition("=")
        try:
            if not axis:
                raise ValueError
            found.setdefault(axis, []).extend(float(number) for number in numbers.split(","))
        except ValueError:
            raise JudgeError(f"--{flag} {pair}: give it as AXIS=SIZE, width=4096 say") from None
    return found
