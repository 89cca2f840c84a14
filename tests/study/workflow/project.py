"""A throw-away project with a tiny grid: two sweeps of two runs, a second or so of training."""

from __future__ import annotations

import compileall
import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
EXPERIMENT = "width_transfer_vision"
_COPIED = ("Snakefile", "dvc.yaml", ".dvcignore", ".gitignore", "pyproject.toml", "README.md")
_BIN = Path(sys.executable).parent
# Seconds: for a whole study under `dvc repro` on cores that others use too; only a hang is longer.
_PATIENCE = 900

TINY: dict[str, Any] = {
    "question": "Does the best learning rate stay put as a network gets wider?",
    "paper": "super-consistency",
    "group": "core",
    "figures": ["spectral_density"],
    "dataset": "mnist5k",
    "model": {"residual_mlp": {"skip": 1.0, "activation": "relu"}},
    "loss": "cross_entropy",
    "optimizer": "sgd",
    "schedule": "constant",
    "constants": {"branch_exponent": 0.5},
    "arms": {
        "mup": {"label": "μP", "parameterization": "mup", "lr": [0.5, 1.0], "measured_at": 1.0}
    },
    "widths": [8, 16],
    "depths": [1],
    "seeds": [0],
    "steps": 6,
    "batch_size": 16,
    "loss_window": 2,
    "measure": {
        "probes": ["subset_loss", "sharpness"],
        "samples": 16,
        "points": 3,
        "spacing": "linear",
    },
    "spectra": {
        "seeds": [0],
        "steps": [6],
        "samples": 16,
        "top": 2,
        "density": {"probes": 1, "steps": 3},
    },
    "scales": {"smoke": {}},
}


CLAIMS = """super-consistency:
  mup_optimum_stays:
    says: Under μP the optimal learning rate does not depend on width
    source: Fig. 1
    experiments: [width_transfer_vision]
    figure: spectral_density
    measure: {drift: {arm: mup}}
    rule: {within: [-0.1, 0.1]}
"""


def tiny_params() -> dict[str, Any]:
    """Return the real params.yaml with one tiny experiment, the same at two scales."""
    params: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params |= {"include": [], "defaults": {}, "study": {EXPERIMENT: copy.deepcopy(TINY)}}
    params["data"] = {"mnist5k": params["data"]["mnist5k"]}
    return params


class Project:
    """A folder with the project's own workflow, its own copy of the source, and a tiny study.

    Attributes:
        stand_ins: Folders of programs that take the place of the machine's.
    """

    stand_ins: tuple[str, ...] = (str(Path(__file__).with_name("stand_ins")),)

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def create(cls, root: Path) -> Project:
        """Copy workflow and source, and write the tiny params.yaml and its claims."""
        root.mkdir(parents=True)
        for name in _COPIED:
            shutil.copy2(ROOT / name, root / name)
        # Compiled once, for all processes of all copies: they write none themselves.
        compileall.compile_dir(ROOT / "src", quiet=1)
        ignore = shutil.ignore_patterns("*.egg-info")
        for name in ("workflow", "profiles", "experiments", "src"):
            shutil.copytree(ROOT / name, root / name, ignore=ignore)
        project = cls(root)
        project.write_params(tiny_params())
        project.write_claims(CLAIMS)
        return project

    def duplicate(self, root: Path) -> Project:
        """Return a copy with the same time stamps and hard links."""
        subprocess.run(["cp", "-a", self.root, root], check=True)
        return Project(root)

    def with_data_alone(self, root: Path) -> Project:
        """Return a copy that has nothing but its data."""
        made = self.duplicate(root)
        made.run("rm", "-rf", "results", ".lrtransfer", ".snakemake", "logs")
        return made

    def write_params(self, params: dict[str, Any]) -> None:
        """Replace params.yaml."""
        text = yaml.safe_dump(params, sort_keys=False)
        (self.root / "params.yaml").write_text(text, encoding="utf-8")

    def write_claims(self, text: str) -> None:
        """Replace claims.yaml."""
        (self.root / "claims.yaml").write_text(text, encoding="utf-8")

    def change(self, edit: Callable[[dict[str, Any]], None]) -> None:
        """Edit the experiment in place."""
        path = self.root / "params.yaml"
        params = yaml.safe_load(path.read_text(encoding="utf-8"))
        edit(params["study"][EXPERIMENT])
        self.write_params(params)

    def edit_source(self, file: str, old: str, new: str) -> None:
        """Replace text in a file of the project's own copy of the package."""
        path = self.root / "src" / "lrtransfer" / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} lacks {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    @property
    def environment(self) -> dict[str, str]:
        """Variables for commands: this project's source and interpreter come first."""
        return {
            **os.environ,
            "PATH": os.pathsep.join([str(_BIN), *self.stand_ins, os.environ["PATH"]]),
            "PYTHONPATH": str(self.root / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": "test",
            "GIT_AUTHOR_EMAIL": "test@example.org",
            "GIT_COMMITTER_NAME": "test",
            "GIT_COMMITTER_EMAIL": "test@example.org",
        }

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the project and return it with stdout and stderr joined."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} -> {done.returncode}\n{done.stdout}")
        return done

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command in the project, in a process group of its own."""
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def study(self, *targets: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the study's entry point."""
        return self.run("lrtransfer", "workflow", *(targets or ("all",)), check=check)

    def planned_jobs(self, *options: str) -> dict[str, int]:
        """Return rule -> number of jobs that a dry run of Snakemake wants, without `all`."""
        output = self.run("snakemake", "-n", "--quiet", "rules", *options).stdout
        jobs = {}
        for line in output.splitlines():
            parts = line.split()
            if len(parts) == 2 and parts[1].isdigit() and parts[0] not in {"total", "all"}:
                jobs[parts[0]] = int(parts[1])
        return jobs

    def trained(self) -> list[str]:
        """Return the keys of all runs trained in this folder, in order."""
        journal = self.root / ".lrtransfer" / "jobs" / "results" / "journal.jsonl"
        if not journal.exists():
            return []
        return [json.loads(line)["key"] for line in journal.read_text().splitlines()]

    def run_files(self) -> list[Path]:
        """Return the published run files."""
        return sorted((self.root / "results" / "runs").glob("*.parquet"))

    def commit(self, message: str) -> None:
        """Commit everything that git does not ignore."""
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", message)
