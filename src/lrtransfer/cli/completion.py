"""Completion in a shell, as shtab writes it from the parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from lrtransfer.cli.parser import parser


def completion(options: argparse.Namespace) -> None:
    """Print the script for one shell; files are completed where a flag takes a path.

    Raises:
        ModuleNotFoundError: shtab is not installed.
    """
    import shtab

    commands = parser()
    for action in _actions(commands):
        if action.type is Path or action.dest == "table":
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(commands, options.shell))


def _actions(of: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in of._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _actions(inner)
