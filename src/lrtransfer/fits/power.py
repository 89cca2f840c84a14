"""What it would take to decide a claim that an experiment left open."""

from __future__ import annotations

import math

from lrtransfer.fits.intervals import Interval
from lrtransfer.fits.rules import Rule, boundaries


def shortfall(rule: Rule, effect: Interval | None) -> str:
    """Return in words how much more data an inconclusive effect would need.

    An interval shrinks with the root of the number of seeds (Student's quantile falls besides, so
    this is an upper bound at few seeds). If the value stays, the claim is decided once half the
    interval is shorter than its distance to the nearest boundary of the rule's region.
    """
    if effect is None or not math.isfinite(effect.value):
        return "Nothing was measured that it could be judged by."
    if math.isinf(effect.low) or math.isinf(effect.high):
        return "The interval is open: an optimum lies at the grid's edge. Widen the learning rates."
    if not (math.isfinite(effect.low) and math.isfinite(effect.high)):
        return "There is no interval: train several seeds."
    distance = min(abs(effect.value - boundary) for boundary in boundaries(rule))
    half = (effect.high - effect.low) / 2
    if not distance > 0.01 * half:
        return "The value lies at the rule's boundary: no number of seeds is likely to decide it."
    times = (half / distance) ** 2
    return f"About {math.ceil(times)} times as many seeds would decide it, if the value stays."
