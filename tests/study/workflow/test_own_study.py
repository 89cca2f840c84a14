"""A study of one's own, from `lrtransfer init`: the caching table's rows in the user's folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import yaml

from tests.study.workflow.own_folder import OwnStudy

pytestmark = pytest.mark.workflow

TINY = {
    "arms": {"mup": {"parameterization": "mup", "lr": [0.5, 1.0]}},
    "widths": [8, 16],
    "depths": [1],
    "seeds": [0],
    "steps": 6,
    "batch_size": 16,
    "loss_window": 2,
    "figures": ["optima"],
}
OTHER = """from .mine import Mine
from .sizes import FACTOR


class Other(Mine):
    def __init__(self, *, width: int, **options) -> None:
        super().__init__(width=FACTOR * width, **options)


MODEL = Other
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> OwnStudy:
    """Return a finished study of two models, one of which imports from the folder."""
    root = tmp_path_factory.mktemp("own") / "study"
    made = OwnStudy.begun(root)
    (root / "models/other.py").write_text(OTHER)
    (root / "models/sizes.py").write_text("FACTOR = 2\n")
    params = yaml.safe_load((root / "params.yaml").read_text())
    first = params["study"]["width"] | TINY
    del first["measure"]
    second = first | {"model": "other", "widths": [8]}
    params["study"] = {"width": first, "second": second}
    made.write_params(params)
    made.version(root.parent / "remote")
    return made


def trainings(jobs: dict[str, int]) -> set[str]:
    return {name for name in jobs if name.startswith("train_") and name != "train_all"}


def test_a_first_run_makes_figures_claims_and_a_report(done: OwnStudy) -> None:
    assert len(done.trained()) == 3 * 2
    for file in ("figures/width/optima.png", "figures/second/optima.png", "report.html"):
        assert (done.root / "results" / file).is_file(), file
    assert "optimum_stays" in (done.root / "results/claims.json").read_text()
    report = (done.root / "results/report.html").read_text()
    assert "1 claim was put to the test" in report
    # What repeats it is a command of this folder, which has no Makefile.
    assert ">lrtransfer run --scale laptop --experiments second<" in report
    assert "make study" not in report


def test_nothing_runs_where_nothing_changed_nor_for_a_comment(done: OwnStudy) -> None:
    assert done.planned_jobs() == {}
    assert "up to date" in done.run("dvc", "status").stdout


def test_each_edit_runs_what_it_changes_and_no_more(done: OwnStudy, tmp_path: Path) -> None:
    own = done.duplicate(tmp_path / "copy")
    own.edit("models/mine.py", '"""My model', "# A remark.\n" + '"""My own model')
    (own.root / "losses").mkdir()
    shutil.copy(own.root / "models/sizes.py", own.root / "losses/mine.py")
    assert own.planned_jobs() == {}
    own.edit("claims.yaml", "within: [-0.25, 0.25]", "within: [-0.5, 0.5]")
    assert set(own.planned_jobs()) == {"ledger", "report"}
    own.edit("models/sizes.py", "FACTOR = 2", "FACTOR = 3")
    assert trainings(own.planned_jobs()) == {"train_second-mup-width8-depth1-0"}
    own.edit("models/mine.py", 'activation: str = "relu"', 'activation: str = "tanh"')
    # The option's value is in the key of the first; the second imports the file.
    assert trainings(own.planned_jobs()) == {
        "train_width-mup-width8-depth1-0",
        "train_width-mup-width16-depth1-0",
        "train_second-mup-width8-depth1-0",
    }


def test_a_clone_that_pulls_has_nothing_to_do_and_redraws(done: OwnStudy, tmp_path: Path) -> None:
    done.run("git", "clone", "-q", str(done.root), str(tmp_path / "clone"))
    clone = OwnStudy(tmp_path / "clone")
    shutil.rmtree(clone.root / "results/figures")
    clone.run("lrtransfer", "figures")
    assert (clone.root / "results/figures/width/optima.png").is_file()
    clone.run("git", "checkout", "-q", ".")
    clone.run("lrtransfer", "restore")
    assert clone.planned_jobs() == {}
    assert "up to date" in clone.run("dvc", "status").stdout
    assert clone.trained() == []
    assert not os.path.lexists(clone.root / "workflow")
