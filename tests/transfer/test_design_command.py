"""`lrtransfer design` of a table: what it prints and what it refuses."""

from pathlib import Path

import pytest

from lrtransfer.cli import main

from .tables import sweep_table

FLAGS = ["--size", "width", "--rate", "lr", "--loss", "loss", "--seed", "seed"]


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "runs.csv"
    sweep_table({"one": 0.0}, grid=range(-7, 1), seeds=(0, 1)).to_csv(path)
    return str(path)


@pytest.mark.slow
def test_it_prints_designs_and_lines(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    wish = ["--drift", "0.1", "--one-grid", "--cost", "2", "--sizes", "64", "128"]
    assert main(["design", table, *FLAGS, *wish]) == 0
    printed = capsys.readouterr().out
    assert "Half width of 0.1 wished for" in printed
    assert "widths: [64, 128]\nseeds: [0, 1, 2" in printed
    assert "arms: {" in printed


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "name a table of runs, --experiment NAME, or --static"),
        (["TABLE"], "name the columns with --size, --rate, --loss"),
        (["TABLE", *FLAGS], "say --drift HALF-WIDTH, or --predict SIZE --within OCTAVES"),
        (["TABLE", *FLAGS, "--drift", "0"], "--drift: a half width above 0"),
        (["TABLE", *FLAGS, "--predict", "512"], "--within: a half width above 0"),
        (["TABLE", *FLAGS, "--predict", "x", "--within", "1"], "--predict x: give sizes"),
        (["TABLE", *FLAGS, "--drift", "1", "--sizes", "64"], "two widths at least"),
        (["TABLE", *FLAGS, "--drift", "1", "--cost", "much"], "give a power of the width"),
        (["TABLE", *FLAGS, "--drift", "1", "--cost", "64=1"], "what a run at width 128 costs"),
        (["TABLE", *FLAGS[2:], "--size", "depht", "--drift", "1"], "depht"),
    ],
)
def test_bad_flags_are_one_line_and_status_2(
    table: str, flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["design", *(table if flag == "TABLE" else flag for flag in flags)]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) == 1
