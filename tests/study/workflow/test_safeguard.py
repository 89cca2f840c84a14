"""What was verified stays verified, and every kind of run vouches for what is adopted."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from lrtransfer.study.plan.expand import Plan, Run
from lrtransfer.study.storage.paths import WORK, Layout
from lrtransfer.study.storage.run_file import read_run
from lrtransfer.study.storage.seal import CorruptFileError, read_sealed
from lrtransfer.study.storage.tables import write_table
from lrtransfer.study.workflow import soundness
from lrtransfer.study.workflow.care import (
    Candidate,
    Candidates,
    NotAdoptedError,
    adopt,
    candidates,
    sample,
    study_status,
)
from lrtransfer.study.workflow.safeguard import date_back, set_aside
from lrtransfer.study.workflow.soundness import check_results, stale_tables
from lrtransfer.study.workflow.stored import made_of
from tests.tiny import tiny_grid, tiny_params, tiny_plan


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Return a plan whose runs all have a sealed file below the working folder."""
    monkeypatch.chdir(tmp_path)
    plan = tiny_plan()
    for run in plan.runs:
        write_run_file(run)
    return plan


def write_run_file(run: Run, **said: object) -> None:
    about = _of(run, run.key) | {"code": run.code}
    write_table(Layout().run(run.key), pa.table({"loss": [1.0]}), about | said)


def test_a_table_of_other_runs_than_those_asked_for_is_stale(stored: Plan) -> None:
    (experiment,) = stored.experiments
    path = Layout().table(experiment, "runs")
    write_table(path, pa.table({"loss": [1.0]}), {"made_of": made_of(stored, path)})
    assert stale_tables(stored, Layout()) == []
    narrow = replace(stored, sweeps=stored.sweeps[:1])
    assert stale_tables(narrow, Layout()) == [str(path)]
    write_table(path, pa.table({"loss": [1.0]}), {})
    assert stale_tables(stored, Layout()) == [str(path)], "of an older form"


