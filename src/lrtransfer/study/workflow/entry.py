"""The one way into the study for ``make study`` and ``dvc repro``: lock, heal, then Snakemake."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from lrtransfer.study.plan import Plan
from lrtransfer.study.storage.locks import acquire
from lrtransfer.study.storage.paths import STUDY_LOCK, Layout
from lrtransfer.study.workflow.safeguard import check_results, set_aside

# Snakemake's own variable: the profile of a cluster.
_PROFILE = "SNAKEMAKE_PROFILE"


def run_snakemake(
    plan: Plan, layout: Layout, targets: list[str], cores: int, overrides: dict[str, str]
) -> None:
    """Replace this process by Snakemake; the lock stays held until that ends.

    Damaged results are named and set aside first, so that they are made anew. Being the only
    holder of the lock, we may clear what a killed Snakemake left behind.

    Args:
        plan: What the study asks for.
        layout: Where its files lie.
        targets: Rules or files to make.
        cores: How many cores may be used on this machine.
        overrides: ``scale`` and ``experiments`` where they differ from params.yaml.

    Raises:
        LockHeldError: Another study runs in this folder.
    """
    about = (
        f"process {os.getpid()} on {platform.node()}, started {time.strftime('%Y-%m-%d %H:%M:%S')}"
    )
    lock = acquire(STUDY_LOCK, about, inheritable=True)
    for error in check_results(plan, layout).damaged:
        kept = set_aside(error)
        print(f"warning: {error} Set aside as {kept}.", file=sys.stderr, flush=True)
    snakemake = [sys.executable, "-m", "snakemake"]
    if any(Path(".snakemake/locks").glob("*")):
        subprocess.run([*snakemake, "--unlock", "--quiet", "all"], check=True)
    command = [*snakemake, "--cores", str(cores), "--rerun-incomplete"]
    if overrides:
        # On the command line `--config` replaces a profile's, so that is repeated.
        settings = {**_profile_settings(), **overrides}
        command += ["--config", *(f"{name}={value}" for name, value in settings.items())]
    environment = {**os.environ, "LRTRANSFER_LOCK": str(lock.fileno())}
    os.execve(sys.executable, [*command, "--", *targets], environment)


def _profile_settings() -> dict[str, Any]:
    """Return ``config:`` of the profile that the environment names.

    Raises:
        FileNotFoundError: It is no folder that can be read from here.
    """
    if not os.environ.get(_PROFILE):
        return {}
    profile = Path(os.environ[_PROFILE]) / "config.yaml"
    if not profile.is_file():
        raise FileNotFoundError(
            f"{_PROFILE} is {os.environ[_PROFILE]!r}, but there is no {profile}. Give the path of "
            "the profile's folder, as in profiles/slurm."
        )
    settings = yaml.safe_load(profile.read_text(encoding="utf-8")).get("config") or {}
    if isinstance(settings, list):
        return dict(setting.split("=", 1) for setting in settings)
    return dict(settings)
