"""Where a job computes."""

from __future__ import annotations

import os
import platform
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from lrtransfer.study.storage.locks import LockHeldError, locked

_SLOTS = Path(tempfile.gettempdir()) / f"lrtransfer-gpus-{os.getuid()}"


def choose_device(wanted: str) -> torch.device:
    """Return the device for `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:N`.

    Raises:
        RuntimeError: A GPU is asked for and there is none.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise RuntimeError(f"device is {wanted!r}, but torch sees no GPU. Give auto or cpu.")
    return torch.device(wanted)


def processor(device: torch.device) -> str:
    """Return the family of what computes there, on which the last digits of a result depend.

    A GPU's name, or the machine and the vector instructions that torch uses: `x86_64-avx512`.
    """
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"{platform.machine()}-{torch.backends.cpu.get_cpu_capability().lower()}"


@contextmanager
def gpu_of_its_own(device: torch.device, slots: Path = _SLOTS) -> Iterator[torch.device]:
    """Yield a GPU that no other job of this user on this machine holds, within the block.

    Snakemake counts the GPUs of a machine with several, but numbers none. Yields `device` itself
    where it is no GPU, is numbered, is the only visible one (a cluster shows a job its own), or
    where all are taken: more jobs than GPUs share them.
    """
    count = torch.cuda.device_count() if device.type == "cuda" and device.index is None else 0
    if count > 1:
        _own_folder(slots)
    for number in range(count if count > 1 else 0):
        try:
            with locked(slots / str(number), f"process {os.getpid()}"):
                yield torch.device("cuda", number)
                return
        except LockHeldError as error:
            if error.path != slots / str(number):
                raise
    yield device


def _own_folder(folder: Path) -> None:
    """Make `folder` for this user alone; its parent is a place where anyone may write.

    Raises:
        RuntimeError: It is another user's, or no folder.
    """
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise RuntimeError(
            f"{folder} is not this user's own folder, so jobs cannot share out the GPUs by locks "
            "in it. Set TMPDIR to a folder of your own."
        )
    folder.chmod(0o700)
