"""A project whose study goes through a cluster's profile, with the waits of a test."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from lrtransfer.study.storage.run_file import read_run
from tests.study.workflow.project import Project

_WAITS = {
    "latency-wait: 60": "latency-wait: 10",
    "status-checks: 10": "status-checks: 2",
    "mem_mb: 1000": "mem_mb: 500",
}


class OnCluster(Project):
    """A project that submits its jobs."""

    stand_ins = ()

    def __init__(self, project: Project, profile: str = "slurm") -> None:
        super().__init__(project.root)
        self.profile = f"profiles/{profile}"
        config = self.root / self.profile / "config.yaml"
        text = config.read_text(encoding="utf-8")
        for long, short in _WAITS.items():
            text = text.replace(long, short)
        config.write_text(text, encoding="utf-8")

    @property
    def environment(self) -> dict[str, str]:
        """Variables for commands, with the profile."""
        return {**super().environment, "SNAKEMAKE_PROFILE": self.profile}

    @contextlib.contextmanager
    def studying(self, *targets: str) -> Iterator[subprocess.Popen[str]]:
        """Run the study beside the block; afterwards it is killed if it still runs."""
        head = self.start("lrtransfer", "workflow", *targets)
        try:
            yield head
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(head.pid, signal.SIGKILL)
            head.wait()

    def training(self) -> list[str]:
        """Return the keys of the runs that are being trained or were begun."""
        return [path.parent.name for path in self.root.glob(".lrtransfer/jobs/*/runs/*/lock")]

    def saved(self) -> list[Path]:
        """Return the states of runs that were interrupted or are under way."""
        return list(self.root.glob(".lrtransfer/jobs/*/runs/*/state.safetensors"))

    def head_log(self) -> str:
        """Return what Snakemake said."""
        logs = sorted((self.root / ".snakemake/log").glob("*.log"))
        return "\n".join(log.read_text() for log in logs)


def assert_same_runs(first: Project, second: Project) -> None:
    """Compare two projects run by run, number by number."""
    names = [path.name for path in first.run_files()]
    assert names == [path.name for path in second.run_files()]
    for name in names:
        one, about = read_run(first.root / "results/runs" / name, Path(name).stem)
        two, other = read_run(second.root / "results/runs" / name, Path(name).stem)
        assert one.equals(two), f"run {name} differs"
        assert json.dumps(about["config"]) == json.dumps(other["config"])
