"""Where a job computes."""

from __future__ import annotations

import torch


def choose_device(wanted: str) -> torch.device:
    """Return the device for ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        RuntimeError: A GPU is asked for and there is none.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise RuntimeError(f"device is {wanted!r}, but torch sees no GPU. Give auto or cpu.")
    return torch.device(wanted)
