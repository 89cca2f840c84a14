"""`lrtransfer judge`: flags, files that it writes, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from lrtransfer.cli import main

from .tables import sweep_table

FLAGS = ["--size", "width", "--rate", "lr", "--loss", "loss", "--seed", "seed", "--arm", "method"]


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "runs.csv"
    sweep_table({"one": 0.0, "$two$": -0.5}, grid=range(-7, 1), seeds=(0, 1)).to_csv(path)
    return str(path)


def test_it_prints_the_text_with_predictions(
    table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [*FLAGS, "--predict", "width=1024", "width=1048576", "--reference", "width=128"]
    assert main(["judge", table, *flags]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "$two$: - The best rate falls with width" in printed
    assert "Predicted best rate at width 1024: 0.03" in printed
    assert "No prediction at width 1.04858e+06: " in printed
    assert "the best rate of width 128 costs" in printed


def test_it_writes_tables_a_figure_and_a_page_that_needs_nothing_else(
    table: str, tmp_path: Path
) -> None:
    out = {kind: tmp_path / f"f.{kind}" for kind in ("png", "html")}
    flags = ["--figure", str(out["png"]), "--html", str(out["html"]), "--tables", str(tmp_path)]
    assert main(["judge", table, *FLAGS, *flags, "--predict", "width=1024"]) == 0
    assert out["png"].read_bytes().startswith(b"\x89PNG")
    page = out["html"].read_text(encoding="utf-8")
    assert "data:image/png;base64," in page
    assert "http" not in page
    for name in ("optima", "drift", "regret", "laws", "predictions"):
        assert len(pd.read_csv(tmp_path / f"{name}.csv")) >= 2
        assert f"<h2>{name}</h2>" in page


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([*FLAGS, "--loss", "los"], "no column 'los' (did you mean 'loss'?). It has: "),
        ([*FLAGS, "--predict", "width"], "--predict width: give it as AXIS=SIZE"),
        ([*FLAGS, "--predict", "depth=3"], "predict: 'depth' is no size of this table"),
        ([*FLAGS, "--predict", "1024"], "--predict 1024: give it as AXIS=SIZE"),
        ([*FLAGS, "--reference", "width=128,256"], "--reference width: it is one size"),
        ([*FLAGS, "--figure", "f.nothing"], "f.nothing cannot be drawn"),
        ([*FLAGS, "--tables", "/dev/null/x"], "cannot write"),
    ],
)
def test_what_is_wrong_is_one_line_and_status_two(
    table: str, flags: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["judge", table, *flags]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


@pytest.mark.process
def test_it_loads_neither_torch_nor_the_study(table: str) -> None:
    code = (
        "import sys; from lrtransfer.cli import main; "
        f"assert main(['judge', {table!r}, *{FLAGS!r}]) == 0; "
        "print([m for m in sys.modules if m == 'torch' or m.startswith('lrtransfer.study')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
