"""``lrtransfer predict``: answers and refusals for the arms of one experiment, as text or JSON."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from lrtransfer.study.workflow.selection import Selection
from lrtransfer.study.workflow.stored import read_frame
from lrtransfer.transfer.held_out import groups_of
from lrtransfer.transfer.optimum import optima
from lrtransfer.transfer.predict import Prediction, PredictionRefused, predict
from lrtransfer.transfer.size import Axis, size_axis
from lrtransfer.transfer.sweeps import Sweep, sweeps

_OTHER: dict[Axis, Axis] = {"width": "depth", "depth": "width"}


@dataclass(frozen=True)
class Answer:
    """A prediction, or why there is none.

    Attributes:
        swept: one row of `fits.optimum.optima` per size that was swept.
    """

    arm: str
    axis: Axis
    size: int
    fixed: int
    swept: list[dict[str, Any]]
    prediction: Prediction | None
    refused: str


def predictions(
    chosen: Selection, experiment: str, arm: str | None, width: int | None, depth: int | None
) -> list[Answer]:
    """Return an answer for every arm asked for, and every value of the other axis that fits.

    Raises:
        ValueError: no such experiment or arm, or no size on the experiment's axis is asked for.
        FileNotFoundError: the experiment has no runs yet.
    """
    if experiment not in chosen.plan.experiments:
        raise ValueError(
            f"--experiment {experiment!r} is none of {', '.join(chosen.plan.experiments)}"
        )
    runs = read_frame(chosen.layout.table(experiment, "runs"))
    axis = size_axis(runs)
    asked = {"width": width, "depth": depth}
    size, fixed = asked[axis], asked[_OTHER[axis]]
    if size is None:
        raise ValueError(f"{experiment} varies the {axis}: say which one to predict, --{axis} N")
    if size < 1:
        raise ValueError(f"--{axis} must be at least 1, not {size}")
    groups = groups_of(list(sweeps(runs)))
    arms = list(dict.fromkeys(group[0].arm for group in groups))
    if arm is not None and arm not in arms:
        raise ValueError(f"--arm {arm!r} is none of {', '.join(arms)}")
    held = sorted({group[0].fixed for group in groups})
    if fixed is not None and fixed not in held:
        raise ValueError(
            f"--{_OTHER[axis]} {fixed} was not run: {experiment} holds the {_OTHER[axis]} at "
            f"{', '.join(map(str, held))}, and a law over one axis says nothing of the other"
        )
    confidence = chosen.plan.study.fits.confidence
    return [
        _answer(group, axis, size, confidence)
        for group in groups
        if arm in (None, group[0].arm) and fixed in (None, group[0].fixed)
    ]


def _answer(group: list[Sweep], axis: Axis, size: int, confidence: float) -> Answer:
    found, refused = None, ""
    try:
        found = predict(group, size, confidence)
    except PredictionRefused as reason:
        refused = str(reason)
    columns = ["size", "log2_lr", "ci_low", "ci_high", "valley_low", "valley_high", "at_edge"]
    table = optima(group, confidence)[columns]
    swept = [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
    return Answer(group[0].arm, axis, size, group[0].fixed, swept, found, refused)


def as_text(answers: list[Answer]) -> str:
    """Return the answers for readers."""
    return "\n\n".join("\n".join(_lines(answer)) for answer in answers)


def as_json(answers: list[Answer]) -> str:
    """Return the answers as a JSON list; unknown and open numbers are null."""
    return json.dumps([_clean(_record(a)) for a in answers], indent=2, ensure_ascii=False)


def _lines(answer: Answer) -> list[str]:
    axis, other = answer.axis, _OTHER[answer.axis]
    lines = [f"{answer.arm}, {axis} {answer.size} at {other} {answer.fixed}"]
    lines += [
        f"  {axis} {int(row['size'])}: log2 rate {row['log2_lr']:.2f} "
        f"[{row['ci_low']:.2f}, {row['ci_high']:.2f}], loss within 10 % from "
        f"{row['valley_low']:.2f} to {row['valley_high']:.2f}"
        for row in answer.swept
    ]
    found = answer.prediction
    if found is None:
        return [*lines, f"  refused: {answer.refused}"]
    laws = "; ".join(f"{fit.name} {fit.weight:.0%} (off by {fit.rms:.2f})" for fit in found.laws)
    rate = found.log2_lr
    return [
        *lines,
        f"  laws (Akaike weight, root mean square error in doublings): {laws}",
        f"  predicted rate 2^{rate.value:.2f} = {2**rate.value:.3g}, interval 2^{rate.low:.2f} to "
        f"2^{rate.high:.2f} ({2**rate.low:.3g} to {2**rate.high:.3g})",
        f"  loss within 10 % from 2^{found.valley[0]:.2f} to 2^{found.valley[1]:.2f}, if the "
        f"valley is that of {axis} {found.sizes[-1]}",
        f"  expected regret {_share(found.regret.expected)} of the loss, "
        f"{_bound(found.regret.high, found.regret.is_bound)}; keeping the optimum of {axis} "
        f"{found.sizes[-1]} costs {_share(found.keeping.expected)}, "
        f"{_bound(found.keeping.high, found.keeping.is_bound)}",
        f"  one more sweep, at {axis} {found.one_more.size}, would shrink the interval from "
        f"±{found.half_width:.2f} to ±{found.one_more.half_width:.2f} doublings",
    ]


def _share(value: float) -> str:
    return f"{100 * value:.2g} %"


def _bound(high: float, is_bound: bool) -> str:
    return f"at {'least' if is_bound else 'most'} {_share(high)}"


def _record(answer: Answer) -> dict[str, Any]:
    head = {"arm": answer.arm, answer.axis: answer.size, _OTHER[answer.axis]: answer.fixed}
    found = answer.prediction
    if found is None:
        return {**head, "refused": answer.refused, "swept": answer.swept}
    return {
        **head,
        "refused": None,
        "learning_rate": 2**found.log2_lr.value,
        "log2_lr": found.log2_lr.value,
        "ci_low": found.log2_lr.low,
        "ci_high": found.log2_lr.high,
        "valley": list(found.valley),
        "laws": [
            {"name": f.name, "weight": f.weight, "aicc": f.aicc, "rms": f.rms,
             "parameters": list(f.parameters)}
            for f in found.laws
        ],
        "regret": vars(found.regret),
        "keeping_the_largest_optimum": vars(found.keeping),
        "one_more_sweep": {**vars(found.one_more), "half_width_now": found.half_width},
        "swept": answer.swept,
    }  # fmt: skip


def _clean(value: Any) -> Any:
    """Make a value JSON-safe: no infinity, no NaN."""
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
