"""What the command line refuses: in one line, with exit status 2."""

from __future__ import annotations

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
    assert main(["stage", stage, "nope"]) == 1
    assert "error: unknown experiment 'nope'. Known: " in capsys.readouterr().err
