"""One GPU for each job on a machine with several: Snakemake counts GPUs but numbers none."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from lrtransfer.study.storage.locks import LockHeldError, locked

_SLOTS = Path(tempfile.gettempdir()) / f"lrtransfer-gpus-{os.getuid()}"


@contextmanager
def gpu_of_its_own(device: torch.device, slots: Path = _SLOTS) -> Iterator[torch.device]:
    """Yield a GPU that no other job of this user on this machine holds, within the block.

    Yields ``device`` itself where it is no GPU, is numbered, is the only visible one (a cluster
    shows a job its own), or where all are taken: more jobs than GPUs share them.
    """
    count = torch.cuda.device_count() if device.type == "cuda" and device.index is None else 0
    for number in range(count if count > 1 else 0):
        try:
            with locked(slots / str(number), f"process {os.getpid()}"):
                yield torch.device("cuda", number)
                return
        except LockHeldError as error:
            if error.path != slots / str(number):
                raise
    yield device
