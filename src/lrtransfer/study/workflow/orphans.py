"""Jobs that a killed Snakemake left on a Slurm cluster, cancelled before new ones are submitted.

Snakemake does not know them any more and would submit their work a second time. Cancelled, they
save their state, and the new jobs go on from it.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from lrtransfer.study.storage.locks import LockHeldError, acquire
from lrtransfer.study.storage.paths import STUDY_LOCK

# Both cluster profiles begin the names of their jobs so.
JOB_NAME = "lrtransfer"
_WAIT_SECONDS = 60.0
_POLL_SECONDS = 1.0
# Set by lrtransfer.study.workflow.entry, whose lock Snakemake inherits.
_LOCK_VARIABLE = "LRTRANSFER_LOCK"
_held: list[IO[str]] = []


def cancel_orphans(wait_seconds: float = _WAIT_SECONDS) -> list[str]:
    """Cancel this folder's jobs of an earlier Snakemake, wait for their end, return their numbers.

    While another study runs in this folder, they are its own, and nothing is cancelled. A job whose
    node does not answer may outlast the wait: its runs stay locked, and a new job for them fails
    and is tried again.
    """
    orphans = _jobs()
    if not orphans or not _alone():
        return []
    print(f"cancelling jobs that were left behind: {' '.join(orphans)}", file=sys.stderr)
    subprocess.run(["scancel", *orphans], check=False)  # noqa: S607
    deadline = time.monotonic() + wait_seconds
    while (left := _jobs()) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    if left:
        print(f"warning: jobs {' '.join(left)} have not ended yet", file=sys.stderr)
    return orphans


def _alone() -> bool:
    """Return whether this folder's lock is ours: from ``lrtransfer workflow``, or taken here."""
    if _LOCK_VARIABLE in os.environ:
        return True
    try:
        # Kept open: the lock is let go when this process ends.
        _held.append(acquire(STUDY_LOCK, f"process {os.getpid()} on {platform.node()}"))
    except LockHeldError as error:
        print(f"jobs in the queue belong to another study: {error}", file=sys.stderr)
        return False
    return True


def _jobs() -> list[str]:
    """Return the numbers of the user's other jobs that belong to this folder."""
    squeue = shutil.which("squeue")
    if squeue is None:
        return []
    command = [squeue, "--me", "--noheader", "--format=%i|%j|%Z"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (subprocess.SubprocessError, OSError):
        # No controller answers: nothing of ours can be asked for, or run, through it.
        return []
    found = []
    for line in listed.stdout.splitlines():
        number, name, folder = line.split("|", 2)
        ours = name.startswith(JOB_NAME) and Path(folder).resolve() == Path.cwd().resolve()
        # A Snakemake that runs in a job itself is not its own orphan.
        if ours and number != os.environ.get("SLURM_JOB_ID"):
            found.append(number)
    return found
