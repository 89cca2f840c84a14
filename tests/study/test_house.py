"""The house test: one entry or one file adds a member of any kind, with no edit elsewhere."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import lrtransfer
from lrtransfer.study.plan import catalog
from tests.tiny import ROOT, tiny_params

pytestmark = pytest.mark.process

MEMBERS = Path(__file__).with_name("added_members")
# Room -> the file in `added_members` that becomes its member `added`.
FILES = {
    "data": "data.py",
    "models": "model.py",
    "losses": "loss.py",
    "probes": "probe.py",
    "figures": "figure.py",
    "optim": "optimizer.py",
    "optim/schedules": "schedule.py",
    "optim/tuners": "tuner.py",
}

# Plans the study, trains its one run on the prepared data, estimates, judges, and draws its figure.
TRAIN = """
import json
from pathlib import Path
import torch
from lrtransfer.study.data import prepare
from lrtransfer.study.figures.output import describe
from lrtransfer.study.plan.expand import plan
from lrtransfer.study.plan.load import load_study
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.storage.run_file import read_run
from lrtransfer.study.training.sweep import Job, train_runs
from lrtransfer.study.workflow import reporting, stages
from lrtransfer.study.workflow.cost import run_seconds
from lrtransfer.study.workflow.trial import Machine

made, layout = plan(load_study(Path("params.yaml"))), Layout()
(dataset,), (run,) = made.datasets, made.runs
spec = dataset.spec
prepare.prepare(dataset.id, spec.source, spec.sha256, spec.options)
train_runs([run], Job(layout, torch.device("cpu")))
stages.write_run_tables(made, layout, run.experiment)
stages.write_estimates(made, layout, run.experiment)
stages.write_ledger(made, layout)
reporting.draw_figures(made, layout, run.experiment)
log, _ = read_run(layout.run(run.key), run.key)
(name,) = made.study.study[run.experiment].figures
(claim, _) = stages.read_claims(layout.claims)
print(json.dumps({
    "code": sorted(run.code), "losses": log["loss"].to_pylist()[1:],
    "columns": log.column_names, "claim": claim,
    "caption": describe(layout.figures(run.experiment) / f"{name}.png").caption,
    "seconds": run_seconds(run, (6, 3), Machine()),
}))
"""


def params() -> dict[str, Any]:
    """Return a study of one run, every part of which is called `added`."""
    content = tiny_params()
    role = {"init": {"fan_in": -0.5}}
    # A parameterization is one entry.
    content["parameterizations"] = {
        "added": {
            "description": "Entries of variance 1/fan_in.",
            "source": "this test",
            "families": {"sgd": {"input": role, "output": role}},
        }
    }
    raw = b"blobs"
    sha256 = hashlib.sha256(raw).hexdigest()
    content["data"] = {"added": {"source": "added", "sha256": sha256, "options": {"samples": 48}}}
    (experiment,) = content["study"].values()
    experiment |= {
        "dataset": "added",
        "model": "added",
        "loss": "added",
        "optimizer": {"added": {"weight_decay": 0.01}},
        "schedule": "added",
        "figures": ["added"],
        "arms": {
            "added": {
                "label": "added",
                "parameterization": "added",
                "lr": 1.0,
                "measured_at": 1.0,
                "tuner": "added",
            }
        },
        "widths": [4],
        "seeds": [0],
    }
    del experiment["spectra"]
    experiment["measure"]["probes"] = ["added"]
    return content


class House:
    """A study, and one more of each kind: in a copy of the package, or in the study's folder."""

    def __init__(self, root: Path, *, copied: bool) -> None:
        self.root = root
        self.source = (root if copied else ROOT) / "src"
        self.copied = copied

    def files(self) -> dict[Path, str]:
        """Return the added files, each with the name of that it is a copy of."""
        measures = "study/evidence/measures" if self.copied else "measures"
        places = {measures: "measure.py"}
        for name, room in catalog.ROOMS.items():
            places[room.folder if self.copied else room.own] = FILES[name]
        base = self.source / "lrtransfer" if self.copied else self.root
        return {base / place / "added.py": file for place, file in places.items()}


@pytest.fixture(scope="module", params=["package", "folder"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> House:
    """A folder with a study, with one more of each kind, and a claim."""
    made = House(tmp_path_factory.mktemp("house"), copied=request.param == "package")
    if made.copied:
        package, ignored = Path(lrtransfer.__file__).parent, shutil.ignore_patterns("__pycache__")
        shutil.copytree(package, made.source / "lrtransfer", ignore=ignored)
    for place, file in made.files().items():
        place.parent.mkdir(exist_ok=True)
        shutil.copy(MEMBERS / file, place)
    shutil.copy(MEMBERS / "claims.yaml", made.root)
    text = yaml.safe_dump(params(), sort_keys=False)
    (made.root / "params.yaml").write_text(text, encoding="utf-8")
    return made


def python(house: House, *arguments: str, folder: Path | None = None) -> str:
    """Run Python with the house's package and return all that it prints."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder or house.root,
        env={**os.environ, "PYTHONPATH": str(house.source), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_member_of_every_kind_is_planned_trained_with_judged_and_drawn(house: House) -> None:
    told = python(house, "-c", TRAIN).splitlines()
    found = json.loads(next(line for line in told if line.startswith("{")))
    parts = [room for name, room in catalog.ROOMS.items() if name not in ("data", "figures")]
    places = [room.folder if house.copied else f"./{room.own}" for room in parts]
    trained_with = {f"{place}/added.py" for place in places}
    assert trained_with == {file for file in found["code"] if file.endswith("/added.py")}
    # Bases of the presets are in the key too.
    assert {"optim/tuners/cdat.py", "optim/schedules/cosine.py"} <= set(found["code"])
    assert len(found["losses"]) == 6
    assert found["losses"][-1] < found["losses"][0]
    assert "output_norm" in found["columns"]
    assert found["seconds"] > 0
    assert found["caption"] == "1 run of added."
    assert (found["claim"]["id"], found["claim"]["measure"]) == ("outputs_grow", "output_growth")
    assert found["claim"]["value"] is not None


@pytest.mark.long
def test_shared_tests_find_the_new_members_by_themselves(house: House) -> None:
    if not house.copied:
        return  # they are tests of the package's own
    tests = [
        "tests/curvature/test_model_families.py",
        "tests/study/models/test_every_family.py",
        "tests/study/probes/test_probes.py",
        "tests/study/plan/test_catalog.py",
        "tests/study/figures/test_drawing.py",
        "tests/optim/tuners/test_rules.py",
        "tests/optim/test_schedules.py",
    ]
    options = ["-v", "-k", "added", "-p", "no:cacheprovider", "-o", "addopts="]
    told = python(house, "-m", "pytest", *options, *tests, folder=ROOT)
    for test in tests:
        assert f"{test}::" in told, test


def test_without_its_file_every_member_is_refused_by_name(house: House) -> None:
    """So the tests above notice a member that is not found."""
    for file in house.files():
        file.unlink()
    code = "import sys; from lrtransfer.cli import main; sys.exit(main(['check']) != 2)"
    told = python(house, "-c", code)
    for room in catalog.ROOMS.values():
        assert f"unknown {room.called} 'added'" in told
