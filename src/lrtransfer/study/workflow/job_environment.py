"""What jobs inherit from the process that starts them: interpreter, scale and experiments."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from lrtransfer.study.storage.starter import announce_starter

_PREFIX = "LRTRANSFER_"
OVERRIDES = ("scale", "experiments")


def prepare_environment(overrides: Mapping[str, str]) -> None:
    """Set the variables of jobs that this process starts, and name it as their starter.

    The interpreter that runs Snakemake comes first in PATH, also where nothing was activated.

    Args:
        overrides: ``scale`` and ``experiments`` where they differ from params.yaml.
    """
    announce_starter()
    # The profile is for the Snakemake that submits jobs, not for the one inside a job.
    os.environ.pop("SNAKEMAKE_PROFILE", None)
    folder = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if path[0] != folder:
        os.environ["PATH"] = os.pathsep.join([folder, *path])
    for name in OVERRIDES:
        if name in overrides:
            os.environ[_PREFIX + name.upper()] = overrides[name]
        else:
            os.environ.pop(_PREFIX + name.upper(), None)


def override(name: str) -> str | None:
    """Return what the starting process chose instead of params.yaml's ``name``, if anything."""
    return os.environ.get(_PREFIX + name.upper()) or None
