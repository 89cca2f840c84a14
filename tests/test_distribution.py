"""Sdist and wheel: built, checked, installed where nothing of this checkout is seen, and used.

The new environment sees the locked packages through a `.pth` file, and gets the wheel alone
installed: so it takes seconds, needs no network, and holds the versions of the lock.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.tiny import ROOT

pytestmark = [pytest.mark.process, pytest.mark.slow]

# All that a build reads: it is done in a copy, since it leaves files in its folder.
SOURCES = (
    "src",
    "workflow",
    "profiles",
    "Snakefile",
    ".dvcignore",
    "LICENSE",
    "MANIFEST.in",
    "README.md",
    "pyproject.toml",
    "setup.py",
)
SITE = Path(sysconfig.get_path("purelib"))


def call(*command: object, where: Path, **changed: str) -> str:
    """Return what a program prints in an environment that knows nothing of this checkout."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "LRTRANSFER"))}
    done = subprocess.run(
        list(map(str, command)), cwd=where, env=kept | changed, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an sdist, and of the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("built")
    copy = folder / "copy"
    copy.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, copy / name)
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, where=copy)
    shutil.rmtree(copy)
    return folder


@pytest.fixture(scope="module")
def programs(built: Path) -> Path:
    """Return the programs of a new environment into which the wheel is installed."""
    place = built / "environment"
    call(sys.executable, "-m", "venv", "--without-pip", place, where=built)
    own = next(place.glob("lib/python*/site-packages"))
    # Listed so, a folder's own .pth files are not read: an editable lrtransfer is not found there.
    (own / "locked.pth").write_text("\n".join(p for p in sys.path if p.endswith("site-packages")))
    (wheel,) = built.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", place / "bin/python"]
    call(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, where=built)
    return place / "bin"


def test_both_pass_the_check_of_the_index(built: Path) -> None:
    files = [*built.glob("*.whl"), *built.glob("*.tar.gz")]
    assert len(files) == 2
    told = call(sys.executable, "-m", "twine", "check", "--strict", *files, where=built)
    assert told.count("PASSED") == 2


def test_they_hold_the_package_and_the_rules_of_a_study(built: Path) -> None:
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as opened:
        held = set(opened.namelist())
    ours = {
        str(file.relative_to(ROOT / "src"))
        for file in (ROOT / "src").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and ".egg-info" not in str(file)
    }
    assert ours <= held
    shared = "lrtransfer/study/workflow/shared"
    assert {f"{shared}/Snakefile", f"{shared}/profiles/slurm/config.yaml"} <= held
    assert not [name for name in held if "tests/" in name or "__pycache__" in name]
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert {"Snakefile", "workflow/rules/train.smk", "src/lrtransfer/py.typed"} <= packed


def test_a_study_begins_from_the_wheel_alone(programs: Path, built: Path) -> None:
    run = programs / "lrtransfer"
    version = call(run, "--version", where=built).split()[-1]
    findings = json.loads(call(run, "doctor", "--json", where=built))
    (package,) = (one for one in findings if one["about"] == "lrtransfer")
    assert package["details"]["version"] == version
    assert Path(package["details"]["place"]).is_relative_to(programs.parent)

    call(run, "init", "mine", where=built)
    told = call(run, "check", where=built / "mine", OMP_NUM_THREADS="1")
    assert "runs" in told
    # The rules that Snakemake reads are those of the wheel.
    snakemake = (programs / "python", "-m", "snakemake", "-n", "--quiet", "rules", "--cores", "1")
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    assert "train" in call(*snakemake, where=built / "mine", PATH=path)
