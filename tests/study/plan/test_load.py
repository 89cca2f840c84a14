"""Every fault of params.yaml gives one line: where it is, what is wrong, what to do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from lrtransfer.cli import main
from lrtransfer.study.plan.expand import plan
from lrtransfer.study.plan.load import load_study, parse_study
from lrtransfer.study.plan.schema import Study
from lrtransfer.study.plan.yaml_file import StudyError, read_yaml
from tests.tiny import EXPERIMENT, PARAMS, real_params

from .broken import FAULTS, Fault

JARGON = re.compile(r"Input should|pydantic|constrained|validat|type=|_type\b|dictionary", re.I)
SPELLED = re.compile(r"^params\.yaml: \S+: \S.*[^.?]*[.?] [A-Z].*[.?]$")


# Nine levels of nine aliases each.
BOMB = b"a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + b"".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n".encode()
    for before, name in pairwise("abcdefghi")
)


def write(folder: Path, content: Any) -> Path:
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return path


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_gives_one_line_with_field_and_remedy(fault: Fault) -> None:
    with pytest.raises(StudyError) as caught:
        parse_study(fault.content())
    (line,) = caught.value.lines
    assert line.startswith(f"params.yaml: {fault.line}: ")
    assert fault.remedy in line
    assert SPELLED.match(line), line
    assert not JARGON.search(line)


def test_faults_in_several_fields_are_told_together() -> None:
    content = real_params()
    content["scale"] = "huge"
    content["study"][EXPERIMENT]["scales"]["paper"]["steps"] = 0
    with pytest.raises(StudyError) as caught:
        parse_study(content)
    first, second = caught.value.lines
    assert "scale: " in first
    assert "paper.steps: " in second


@pytest.mark.parametrize(
    ("content", "place", "problem"),
    [
        (b"scale: smoke\nstudy: {}\nscale: laptop\n", ":3", "the key 'scale' stands twice."),
        (b"study:\n  a: 1\n  a: 2\n", ":3", "the key 'a' stands twice."),
        (b"scale: [smoke\nstudy: {}\n", ":2", "Correct the YAML at this line."),
        (b"scale: smoke\n\tstudy: {}\n", ":2", "Correct the YAML at this line."),
        (b"? [a, b]\n: 1\n", ":1", "a key must be plain text"),
        (b"- scale\n- smoke\n", "", "holds no mapping."),
        (b"", "", "holds no mapping."),
        (b"scale: !!python/object/apply:os.getcwd []\n", ":1", "Correct the YAML at this line."),
        (b"null: 1\n", ":1", "a key must be plain text"),
        (b"a:\n  1: 2\n", ":2", "a key must be plain text"),
        (b"on: 1\n", ":1", "'on' differently. Write true or false, or put it in quotes."),
        (b"a: 1\nb: No\n", ":2", "'No' differently. Write true or false, or put it in quotes."),
        (b"a:\n- 010\n", ":2", "'010' differently. Write a number without leading zeros"),
        (b"a: -0o17\nb: 0o17\n", ":2", "'0o17' differently. Write a number without leading"),
        (b"a: 1:30\n", ":1", "'1:30' differently. Write a number without colons"),
        (b"a: [190:20:30.15]\n", ":1", "differently. Write a number without colons"),
        (b"a: 1e-3\n", ":1", "'1e-3' differently. Write a number with digits, a dot and a sign"),
        (b"a: 1.0e3\n", ":1", "'1.0e3' differently. Write a number with digits, a dot and a sign"),
        (b"a: 1" + 400 * b"0" + b"\n", ":1", "more than 18 digits. Write a smaller one."),
        (b"a: &a {b: 1}\nc:\n  <<: *a\n", ":3", "no merge keys. Write the fields out, or use"),
        (b"a:\n- " + 10**5 * b"[" + 10**5 * b"]", ":2", "more than 32 levels of nesting."),
        (b"a: 1\nb: &b [*b]\n", ":2", "*b stands within itself. Write it out."),
        (BOMB, ":6", "the file has more than 100,000 values. Shorten what is here."),
        (b"a: 1\nb: [" + 10**6 * b"1," + b"]", ":2", "the file has more than 100,000 values."),
        (b"scale: \0\n", "", "control characters are not allowed."),
        ("scale: μ\n".encode("utf-16"), "", "Save it as UTF-8."),
        (b"scale: caf\xe9\n", "", "Save it as UTF-8."),
    ],
    ids=lambda value: "".join(filter(str.isprintable, str(value)))[:20],
)
def test_a_file_that_is_no_plain_yaml_is_named_with_the_line(
    tmp_path: Path, content: bytes, place: str, problem: str
) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(StudyError) as caught:
        load_study(path)
    (line,) = caught.value.lines
    assert line.startswith(f"{path}{place}: ")
    assert problem in line
    assert "\n" not in line


def test_what_both_versions_of_yaml_read_alike_is_left_alone(tmp_path: Path) -> None:
    numbers, texts = "1.0e-3, 1.5e+03, .5, -0.5, 0, -7, 100", "'010', \"on\", '1e3', 2^-3, 1/16, n"
    text = f"a: [{numbers}, {texts}, &x {{b: true}}, *x]"
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    assert read_yaml(path) == YAML(typ="safe", pure=True).load(text)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to(path)])
def test_what_is_no_file_is_refused_and_nothing_waits_for_it(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "params.yaml"
    make(path)
    with pytest.raises(StudyError, match=r"no (plain|such) file\. Give the path"):
        load_study(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"none\.yaml: no such file\. Give the path"):
        load_study(tmp_path / "none.yaml")


@pytest.mark.process
@pytest.mark.parametrize("name", ["typo in a grid", "reference rate not in the axis"])
def test_check_of_a_broken_file_exits_with_2_and_starts_nothing(tmp_path: Path, name: str) -> None:
    fault = next(fault for fault in FAULTS if fault.name == name)
    path = write(tmp_path, fault.content())
    done = subprocess.run(
        [sys.executable, "-m", "lrtransfer", "check", str(path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{path}: {fault.line}: ")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("command", ["check", "workflow", "status", "stage report"])
def test_every_command_refuses_a_broken_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, real_params() | {"scale": "laptp"})
    assert main(command.split()) == 2
    assert "Did you mean 'laptop'?" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


@pytest.mark.parametrize("scale", ["smoke", "laptop", "paper"])
def test_the_real_file_expands_at_every_scale(scale: str) -> None:
    study = load_study(PARAMS, scale=scale, experiments="all")
    assert isinstance(study, Study)
    grid = study.study[EXPERIMENT].scales[study.scale]
    rates = sum(len(axis) for axis in grid.learning_rates.values())
    made = plan(study)
    found = [run for run in made.runs if run.experiment == EXPERIMENT]
    assert len(found) == rates * len(grid.widths) * len(grid.depths) * len(grid.seeds)
    assert len({run.key for run in found}) == len(found)
    assert len({sweep.name for sweep in made.sweeps}) == len(made.sweeps)


def test_overrides_replace_scale_and_experiments() -> None:
    study = load_study(PARAMS, scale="paper", experiments=f"{EXPERIMENT},")
    assert study.scale == "paper"
    assert study.experiments == [EXPERIMENT]


def test_a_bad_override_is_refused_as_the_field_would_be() -> None:
    with pytest.raises(StudyError, match=r"scale: unknown value 'papr'\. Did you mean 'paper'\?"):
        load_study(PARAMS, scale="papr")
    with pytest.raises(StudyError, match=r"experiments: unknown experiment 'width'"):
        load_study(PARAMS, experiments="width")
