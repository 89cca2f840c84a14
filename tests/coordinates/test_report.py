"""Lines, CSV and the exit status."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from lrtransfer import cli
from lrtransfer.coordinates import report
from lrtransfer.coordinates.check import Check, Combination
from lrtransfer.coordinates.growth import Judged
from lrtransfer.coordinates.measurement import Coordinates
from lrtransfer.coordinates.prediction import NOTHING, Exponent
from lrtransfer.coordinates.report import FailedCheckError, line, run, table
from lrtransfer.study.plan.parameterizations import builtin
from lrtransfer.transfer.intervals import UNKNOWN, Interval

COMBINATION = Combination("gpt", "mup", "sgd")


def made(*measured: float) -> Check:
    """Return a check of readout coordinates that were all predicted at ½, and a zero bias."""
    coordinates = [
        Judged(
            Coordinates(f"layer{i}", "own"),
            Interval(m, m - 0.1, m + 0.1),
            Exponent(0.5, 0.5),
            zero=False,
        )
        for i, m in enumerate(measured)
    ]
    bias = Judged(Coordinates("bias", "start"), UNKNOWN, Exponent(NOTHING, NOTHING), zero=True)
    return Check(COMBINATION, [*coordinates, bias])


def test_a_line_names_the_farthest_coordinate_and_the_one_that_grows() -> None:
    text = line(made(0.45, 0.3))
    assert "as predicted" in text
    assert "layer1 own: +0.30 ± 0.10, predicted +0.5" in text
    assert text.endswith("unstable  " + text.split("unstable  ")[1])
    assert "grows: layer0 own +0.45 ± 0.10" in text
    assert "FAILS" in line(made(0.45, -0.2))


def test_the_table_has_a_row_for_every_coordinate() -> None:
    rows = list(csv.DictReader(table([made(0.45)]).splitlines()))
    assert [row["module"] for row in rows] == ["layer0", "bias"]
    assert rows[0]["exponent"] == "0.450"
    assert rows[0]["predicted_low"] == rows[0]["predicted_high"] == "0.500"
    assert rows[0]["as_predicted"] == "True"
    assert rows[0]["stable"] == "False"
    assert rows[1]["exponent"] == rows[1]["predicted_low"] == ""


def test_a_failed_combination_is_an_error_and_its_file_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "check_all", lambda wanted, specs: iter([made(-0.5)]))
    with pytest.raises(FailedCheckError, match="gpt × mup × sgd"):
        run(["gpt"], ["mup"], ["sgd"], builtin(), tmp_path / "check.csv")
    assert "layer0" in (tmp_path / "check.csv").read_text(encoding="utf-8")


def test_the_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "check.csv"
    asked = ["--model", "two_layer_linear", "--parameterization", "mup", "sp"]
    words = ["coordcheck", *asked, "--optimizer", "sgd"]
    assert cli.main([*words, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "2 of 2 combinations are as predicted" in printed
    assert "unstable" in printed
    assert len(out.read_text(encoding="utf-8").splitlines()) == 1 + 2 * 6


def test_the_command_fails_where_a_combination_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report, "check_all", lambda wanted, specs: iter([made(-0.5)]))
    assert cli.main(["coordcheck", "--model", "gpt", "--parameterization", "mup"]) == 1
    assert "not as predicted: gpt × mup × sgd" in capsys.readouterr().err


def test_an_own_parameterization_comes_from_params_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = (Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8")
    family = "{input: {}, output: {init: {fan_in: -0.5}}}"
    entry = f"  mine: {{description: d, source: s, families: {{sgd: {family}}}}}\n"
    if "\nparameterizations: {}" in own:
        own = own.replace("\nparameterizations: {}", f"\nparameterizations:\n{entry}")
    else:
        own += f"\nparameterizations:\n{entry}"
    (tmp_path / "params.yaml").write_text(own, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert (
        cli.main(["coordcheck", "--model", "two_layer_linear", "--parameterization", "mine"]) == 0
    )
