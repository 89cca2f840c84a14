"""The predictor's table: its laws, its forecasts, and the largest size of every arm held out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from lrtransfer.transfer.estimate import Estimate
from lrtransfer.transfer.intervals import Interval
from lrtransfer.transfer.optimum import optima
from lrtransfer.transfer.predict import PredictionRefused, excess_loss, known_law, predict, reach
from lrtransfer.transfer.rules import Within, verdict
from lrtransfer.transfer.sweeps import Sweep, groups_of

COLUMNS = [
    "arm",
    "axis",
    "fixed",
    "size",
    "n_fitted",
    "predicted",
    "ci_low",
    "ci_high",
    "measured",
    "covered",
    "regret_high",
    "regret",
    "regret_covered",
    "losses",
    "refused",
]
FORECAST_COLUMNS = [
    "arm",
    "axis",
    "fixed",
    "size",
    "log2_lr",
    "ci_low",
    "ci_high",
    "regret",
    "regret_high",
    "keeping",
    "one_more",
    "one_more_half_width",
    "refused",
]
LAW_COLUMNS = [
    "arm",
    "axis",
    "fixed",
    "slope",
    "ci_low",
    "ci_high",
    "rms",
    "n_sizes",
    "refused",
]

#: The rule of `predict_covers_held_out`, fixed before the first hold-out was looked at.
RULE = Within(0.85, 1.0)


def forecasts(sweeps: list[Sweep], confidence: float) -> pd.DataFrame:
    """Return the rows of all three kinds, told apart by the column `kind`.

    Args:
        sweeps: of one experiment.
        confidence: of the predictions' intervals.

    Example:
        >>> from lrtransfer.transfer.held_out import forecasts
        >>> import numpy as np
        >>> from lrtransfer.transfer.sweeps import Sweep
        >>> grid = np.arange(-9.0, 0.0)  # log2 of the rate
        >>> losses = np.exp([(grid + 4 + seed) ** 2 / 20 for seed in (0.0, 0.1)])
        >>> def swept(width):
        ...     return Sweep("mup", {"width": width}, (0, 1), grid, losses, losses > 1e9)
        >>> swept = [swept(n) for n in (64, 128, 256)]
        >>> len(forecasts(swept, confidence=0.95))
        3
    """
    kinds = {
        "law": transfer_laws(sweeps, confidence),
        "held_out": held_out(sweeps, confidence),
        "forecast": forecast(sweeps, confidence),
    }
    rows = [
        {"kind": kind, **row} for kind, frame in kinds.items() for row in frame.to_dict("records")
    ]
    columns = dict.fromkeys(["kind", *LAW_COLUMNS, *COLUMNS, *FORECAST_COLUMNS])
    return pd.DataFrame(rows, columns=list(columns))


def held_out(sweeps: list[Sweep], confidence: float) -> pd.DataFrame:
    """Return one row per arm: its largest size, predicted from the others, and what was measured.

    `losses` is a digest of the arm's final losses: arms that share their runs share it, so that a
    count over experiments takes them once. `refused` says why an arm is not predicted.
    """
    return pd.DataFrame(
        [_held_out(group, confidence) for group in groups_of(sweeps)], columns=COLUMNS
    )


def _held_out(group: list[Sweep], confidence: float) -> dict[str, Any]:
    last = group[-1]
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {"arm": last.arm, "axis": last.axis, "fixed": last.fixed, "size": last.size}
    row |= {"n_fitted": len(group) - 1, "losses": _digest(group), "refused": ""}
    try:
        known_law(group)
        found = predict(group[:-1], last.size, confidence)
    except PredictionRefused as refused:
        return {**row, "refused": str(refused)}
    measured = optima(group)[-1].log2_rate
    interval = found.log2_rate.interval(confidence)
    row |= {
        "predicted": interval.value,
        "ci_low": interval.low,
        "ci_high": interval.high,
        "measured": measured.value,
        "covered": int(covers(found.log2_rate, measured, confidence)),
    }
    if any(sweep.signed for sweep in group):  # regrets here are shares of the loss
        return row
    off = np.array([found.log2_rate.value - measured.value])
    regret, beyond = excess_loss(last, measured.value, off)
    return row | {
        "regret_high": found.regret.high,
        "regret": float(regret[0]),
        "regret_covered": int(regret[0] <= found.regret.high and not beyond[0]),
    }


def covers(predicted: Estimate, measured: Estimate, confidence: float) -> bool:
    """Return whether a predicted optimum holds the one that a sweep found.

    That has an error of its own: both agree if their difference may be zero.
    """
    apart = replace(measured, systematic=0.0).minus(predicted).interval(confidence)
    return apart.low <= 0 <= apart.high


def transfer_laws(sweeps: list[Sweep], confidence: float) -> pd.DataFrame:
    """Return one row per arm: the power law's exponent (`slope`, octaves of rate per octave)."""
    rows = []
    for group in groups_of(sweeps):
        row: dict[str, Any] = dict.fromkeys(LAW_COLUMNS)
        row |= {"arm": group[0].arm, "axis": group[0].axis, "fixed": group[0].fixed}
        row |= {"n_sizes": len(group), "refused": ""}
        try:
            law = known_law(group)
        except PredictionRefused as refused:
            rows.append(row | {"refused": str(refused)})
            continue
        slope = law.drift.interval(confidence)
        limits = {"ci_low": slope.low, "ci_high": slope.high}
        rows.append(row | {"slope": slope.value, **limits, "rms": law.residual})
    return pd.DataFrame(rows, columns=LAW_COLUMNS)