def test_a_narrower_selection_forgets_no_verified_file(
    stored: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def reading(path: Path) -> bytes:
        read.append(path)
        return read_sealed(path)

    monkeypatch.setattr(soundness, "read_sealed", reading)

    def sound(plan: Plan) -> int:
        read.clear()
        return len(check_results(plan, Layout()).sound)

    def runs_read() -> list[Path]:
        return [path for path in read if path.exists() and path.parent == Layout().runs]

    assert sound(stored) == len(runs_read()) == len(stored.runs)
    narrow = replace(stored, sweeps=stored.sweeps[:1])
    assert sound(narrow) == len(narrow.runs)
    assert not runs_read()
    changed, gone = (Layout().run(run.key) for run in stored.runs[-2:])
    changed.touch()
    gone.unlink()
    assert sound(stored) == len(stored.runs) - 1
    assert runs_read() == [changed]


def test_a_note_of_verified_files_of_another_form_is_none(stored: Plan) -> None:
    (WORK / "verified.json").parent.mkdir(parents=True)
    (WORK / "verified.json").write_text("[]", encoding="utf-8")
    assert len(check_results(stored, Layout()).sound) == len(stored.runs)


def test_what_is_no_run_of_ours_is_named_by_the_status_and_waited_for_by_nothing(
    stored: Plan,
) -> None:
    pipe, folder, dangling, other, odd = (Layout().run(run.key) for run in stored.runs[:5])
    for path in (pipe, folder, dangling):
        path.unlink()
    os.mkfifo(pipe)
    folder.mkdir()
    dangling.symlink_to("/nonexistent")
    write_run_file(stored.runs[3], key=stored.runs[0].key)
    write_run_file(stored.runs[4], config={})
    status = study_status(stored, Layout(), stored)
    assert status.finished == len(stored.runs) - 5
    told = "\n".join(status.damaged)
    assert all(path.name in told for path in (pipe, folder, dangling, other, odd)), told


def test_results_of_the_future_are_dated_back(stored: Plan) -> None:
    ahead, behind = (Layout().run(run.key) for run in stored.runs[:2])
    in_a_day = time.time() + 86_400
    os.utime(ahead, (in_a_day, in_a_day))
    os.utime(behind, (1, 1))
    assert date_back([ahead, behind]) == 1
    assert ahead.stat().st_mtime <= time.time()
    assert behind.stat().st_mtime == 1
    assert date_back([ahead, behind]) == 0


def test_what_is_set_aside_twice_is_kept_twice(stored: Plan) -> None:
    path = Layout().run(stored.runs[0].key)
    kept = []
    for content in ("one", "another"):
        path.write_text(content)
        kept.append(set_aside(CorruptFileError(path, "damaged")))
    assert [place.read_text() for place in kept] == ["one", "another"]
    assert not path.exists()


def test_a_run_of_another_depth_is_a_new_run_and_no_stale_one(stored: Plan) -> None:
    content = tiny_params()
    tiny_grid(content)["depths"] = [2]
    deeper = tiny_plan(content)
    found = study_status(deeper, Layout(), deeper)
    assert found.missing == {"never trained": len(deeper.runs)}
    assert found.unasked == len(stored.runs)


def test_every_branch_that_a_configuration_takes_has_runs_that_vouch_for_it() -> None:
    run = tiny_plan().runs[0]
    options = run.config.model.options
    branches = [options, options | {"activation": "relu"}, options | {"skip": 0.5}]
    found = [
        Candidate(replace(run, config=replace(run.config, seed=seed, model=model)), "", {})
        for model in (replace(run.config.model, options=branch) for branch in branches)
        for seed in range(10)
    ]
    chosen = sample(Candidates(found, []), size=2, seed=0)
    activations = [c.run.config.model.options["activation"] for c in chosen]
    assert sorted(activations) == ["relu", "relu", "tanh", "tanh"], "another number is no branch"


def test_an_adoption_that_was_stopped_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = tiny_plan().runs
    for place, run in enumerate(runs):
        key = f"old{place}"
        write_table(Layout().run(key), pa.table({"loss": [1.0]}), _of(run, key))
    done = next(run for run in runs if not run.measured)
    write_run_file(done)
    found = candidates(tiny_plan(), Layout())
    assert [candidate.run for candidate in found.retrained] == [done]
    picked = sample(found, size=1, seed=0)
    vouching = [*picked, *found.retrained]
    assert sorted({c.kind for c in found.missing}) == sorted(c.kind for c in vouching)
    adopt(found, picked, Layout(), write_run_file)
    assert all(Layout().run(candidate.run.key).is_file() for candidate in found.missing)
    adopted = next(c.run.key for c in found.missing if c not in picked)
    _, about = read_run(Layout().run(adopted), adopted)
    proof = {pair["new"] for pair in about["adopted"]["retrained"]}
    assert proof == {done.key, *(c.run.key for c in picked)}


def test_a_run_that_came_out_otherwise_before_vouches_for_none(stored: Plan) -> None:
    first, second = [run for run in stored.runs if not run.measured][:2]
    write_table(Layout().run("old"), pa.table({"loss": [2.0]}), _of(first, "old"))
    write_table(Layout().run("older"), pa.table({"loss": [1.0]}), _of(second, "older"))
    Layout().run(second.key).unlink()
    found = candidates(stored, Layout())
    assert tuple([c.run for c in part] for part in found) == ([second], [first])
    with pytest.raises(NotAdoptedError, match="differs from old in column 'loss'"):
        adopt(found, [], Layout(), write_run_file)
    assert not Layout().run(second.key).is_file()


def _of(run: Run, key: str) -> dict[str, object]:
    about = {"key": key, "config": run.config.to_json(), "code": {}, "status": "ok"}
    return about | {"diverged_step": None, "wall_seconds": 1.0, "processor": "", "versions": {}}
