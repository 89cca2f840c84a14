"""Every command's help: it says what the command does, and its examples parse."""

from __future__ import annotations

import argparse
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

import lrtransfer
from lrtransfer.cli.parser import parser
from tests.tiny import ROOT

(COMMANDS,) = (a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
LISTED = [action.dest for action in COMMANDS._choices_actions]


def examples(command: str) -> list[str]:
    """Return the examples of a command's help."""
    _, _, shown = COMMANDS.choices[command].format_help().partition("for example:\n")
    return [line.strip() for line in shown.splitlines() if line]


@pytest.mark.parametrize("command", LISTED)
def test_the_help_of_a_command_says_what_it_does(command: str) -> None:
    description = COMMANDS.choices[command].description
    assert re.fullmatch(r"[A-Z].*[.?]", description)


@pytest.mark.parametrize("command", LISTED)
def test_every_example_parses_and_is_of_its_command(command: str) -> None:
    assert examples(command)
    for example in examples(command):
        assert len(example) <= 98
        words = shlex.split(re.split(r" (?:&&|>) ", example)[0])
        assert words[:2] == ["lrtransfer", command]
        options = parser().parse_args(words[1:])
        assert options.called == command


@pytest.mark.parametrize("command", LISTED)
def test_what_a_command_calls_is_there(command: str) -> None:
    example = shlex.split(re.split(r" (?:&&|>) ", examples(command)[0])[0])
    options = parser().parse_args(example[1:])
    spec = find_spec(options.module)
    assert spec and spec.origin
    assert f"\ndef {options.command}(" in Path(spec.origin).read_text(encoding="utf-8")


def test_every_command_is_on_the_page_of_commands() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert [name for name in LISTED if f"`lrtransfer {name}" not in page] == []


def test_the_version_is_that_of_the_installed_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"lrtransfer {lrtransfer.__version__}\n"
