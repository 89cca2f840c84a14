"""What the command line refuses: in one line, with exit status 2."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from lrtransfer.cli import main


def _refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("cores", ["0", "-1", "two", "1.5", ""])
def test_a_number_of_cores_that_is_none_is_named(
    capsys: pytest.CaptureFixture[str], cores: str
) -> None:
    line = _refused(capsys, "workflow", f"--cores={cores}")
    assert f"{cores!r} is no number of cores. Give a whole number from 1 on" in line


def test_jobs_that_are_no_number_hinder_the_workflow_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBS", "abc")
    assert "'abc' is no number of cores" in _refused(capsys, "workflow")
    for arguments in (["--help"], ["workflow", "--help"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0


def test_an_unknown_option_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    line = _refused(capsys, "check", "--foo")
    assert line == "error: unrecognized arguments: --foo. `lrtransfer --help` says more."


@pytest.mark.slow  # all experiments are planned
@pytest.mark.parametrize("stage", ["tables", "spectra-table", "estimates", "draw"])
def test_a_stage_of_an_unknown_experiment_is_refused(
    stage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stage", stage, "nope"]) == 2
    assert capsys.readouterr().err.startswith("unknown experiment 'nope'. Known: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["coordcheck", "--model", "nope"], "--model nope: unknown. Give one of convnet, "),
        (["sharpness"], "sharpness: nothing is named. Give a file, or --model."),
    ],
)
def test_a_wrong_flag_is_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith(said)


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"lrtransfer {version('lrtransfer')}\n"


@pytest.mark.parametrize("flag", ["--model", "--problem"])
def test_a_study_s_model_without_a_study_is_one_line_with_both_remedies(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flag: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["sharpness", flag, "gpt"]) == 1
    assert capsys.readouterr().err == (
        "error: 'gpt' is the name of a study's model, and params.yaml is not here. Write "
        "module:function, or go to the study's folder.\n"
    )
