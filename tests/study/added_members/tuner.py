"""Well below the edge: a preset of CDAT."""

from __future__ import annotations

from functools import partial

from lrtransfer.optim.tuners.cdat import CDAT

PRICE = 3.0
TUNER = partial(CDAT, sigma=0.5, max_learning_rate=1.0)