def forecast(sweeps: list[Sweep], confidence: float) -> pd.DataFrame:
    """Return per arm the predictions one octave further and at the end of the reach."""
    rows = []
    for group in groups_of(sweeps):
        last = group[-1]
        furthest = int(last.size * 2 ** reach([s.size for s in group]))
        for size in dict.fromkeys((2 * last.size, max(furthest, 2 * last.size))):
            rows.append(_forecast(group, size, confidence))
    return pd.DataFrame(rows, columns=FORECAST_COLUMNS)


def _forecast(group: list[Sweep], size: int, confidence: float) -> dict[str, Any]:
    last = group[-1]
    row: dict[str, Any] = dict.fromkeys(FORECAST_COLUMNS)
    row |= {"arm": last.arm, "axis": last.axis, "fixed": last.fixed, "size": size, "refused": ""}
    try:
        found = predict(group, size, confidence)
    except PredictionRefused as refused:
        return {**row, "refused": str(refused)}
    interval = found.log2_rate.interval(confidence)
    row |= {
        "log2_lr": interval.value,
        "ci_low": interval.low,
        "ci_high": interval.high,
        "one_more": found.one_more.size,
        "one_more_half_width": found.one_more.half_width,
    }
    if not found.regret.is_share:
        return row
    return row | {
        "regret": found.regret.expected,
        "regret_high": found.regret.high,
        "keeping": found.keeping.expected,
    }


def coverage_record(
    tables: Iterable[pd.DataFrame], scale: str, confidence: float
) -> dict[str, Any]:
    """Return the ledger's record of the hold-outs of all experiments (`predict_covers_held_out`).

    Arms that share their runs count once; refused ones do not count. The interval of the share is
    Clopper and Pearson's. The record is about this program, not about a paper: it belongs to no
    family of claims and is not corrected for their number.

    Args:
        tables: `held_out` of each experiment.
        scale: e.g. "laptop".
        confidence: nominal coverage of the predictions, and of the share's interval.
    """
    every = pd.concat([t for t in tables if not t.empty] or [pd.DataFrame(columns=COLUMNS)])
    judged = every[every["covered"].notna()].drop_duplicates("losses")
    n, hits = len(judged), int(judged["covered"].astype(float).sum())
    share = share_interval(hits, n, confidence)
    known = n > 0
    return {
        "id": "predict_covers_held_out",
        "paper": "lrtransfer",
        "experiment": "all",
        "statement": (
            f"A {confidence:.0%} prediction from the smaller sizes holds the optimum that the "
            "largest size turns out to have"
        ),
        "measure": "coverage",
        "quantity": "",
        "metric": f"share of {n} distinct arms whose largest size, held out, was covered",
        "unit": "1",
        "value": share.value if known else None,
        "ci_low": share.low if known else None,
        "ci_high": share.high if known else None,
        "p_value": None,
        "rule": str(RULE),
        "verdict": verdict(RULE, share if known else None),
        "family": "lrtransfer",
        "obstacle": "",
        "power": _arms_needed(hits, n, confidence),
        "seeds_needed": None,
        "sizes_needed": None,
        "figure": "",
        "scale": scale,
        "fixed": "before",
    }


def _arms_needed(hits: int, n: int, confidence: float) -> str:
    """Return how many arms would decide the rule at the share found."""
    if n == 0:
        return "no size could be held out"
    for more in range(n, 2001):
        share = share_interval(round(more * hits / n), more, confidence)
        if verdict(RULE, share) != "inconclusive":
            return "decided" if more == n else f"would be decided by {more} arms instead of {n}"
    return "too close to its threshold: more than 2000 arms"


def share_interval(hits: int, n: int, confidence: float) -> Interval:
    """Return a share with the exact binomial interval of Clopper and Pearson (1934).

    Example:
        >>> from lrtransfer.transfer.held_out import share_interval
        >>> [round(x, 2) for x in share_interval(19, 20, confidence=0.95)]
        [0.95, 0.75, 1.0]
    """
    if n == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    tail = (1 - confidence) / 2
    low = float(special.betaincinv(hits, n - hits + 1, tail)) if hits else 0.0
    high = float(special.betaincinv(hits + 1, n - hits, 1 - tail)) if hits < n else 1.0
    return Interval(hits / n, low, high)


def _digest(group: list[Sweep]) -> str:
    content = hashlib.sha256()
    for sweep in group:
        content.update(str(sweep.size).encode())
        content.update(sweep.log2_rate.tobytes() + sweep.loss.tobytes())
    return content.hexdigest()[:16]
