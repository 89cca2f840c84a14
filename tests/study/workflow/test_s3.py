"""Sharing through S3: a clone pulls and draws, a dying store loses nothing, damage is noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.study.workflow.project import Project
from tests.study.workflow.s3 import BUCKET, OnStore, Store

pytestmark = [pytest.mark.workflow, pytest.mark.s3]


@pytest.fixture(scope="module")
def server() -> Iterator[Store]:
    made = Store()
    yield made
    made.stop()


@pytest.fixture
def store(server: Store) -> Store:
    server.empty()
    return server


@pytest.fixture
def owner(shared: Project, store: Store, tmp_path: Path) -> OnStore:
    """Return a finished study whose remote is the store, not pushed yet."""
    made = OnStore(shared.duplicate(tmp_path / "owner").root)
    made.run("dvc", "remote", "add", "--force", "--default", "store", f"s3://{BUCKET}/results")
    made.run("dvc", "remote", "modify", "store", "endpointurl", store.url)
    made.commit("remote")
    return made


def _clone(owner: OnStore, root: Path) -> OnStore:
    owner.run("git", "clone", "-q", str(owner.root), str(root))
    return OnStore(root)


def test_a_clone_pulls_from_s3_and_draws_without_training(owner: OnStore, tmp_path: Path) -> None:
    owner.run("dvc", "push", "-q")
    clone = _clone(owner, tmp_path / "clone")
    clone.run("lrtransfer", "restore")
    assert clone.planned_jobs() == {}
    (clone.root / "results/report.html").unlink(missing_ok=True)
    clone.run("lrtransfer", "figures")
    assert (clone.root / "results/report.html").exists()
    assert clone.trained() == []


def test_a_store_that_dies_half_way_costs_a_second_call(
    owner: OnStore, store: Store, tmp_path: Path
) -> None:
    store.budget = 5
    assert owner.run("dvc", "push", check=False).returncode != 0
    store.budget = None
    assert len(store.objects()) > 0
    owner.run("dvc", "push", "-q")
    clone = _clone(owner, tmp_path / "clone")
    store.budget = 5
    broken = clone.run("lrtransfer", "restore", check=False)
    assert broken.returncode != 0
    assert "dvc pull failed" in broken.stdout
    assert "Traceback" not in broken.stdout
    store.budget = None
    clone.run("lrtransfer", "restore")
    assert clone.planned_jobs() == {}


def test_a_damaged_object_is_noticed_and_its_run_made_anew(
    owner: OnStore, store: Store, tmp_path: Path
) -> None:
    owner.run("dvc", "push", "-q")
    run = owner.run_files()[0]
    digest = hashlib.md5(run.read_bytes()).hexdigest()
    store.damage(next(name for name in store.objects() if name.endswith(digest[2:])))
    clone = _clone(owner, tmp_path / "clone")
    clone.run("lrtransfer", "restore")
    output = clone.study("train_all").stdout
    assert f"results/runs/{run.name}: the content does not match its digest" in output
    assert clone.trained() == [run.stem]


def test_a_remote_that_verifies_refuses_the_damaged_object(
    owner: OnStore, store: Store, tmp_path: Path
) -> None:
    owner.run("dvc", "remote", "modify", "store", "verify", "true")
    owner.commit("verify")
    owner.run("dvc", "push", "-q")
    run = owner.run_files()[0]
    digest = hashlib.md5(run.read_bytes()).hexdigest()
    store.damage(next(name for name in store.objects() if name.endswith(digest[2:])))
    clone = _clone(owner, tmp_path / "clone")
    assert clone.run("lrtransfer", "restore", check=False).returncode != 0
    assert not (clone.root / "results/runs" / run.name).exists()
