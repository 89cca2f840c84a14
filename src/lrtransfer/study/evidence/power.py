"""What run would decide a claim, and how likely a run is to decide it.

An interval has parts. With S seeds a variance goes like 1/S, and every seed brings it as many
degrees of freedom as each of the present ones has brought; where the effect is a slope over sizes,
n sizes an octave apart shrink its variance and its systematic error like 1/(n (n² − 1)). No seed
lessens a systematic error: where it alone keeps the interval from deciding, the sentence says so.

`needed` takes the estimate to stay where it is, so that about every second study of the size it
names is decided; `decides` and `registered_power` let it scatter about a truth, as the next study's
will.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy import special

from lrtransfer.study.plan.measures import Kind
from lrtransfer.transfer.estimate import LEAST_OBSERVATIONS, Estimate, Part, squared, welch
from lrtransfer.transfer.rules import Above, Below, Rule, Within, verdict

MOST_SEEDS = 50
MOST_SIZES = 12

_MOST_TIMES_ARMS = 10.0
_WIDER = "a wider learning-rate grid: an optimum lies at its edge"
# Quantiles of the estimated scatter over which a probability is summed.
_SPREADS = 41
_LEAST = 1e-300


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
    effect: Estimate | None,
    kind: Kind,
    *,
    seeds: int,
    sizes: int,
    confidence: float,
) -> Power:
    """Return what would decide a claim.

    Args:
        rule: of the claim.
        effect: its estimate; None where nothing was measured.
        kind: of its measure; sizes help a `slope`, and seeds do not help a statistic over `arms`.
        seeds: seeds of each sweep now.
        sizes: sizes swept now.
        confidence: of the interval, e.g. 0.95.
    """
    few = seeds < LEAST_OBSERVATIONS and kind != "arms"
    if effect is None or (math.isnan(effect.value) and not few):
        return Power(None, None, "nothing was measured: train the runs that it is judged on")
    if few and effect.obstacle and not effect.exact:
        text = f"at least {LEAST_OBSERVATIONS} seeds: {effect.obstacle}"
        return Power(LEAST_OBSERVATIONS, None, text)
    if effect.verdict(rule, confidence) != "inconclusive":
        return Power(None, None, "decided")
    is_open = effect.open_low or effect.open_high
    hindrance = _WIDER if is_open else effect.obstacle
    if hindrance:
        return Power(None, None, hindrance)
    if kind == "arms":
        return Power(None, None, _more_arms(rule, effect, confidence))

    def would(more: Estimate) -> bool:
        return more.verdict(rule, confidence) != "inconclusive"

    counts = range(seeds + 1, MOST_SEEDS + 1)
    more_seeds = next((n for n in counts if would(with_seeds(effect, seeds, n))), None)
    counts = range(max(sizes, 1) + 1, MOST_SIZES + 1) if kind == "slope" and sizes > 1 else range(0)
    more_sizes = next((n for n in counts if would(with_sizes(effect, sizes, n))), None)
    # Without its systematic part, would it be a matter of seeds?
    pure = with_seeds(replace(effect, systematic=0.0), seeds, MOST_SEEDS)
    stuck = more_seeds is None and effect.systematic > 0 and would(pure)
    return Power(more_seeds, more_sizes, _sentence(more_seeds, more_sizes, seeds, sizes, stuck))


def with_seeds(estimate: Estimate, seeds: int, more: int) -> Estimate:
    """Return an estimate as it would be from `more` seeds a sweep instead of `seeds`.

    Example:
        >>> from lrtransfer.study.evidence.power import with_seeds
        >>> from lrtransfer.transfer.estimate import of_seeds
        >>> with_seeds(of_seeds([1.0, 2.0, 3.0], range(3)), 3, 12).parts[0].df
        11.0
    """
    return replace(
        estimate,
        parts=tuple(
            Part(p.variance * seeds / more, p.df + (more - seeds) * (p.df + 1) / seeds)
            for p in estimate.parts
        ),
    )


def with_sizes(estimate: Estimate, sizes: int, more: int) -> Estimate:
    """Return a slope as it would be over `more` sizes an octave apart instead of `sizes`."""
    shrink = sizes * (sizes**2 - 1) / (more * (more**2 - 1))
    return replace(
        estimate,
        parts=tuple(
            Part(p.variance * shrink, p.df + (more - sizes) * (p.df + 1) / sizes)
            for p in estimate.parts
        ),
        systematic=estimate.systematic * math.sqrt(shrink),
    )


def registered_power(
    rule: Rule,
    truth: float,
    pilot: Estimate,
    kind: Kind,
    *,
    seeds: tuple[int, int],
    sizes: tuple[int, int],
    confidence: float = 0.95,
) -> float:
    """Return how likely a study is to decide `rule` where the effect is `truth`.

    Args:
        rule: of the claim.
        truth: the effect that is taken to be true, on the scale that the estimate shows.
        pilot: an estimate whose scatter the study's will be like.
        kind: of the measure; sizes count for a `slope` alone.
        seeds: of each sweep, of the pilot and of the study.
        sizes: likewise.
        confidence: of the study's intervals.

    Example:
        >>> from lrtransfer.study.evidence.power import registered_power
        >>> from lrtransfer.transfer.estimate import of_seeds
        >>> from lrtransfer.transfer.rules import Above
        >>> pilot = of_seeds([0.0, 1.0, 2.0], range(3))
        >>> asked = dict(pilot=pilot, kind="mean", sizes=(4, 4))
        >>> [round(registered_power(Above(0), 1.0, seeds=(3, n), **asked), 1) for n in (3, 12)]
        [0.2, 0.9]
    """
    study = with_seeds(pilot, *seeds)
    return decides(rule, truth, with_sizes(study, *sizes) if kind == "slope" else study, confidence)


def decides(rule: Rule, truth: float, study: Estimate, confidence: float) -> float:
    """Return how likely an estimate of these parts is to decide `rule` where `truth` is true.

    Its value is normal about the truth, the systematic error included; each variance is estimated
    with its degrees of freedom, all parts together as Welch and Satterthwaite have it.

    Args:
        rule: of the claim.
        truth: the true value.
        study: whose parts, systematic part and scale count.
        confidence: of the interval.

    Raises:
        ValueError: the estimate is a correlation or a share.
    """
    if study.scale not in ("linear", "root"):
        raise ValueError(f"the scale is {study.scale}: the power of linear and root is known alone")
    if study.obstacle and not math.isnan(study.value):
        return 0.0
    own = welch(*study.parts)
    levels = (np.arange(_SPREADS) + 0.5) / _SPREADS
    finite = math.isfinite(own.df)
    # Quantiles of χ² over its degrees of freedom; scipy.stats takes a second to import.
    factors = special.gammaincinv(own.df / 2, levels) * 2 / own.df if finite else np.ones(1)
    scatter = max(math.hypot(math.sqrt(own.variance), study.systematic), _LEAST)
    centre, low, high = (
        squared(x) if study.scale == "root" else x for x in (truth, *_limits(rule))
    )
    found = []
    for factor in factors:
        parts = tuple(Part(p.variance * float(factor), p.df) for p in study.parts)
        half = replace(study, value=0.0, parts=parts).half_width(1 - confidence)
        below = math.inf if study.open_low else half
        above = math.inf if study.open_high else half
        # Holds where value − below ≥ low and value + above ≤ high; fails where all lies outside.
        starts = -math.inf if math.isinf(low) else low + below
        ends = math.inf if math.isinf(high) else high - above
        ranks = ((x - centre) / scatter for x in (starts, ends, low - above, high + below))
        start, end, under, over = special.ndtr(list(ranks))
        found.append(max(end - start, 0.0) + under + (1 - over))
    return float(np.mean(found))


def detectable(rule: Rule, study: Estimate, confidence: float, power: float = 0.8) -> float:
    """Return the distance from the rule's threshold at which a study decides it so likely.

    Args:
        rule: of the claim.
        study: whose parts, systematic part and scale count.
        confidence: of the interval.
        power: wished for.

    Returns:
        The distance, on the scale that the estimate shows, into the outside of `Within`; NaN where
        none up to 2²⁰ half widths does.

    Raises:
        ValueError: as `decides`.
    """
    low, high = _limits(rule)
    edge, outwards = (high, 1.0) if math.isfinite(high) else (low, -1.0)
    known = study.half_width(1 - confidence)
    unit = known if study.scale == "linear" else math.sqrt(known)
    if not unit > 0 or not math.isfinite(unit):
        return math.nan
    reach = unit / 8
    while decides(rule, edge + outwards * reach, study, confidence) < power:
        reach *= 2
        if reach > 2**20 * unit:
            return math.nan
    least = 0.0
    for _ in range(12):
        middle = (least + reach) / 2
        enough = decides(rule, edge + outwards * middle, study, confidence) >= power
        least, reach = (least, middle) if enough else (middle, reach)
    return reach


def _limits(rule: Rule) -> tuple[float, float]:
    """Return the ends of the region in which a rule holds."""
    if isinstance(rule, Within):
        return rule.low, rule.high
    if isinstance(rule, Above):
        return rule.threshold, math.inf
    if isinstance(rule, Below):
        return -math.inf, rule.threshold
    raise ValueError(f"the region of {rule} is not known")


def _more_arms(rule: Rule, effect: Estimate, confidence: float) -> str:
    """Return how many times as many arms would do; their number shrinks both half widths."""
    now = effect.interval(confidence)

    def decided(times: float) -> bool:
        low, high = ((limit - now.value) / math.sqrt(times) for limit in (now.low, now.high))
        limits = now._replace(low=now.value + low, high=now.value + high)
        return verdict(rule, limits) != "inconclusive"

    counts = np.arange(1.0, _MOST_TIMES_ARMS + 0.05, 0.1)
    times = next((float(n) for n in counts if decided(float(n))), None)
    if times is None:
        return f"too close to its threshold: more than {_MOST_TIMES_ARMS:g} times as many arms"
    return f"would be decided by about {times:.1f} times as many arms"


def _sentence(
    more_seeds: int | None, more_sizes: int | None, seeds: int, sizes: int, stuck: bool
) -> str:
    ways = []
    if more_seeds:
        ways.append(f"{more_seeds} seeds instead of {seeds}")
    if more_sizes:
        ways.append(f"{more_sizes} sizes instead of {sizes}")
    if stuck:
        ways.append("a finer learning-rate grid, no number of seeds")
    if ways:
        return "would be decided by " + ", or ".join(ways)
    return f"too close to its threshold: more than {MOST_SEEDS} seeds"
