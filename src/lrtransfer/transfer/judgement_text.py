"""A judgement in plain words, short enough to read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd

from lrtransfer.transfer.findings import Findings
from lrtransfer.transfer.sweeps import Sweep
from lrtransfer.transfer.wanted import at, wanted

_MOST_ARMS = 12
_WIDTH = 100


def text(judged: Findings, predictions: pd.DataFrame | None = None) -> str:
    """Return what a judgement says.

    Args:
        judged: of which to tell.
        predictions: what `Findings.predict` gave, told with its arm.
    """
    lines = [_runs(judged)]
    for arm in list(judged.groups)[:_MOST_ARMS]:
        lines += ["", f"{arm}:" if judged.roles.arm else "Result:"]
        told = [*_drifts(judged, arm), *_law(judged, arm), *_regret(judged, arm)]
        if predictions is not None:
            told += [_prediction(judged, row) for row in _rows(predictions, arm)]
        told += _effective(judged, arm)
        told += wanted(judged.groups[arm], judged.optima_of(arm), judged.axes_of(arm))
        lines += [_wrapped(line) for line in told]
    left = len(judged.groups) - _MOST_ARMS
    if left > 0:
        lines += ["", f"{left:,} more arms are in the tables."]
    if judged.swept.notes:
        lines += ["", "Of the table:", *(_wrapped(note) for note in judged.swept.notes)]
    return "\n".join(lines)


def _wrapped(line: str) -> str:
    return fill(line, _WIDTH, initial_indent="  - ", subsequent_indent="    ")


def _rows(frame: pd.DataFrame, arm: str) -> list[dict[str, Any]]:
    return [
        {str(k): v for k, v in row.items()} for row in frame[frame.arm == arm].to_dict("records")
    ]


def _runs(judged: Findings) -> str:
    sweeps = judged.swept.sweeps
    failed = judged.swept.failed
    parts = [_count(judged.swept.runs, "run")]
    if judged.roles.arm:
        parts.append(_count(len(judged.groups), "arm"))
    for axis in judged.roles.size:
        sizes = sorted({s.sizes[axis] for s in sweeps})
        span = f" ({sizes[0]:g} to {sizes[-1]:g})" if len(sizes) > 1 else f" ({sizes[0]:g})"
        parts.append(_count(len(sizes), "size") + f" of {axis}{span}")
    parts.append(_count(len(np.unique(np.concatenate([s.log2_rate for s in sweeps]))), "rate"))
    parts.append(_count(max(judged.swept.n_seeds), "seed"))
    line = ", ".join(parts) + (f"; {_count(failed, 'run')} diverged" if failed else "")
    return fill(line + f". Brackets are {100 * judged.confidence:g}% intervals.", _WIDTH)


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _drifts(judged: Findings, arm: str) -> Iterator[str]:
    for row in _rows(judged.drift, arm):
        axis, value, low, high = row["axis"], row["value"], row["ci_low"], row["ci_high"]
        if not math.isfinite(value):
            continue
        sizes = [s.sizes[axis] for s in judged.groups[arm] if s.has_optimum]
        span = math.log2(max(sizes) / min(sizes))
        amount = f"{value:+.2f} {bracket(low, high, '+.2f')} octaves per doubling of {axis}"
        if math.isinf(low) and math.isinf(high):
            yield f"Whether the best rate moves with {axis} cannot be told (see below)."
        elif math.isnan(low) or math.isnan(high):
            yield f"{amount}: how far that is off cannot be told from these runs."
        elif math.isnan(row["p_value"]):
            yield f"{amount}, of too few runs to decide anything."
        elif low > 0 or high < 0:
            way = "rises" if value > 0 else "falls"
            yield (
                f"The best rate {way} with {axis}: {amount}, a factor of "
                f"{2 ** (value * span):.3g} from {axis} {min(sizes):g} to {max(sizes):g}."
            )
        else:
            yield (
                f"No change of the best rate with {axis} is seen: {amount}, so from {axis} "
                f"{min(sizes):g} to {max(sizes):g} {_at_most(low * span, high * span)}."
            )


def _at_most(low: float, high: float) -> str:
    most = max(-low, high)
    if math.isinf(most):
        return "a change of any size is possible (see below)"
    return f"it changes by a factor of {2**most:.3g} at most"


def bracket(low: float, high: float, form: str) -> str:
    """Write an interval: an infinite end is open."""
    if math.isnan(low) or math.isnan(high):
        return "[unknown]"
    ends = ("open" if math.isinf(v) else format(v, form) for v in (low, high))
    return "[{}, {}]".format(*ends)


def _law(judged: Findings, arm: str) -> Iterator[str]:
    rows = {row["term"]: row["value"] for row in _rows(judged.laws, arm)}
    terms = {a: v for a, v in rows.items() if a != "constant" and math.isfinite(v)}
    known = sum(optimum.side == "inside" for optimum in judged.optima_of(arm)) > 1
    if terms and known and abs(rows["constant"]) < 1000:
        powers = "".join(f" · {axis}^{value:.2f}" for axis, value in terms.items())
        yield f"Law: best rate = {2 ** rows['constant']:.3g}{powers}."


def _regret(judged: Findings, arm: str) -> Iterator[str]:
    """Tell the regret at the largest size."""
    group = judged.groups[arm]
    largest = max(range(len(group)), key=lambda i: tuple(group[i].sizes.values()))
    source = judged.reference_of(arm)
    row = _rows(judged.regret[judged.regret.arm == arm], arm)
    mine = next((r for r in row if _is_at(r, group[largest])), None)
    if source is None or source is group[largest] or mine is None or math.isnan(mine["value"]):
        return
    value, low, high = mine["value"], mine["ci_low"], mine["ci_high"]
    if math.isinf(low) and math.isinf(high):
        return
    yield (
        f"At {at(group[largest])} the best rate of {at(source)} costs {value:.3g} "
        f"{bracket(low, high, '.3g')} of {judged.roles.loss}."
    )


def _is_at(row: dict[str, Any], sweep: Sweep) -> bool:
    return all(row[axis] == size for axis, size in sweep.sizes.items())


def _effective(judged: Findings, arm: str) -> Iterator[str]:
    """Tell the drift of the effective rate, and which of both abscissae predicts."""
    if judged.effective is None:
        return
    for row in _rows(judged.effective.drift, arm):
        if math.isfinite(row["value"]):
            limits = bracket(row["ci_low"], row["ci_high"], "+.2f")
            yield (
                f"Over the effective rate: {row['value']:+.2f} {limits} octaves per doubling of "
                f"{row['axis']}."
            )
    told = [_held(row) for row in _rows(judged.held_out, arm) if not row["refused"]]
    if told:
        yield f"The largest size, predicted from the others: {'; '.join(told)}."


def _held(row: dict[str, Any]) -> str:
    limits = bracket(row["ci_low"], row["ci_high"], ".3g")
    verdict = "covered" if row["covered"] else "not covered"
    return (
        f"{row['rate_is']} {row['predicted']:.3g} {limits}, found {row['measured']:.3g}, {verdict}"
    )


def _prediction(judged: Findings, row: dict[str, Any]) -> str:
    where = ", ".join(f"{axis} {row[axis]:g}" for axis in judged.roles.size)
    if row["refused"]:
        return f"No prediction at {where}: {row['refused']}."
    return f"Predicted best rate at {where}: {row['rate']:.3g} " + bracket(
        row["ci_low"], row["ci_high"], ".3g"
    )
