"""A study whose jobs run where no file system is shared: files travel through a bucket."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from lrtransfer.study.workflow.object_storage import be_its_copies
from tests.study.workflow.project import EXPERIMENT, Project
from tests.study.workflow.s3 import BUCKET, OnStore, Store

# A job starts in an empty folder with what git knows, as executors hand it over, and nothing else.
SUBMIT = """#!/bin/bash
pod=$(mktemp -d {base}/pod-XXXX)
git -C "$PWD" checkout-index -a --prefix=$pod/
cp "$1" $pod/job.sh
(cd $pod && bash job.sh > $pod/log 2>&1; echo $? > $pod.rc) > /dev/null 2>&1 &
basename $pod
"""
STATUS = """#!/bin/bash
if [ ! -e {base}/$1.rc ]; then echo running
elif [ "$(cat {base}/$1.rc)" = 0 ]; then echo success
else echo failed; fi
"""


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store()
    made.empty()
    yield made
    made.stop()


def snakemake(project: OnStore, store: Store, base: Path, *options: str) -> str:
    command = [
        *(sys.executable, "-m", "snakemake", "--executor", "cluster-generic"),
        *("--cluster-generic-submit-cmd", f"{base}/submit"),
        *("--cluster-generic-status-cmd", f"{base}/status"),
        *("--shared-fs-usage", "none", "--jobs", "2"),
        *("--local-cores", "1", "--seconds-between-status-checks", "1"),
        *("--default-storage-provider", "s3", "--default-storage-prefix", f"s3://{BUCKET}/study"),
    ]
    said = {"ENDPOINT_URL": store.url, "ACCESS_KEY": "test", "SECRET_KEY": "test"}
    environment = project.environment
    # The plugin may lie where the caller put it.
    paths = (environment["PYTHONPATH"], os.environ.get("PYTHONPATH", ""))
    environment |= {"PYTHONPATH": os.pathsep.join(paths)}
    environment |= {f"SNAKEMAKE_STORAGE_S3_{name}": value for name, value in said.items()}
    done = subprocess.run(
        [*command, *options],
        cwd=project.root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1500,
        check=False,
    )
    logs = "".join(path.read_text() for path in base.glob("pod-*/log"))
    assert done.returncode == 0, done.stdout + logs
    return done.stdout


@pytest.mark.long
@pytest.mark.workflow
@pytest.mark.s3
@pytest.mark.skipif(
    find_spec("snakemake_storage_plugin_s3") is None,
    reason="pip install snakemake-storage-plugin-s3",
)
def test_jobs_without_a_shared_file_system_make_the_same_study(
    store: Store, tmp_path: Path
) -> None:
    for name, script in (("submit", SUBMIT), ("status", STATUS)):
        (tmp_path / name).write_text(script.format(base=tmp_path))
        (tmp_path / name).chmod(0o755)
    head = OnStore(Project.create(tmp_path / "head").root)
    head.run("git", "init", "-q")
    head.run("git", "add", "-A")
    tables = f"tables_{EXPERIMENT}"
    snakemake(head, store, tmp_path, tables)
    assert f"study/results/tables/{EXPERIMENT}.runs.parquet" in store.objects()
    runs = sorted(Path(name).name for name in store.objects() if "/results/runs/" in name)
    assert len(runs) == 4
    # Trained elsewhere: here no run was ever unfinished work.
    assert not list((head.root / ".lrtransfer").rglob("run.parquet"))
    assert len(list(tmp_path.glob("pod-*/.lrtransfer/jobs/results/runs/*/run.parquet"))) == 4

    before = losses(content(store, runs[0]), tmp_path)

    # Another folder finds all of it in the bucket: nothing trains, one lost file alone is made.
    other = OnStore(Project.create(tmp_path / "other").root)
    other.run("git", "init", "-q")
    other.run("git", "add", "-A")
    assert "Nothing to be done" in snakemake(other, store, tmp_path, "--dry-run", tables)
    store.client.delete_object(Bucket=BUCKET, Key=f"study/results/runs/{runs[0]}")
    snakemake(other, store, tmp_path, "train_all")
    assert losses(content(store, runs[0]), tmp_path) == before
    trained = tmp_path.glob("pod-*/.lrtransfer/jobs/results/runs/*/run.parquet")
    names = [path.parent.name for path in trained]
    assert len(names) > 4 and {names.count(Path(run).stem) for run in runs[1:]} <= {1, 2}


def content(store: Store, run: str) -> bytes:
    found = store.client.get_object(Bucket=BUCKET, Key=f"study/results/runs/{run}")["Body"].read()
    assert isinstance(found, bytes)
    return found


def losses(content: bytes, folder: Path) -> list[float | None]:
    """Return the losses that a run's file of this content holds."""
    (folder / "run.parquet").write_bytes(content)
    found: list[float | None] = pq.read_table(folder / "run.parquet")["loss"].to_pylist()
    return found


def workflow(provider: object) -> SimpleNamespace:
    return SimpleNamespace(
        storage_registry=SimpleNamespace(default_storage_provider=provider),
        storage_settings=SimpleNamespace(default_storage_prefix="s3://bucket/some/place/"),
    )


class Provider:
    """Snakemake's, as far as it is asked."""

    def object(self, query: str) -> SimpleNamespace:
        place = Path(".snakemake/storage/s3") / query.removeprefix("s3://")
        return SimpleNamespace(local_path=lambda: place)


def test_snakemake_s_copies_are_the_folder_s_own_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    be_its_copies(workflow(None))
    assert not list(tmp_path.iterdir())
    for _ in range(2):  # a second start finds its link
        be_its_copies(workflow(Provider()))
    (tmp_path / ".snakemake/storage/s3/bucket/some/place/results").mkdir()
    assert (tmp_path / "results").is_dir()


def test_copies_of_before_are_not_covered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".snakemake/storage/s3/bucket/some/place").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"some/place holds copies of an earlier start\. Remove"):
        be_its_copies(workflow(Provider()))
