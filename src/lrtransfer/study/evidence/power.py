"""What run would decide a claim that is inconclusive, from the present scatter.

The estimate is taken to stay where it is. Its interval must then shrink until it clears the
nearest threshold. With S seeds its half width goes like t / √S (Student's t at the degrees of
freedom that S seeds give); where the effect is a slope over sizes, n sizes an octave apart shrink
it like 1 / √(n (n² − 1)). Part of an optimum's interval is the grid's, which more seeds do not
shrink (`lrtransfer.transfer.valley`): the counts are lower limits there. An estimate close to its
threshold needs more than `MOST_SEEDS`: then no affordable number of seeds decides, and the sentence
says so.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from lrtransfer.study.evidence.measure import Kind
from lrtransfer.transfer.intervals import Interval, t_quantile
from lrtransfer.transfer.rules import Rule, verdict

MOST_SEEDS = 50
MOST_SIZES = 12

_MOST_TIMES_ARMS = 10.0


class Power(NamedTuple):
    """What would decide a claim.

    Attributes:
        seeds: seeds per sweep in all; None where none are needed or none suffice.
        sizes: sizes in all, an octave apart; None likewise, or where sizes do not help.
        text: the same as a sentence.
    """

    seeds: int | None
    sizes: int | None
    text: str


def needed(
    rule: Rule,
    effect: Interval | None,
    kind: Kind,
    *,
    seeds: int,
    sizes: int,
    confidence: float,
) -> Power:
    """Return what would decide a claim.

    Args:
        rule: of the claim.
        effect: its interval at `confidence`.
        kind: of its measure; sizes help a `slope`, and seeds do not help a statistic over `arms`.
        seeds: seeds of each sweep now.
        sizes: sizes swept now.
        confidence: of the interval, e.g. 0.95.
    """
    if verdict(rule, effect) != "inconclusive":
        return Power(None, None, "decided")
    if effect is None or math.isnan(effect.value):
        return Power(None, None, "nothing was measured: train the runs that it is judged on")
    if math.isnan(effect.low) or math.isnan(effect.high):
        return Power(2, None, "a second seed: one seed has no scatter")
    if math.isinf(effect.low) or math.isinf(effect.high):
        return Power(None, None, "a wider learning-rate grid: an optimum lies at its edge")
    shrink = _shrink(rule, effect)
    if kind == "arms":
        return Power(None, None, _more_arms(shrink))
    more_seeds = _seeds(shrink, seeds, confidence)
    more_sizes = _sizes(shrink, sizes) if kind == "slope" else None
    return Power(more_seeds, more_sizes, _sentence(more_seeds, more_sizes, seeds, sizes))


def _shrink(rule: Rule, effect: Interval) -> float:
    """Return the largest factor on both half widths at which the interval decides; 0 if none."""

    def decides(factor: float) -> bool:
        low = effect.value - factor * (effect.value - effect.low)
        high = effect.value + factor * (effect.high - effect.value)
        return verdict(rule, Interval(effect.value, low, high)) != "inconclusive"

    if not decides(1e-6):
        return 0.0
    near, far = 1e-6, 1.0
    for _ in range(40):
        middle = (near + far) / 2
        near, far = (middle, far) if decides(middle) else (near, middle)
    return near


def _seeds(shrink: float, seeds: int, confidence: float) -> int | None:
    def width(count: int) -> float:
        return float(t_quantile(confidence, max(2 * (count - 1), 1))) / math.sqrt(count)

    start = width(max(seeds, 2))
    counts = range(seeds + 1, MOST_SEEDS + 1)
    return next((n for n in counts if width(n) / start <= shrink), None)


def _sizes(shrink: float, sizes: int) -> int | None:
    def width(count: int) -> float:
        return 1 / math.sqrt(count * (count**2 - 1))

    if sizes < 2:
        return None
    counts = range(sizes + 1, MOST_SIZES + 1)
    return next((n for n in counts if width(n) / width(sizes) <= shrink), None)


def _more_arms(shrink: float) -> str:
    times = 1 / shrink**2 if shrink else math.inf
    if times > _MOST_TIMES_ARMS:
        return f"too close to its threshold: more than {_MOST_TIMES_ARMS:g} times as many arms"
    return f"would be decided by about {times:.1f} times as many arms"


def _sentence(more_seeds: int | None, more_sizes: int | None, seeds: int, sizes: int) -> str:
    ways = []
    if more_seeds:
        ways.append(f"{more_seeds} seeds instead of {seeds}")
    if more_sizes:
        ways.append(f"{more_sizes} sizes instead of {sizes}")
    if ways:
        return "would be decided by " + ", or ".join(ways)
    return f"too close to its threshold: more than {MOST_SEEDS} seeds"
