"""Enter by `prepare.prepare`: named data sets -> prepared arrays with pinned checksums.

A data set is the file `data/<source>.py` with a class named by `DATASET`; its keyword arguments
are the options that params.yaml may set. Preparation uses no torch.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

Arrays = dict[str, np.ndarray[Any, Any]]


class Source(Protocol):
    """Where raw bytes come from, and how they become arrays.

    Attributes:
        sizes: Numbers per sample, and number of outputs a network needs; known before any data.
    """

    sizes: tuple[int, int]

    def read(self) -> bytes:
        """Return the raw content whose sha256 params.yaml pins."""

    def arrays(self, raw: bytes) -> Arrays:
        """Return named arrays: `train_inputs` (n, …), `train_targets` (n,), `test_…`."""
