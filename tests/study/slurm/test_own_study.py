"""The state-space model of the how-to as a study of one's own: on Slurm, under DVC, in a clone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.study.slurm.cluster import Cluster
from tests.study.slurm.on_cluster import OnCluster
from tests.study.workflow.own_folder import OwnStudy
from tests.study.workflow.project import ROOT
from tests.test_documents import BLOCK

pytestmark = [pytest.mark.workflow, pytest.mark.slurm, pytest.mark.long]

SMALLER = {
    "model": {"ssm": {"rows": 14}},
    "arms": {"mup": {"label": "μP", "parameterization": "mup_table8", "lr": "2^-8 .. 2^-2"}},
    "widths": [8, 16, 32],
    "depths": [1],
    "seeds": [0, 1, 2],
    "steps": 64,
    "batch_size": 32,
}


class OwnOnCluster(OnCluster, OwnStudy):
    """The folder of a study of one's own, with the profile that `lrtransfer init` wrote."""


@pytest.fixture(scope="module")
def trained(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> OwnOnCluster:
    """Return the how-to's study, a smaller one, as `snakemake --profile` made it on Slurm."""
    own = OwnStudy.begun(tmp_path_factory.mktemp("ssm") / "study")
    for _, title, text in BLOCK.findall((ROOT / "docs/own-model.md").read_text(encoding="utf-8")):
        if title:
            (own.root / title).write_text(text, encoding="utf-8")
    params = yaml.safe_load((own.root / "params.yaml").read_text(encoding="utf-8"))
    params["study"]["width"] |= SMALLER
    del params["study"]["width"]["measure"]
    own.write_params(params)
    own.edit("profiles/slurm/config.yaml", "runs_per_job: 1 ", "runs_per_job: sweep ")
    made = OwnOnCluster(own)
    made.run("snakemake", "--profile", "profiles/slurm")
    return made


def test_three_widths_are_trained_on_the_cluster_judged_and_predicted(
    cluster: Cluster, trained: OwnOnCluster
) -> None:
    jobs = cluster.jobs(trained.root)
    assert len(jobs) == 3, "one job a width"
    assert {cluster.detail(job, "JobState") for job in jobs} == {"COMPLETED"}
    assert len(trained.trained()) == 3 * 7 * 3
    claim, *_ = json.loads((trained.root / "results/claims.json").read_text(encoding="utf-8"))
    assert claim["id"] == "optimum_stays" and claim["value"] is not None
    told = trained.run(
        *("lrtransfer", "predict", "--experiment", "width", "--width", "64", "--json")
    )
    (answer,) = json.loads(told.stdout)
    assert answer["refused"] is None and answer["learning_rate"] > 0, answer
    assert trained.planned_jobs() == {}


def test_it_goes_under_dvc_and_is_redrawn_in_a_clone_without_training(
    trained: OwnOnCluster, tmp_path: Path
) -> None:
    before = trained.trained()
    trained.version(tmp_path / "remote")
    assert trained.trained() == before
    trained.run("git", "clone", "-q", str(trained.root), str(tmp_path / "clone"))
    clone = OwnStudy(tmp_path / "clone")
    shutil.rmtree(clone.root / "results/figures")
    clone.run("lrtransfer", "figures")
    assert (clone.root / "results/figures/width/optima.png").is_file()
    clone.run("lrtransfer", "restore")
    assert clone.planned_jobs() == {}
    assert "up to date" in clone.run("dvc", "status").stdout
    assert clone.trained() == []
