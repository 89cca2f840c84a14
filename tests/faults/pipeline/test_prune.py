"""What prune removes is the study's own, and nobody's who runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrtransfer import cli
from lrtransfer.study.storage.locks import locked
from lrtransfer.study.storage.paths import PREPARED, STUDY_LOCK, Layout
from lrtransfer.study.workflow.care import remove, size, unasked_files
from tests.tiny import PARAMS, tiny_plan


def test_links_are_removed_and_what_they_lead_to_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    precious = [outside / "1.safetensors", outside / "deep/x.parquet"]
    for file in precious:
        file.write_text("precious")
    (tmp_path / "study").mkdir()
    monkeypatch.chdir(tmp_path / "study")
    layout = Layout()
    links = [
        layout.checkpoints / "link",
        layout.runs / "link.parquet",
        layout.work_run("link"),
        PREPARED / "link",
        layout.checkpoints / "stray" / "link",
    ]
    for link in links:
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(outside)
    plan = tiny_plan()
    stray = unasked_files(plan, layout)
    assert set(stray) == set(links)
    assert all(size(link) < 500 for link in links)
    remove(stray)
    assert unasked_files(plan, layout) == []
    other = PREPARED / "another-scale-s"
    other.mkdir()
    assert unasked_files(plan, layout) == [other]
    assert unasked_files(plan, layout, {other.name}) == []
    assert [file.read_text() for file in precious] == ["precious"] * 2


def test_it_is_refused_beside_a_study_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("params.yaml", "experiments"):
        Path(name).symlink_to(PARAMS.with_name(name))
    with locked(STUDY_LOCK, "process 7 on elsewhere"):
        assert cli.main(["prune", "--yes", "--experiments", "tuners", "--scale", "smoke"]) == 1
    assert "held by process 7 on elsewhere" in capsys.readouterr().err
