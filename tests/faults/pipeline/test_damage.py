"""Whatever is damaged, edited or another's is named before a study starts, and made anew by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrtransfer import cli
from lrtransfer.study.workflow.safeguard import set_aside
from lrtransfer.study.workflow.soundness import check_results
from lrtransfer.study.workflow.start import select
from tests.faults.pipeline.damage import DAMAGES, flip
from tests.study.workflow.project import EXPERIMENT, Project

pytestmark = pytest.mark.workflow

RESULTS = Path("results")


@pytest.fixture
def here(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of a finished study, verified, that is the working folder."""
    monkeypatch.chdir(project.root)
    for name in ("LRTRANSFER_SCALE", "LRTRANSFER_EXPERIMENTS"):
        monkeypatch.delenv(name, raising=False)
    assert damaged() == set()
    return project


def damaged() -> set[Path]:
    chosen = select(Path("params.yaml"))
    return {error.path for error in check_results(chosen.plan, chosen.layout).damaged}


@pytest.mark.parametrize("damage", DAMAGES)
def test_it_is_named_and_after_it_was_set_aside_nothing_is_left(here: Project, damage: str) -> None:
    path = DAMAGES[damage](RESULTS).relative_to(Path())
    assert path in damaged()
    chosen = select(Path("params.yaml"))
    for error in check_results(chosen.plan, chosen.layout).damaged:
        set_aside(error)
    assert damaged() == set()
    assert not path.is_symlink()
    assert not path.exists()


def test_one_call_makes_anew_all_that_was_damaged(project: Project) -> None:
    results = project.root / "results"
    derived = ("tables/*", "estimates/*", "figures/*/*", "*.json", "*.html", "*.sha256")
    files = [file for pattern in derived for file in results.glob(pattern)]
    before = {file: file.read_bytes() for file in files}
    hit = [
        "run of another key",
        "spectrum of another key",
        "table cut",
        "table of an older form",
        "estimate edited",
        "verdict changed",
        "metrics emptied",
        "plotted numbers changed",
        "report edited",
        "prepared arrays flipped",
    ]
    damaged = [DAMAGES[name](results) for name in hit]
    output = project.study().stdout
    assert all(str(path.relative_to(project.root)) in output for path in damaged)
    assert {file for file in files if file.read_bytes() != before[file]} == set()
    assert len(project.trained()) == 4, "published again, not trained"
    assert project.planned_jobs() == {}


def test_a_run_that_rots_unseen_is_set_aside_by_the_stage_that_reads_it(
    here: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    run = flip(sorted((RESULTS / "runs").glob("*"))[0], keep_time=True)
    assert damaged() == set(), "size and time stamp say nothing"
    assert cli.main(["stage", "tables", EXPERIMENT]) == 1
    assert str(run) in capsys.readouterr().err
    assert not run.exists()
    assert (Path(".lrtransfer/quarantine") / run).is_file()


@pytest.mark.parametrize(
    ("damage", "command"),
    [
        ("estimate edited", ["figures"]),
        ("table of another scale", ["figures"]),
        ("table of another scale", ["stage", "estimates", EXPERIMENT]),
        ("estimate edited", ["stage", "ledger"]),
        ("verdict changed", ["claims"]),
        ("verdict changed", ["stage", "report"]),
        ("picture emptied", ["stage", "report"]),
    ],
)
def test_no_reader_takes_it(
    here: Project, damage: str, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = DAMAGES[damage](RESULTS)
    assert cli.main(command) == 1
    assert f"error: {path}" in capsys.readouterr().err
