"""A half cosine to a quarter of the peak: a preset of the cosine."""

from __future__ import annotations

from functools import partial

from lrtransfer.optim.schedules.cosine import cosine

SCHEDULE = partial(cosine, final=0.25)
