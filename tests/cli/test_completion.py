"""What a shell completes, asked of the shell itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lrtransfer.cli import main

COMPLETE = """
{script}
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_shtab_lrtransfer
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(script: str, words: str) -> set[str]:
    """Return what bash offers after some words."""
    command = COMPLETE.format(script=script, words=words)
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.process
def test_bash_completes_commands_and_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert completed(script, "lrtransfer st") == {"status"}  # and not `stage`, which is hidden
    assert completed(script, "lrtransfer judge --s") == {"--size", "--seed", "--status"}
    assert completed(script, "lrtransfer export --to p") == {"parquet"}


def test_zsh_knows_commands_and_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "zsh"]) == 0
    script = capsys.readouterr().out
    assert script.startswith("#compdef lrtransfer")
    assert "\n    judge:" in script and "--experiments" in script and "_files" in script


def test_without_the_extra_it_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert capsys.readouterr().err == (
        "error: `lrtransfer completion` needs shtab, which is not installed. "
        'Install it: pip install "lrtransfer[completion]"\n'
    )
