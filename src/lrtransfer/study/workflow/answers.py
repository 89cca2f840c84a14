"""What `lrtransfer predict` and `lrtransfer sharpness` print, as text or as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lrtransfer.study.evidence.edge_of_stability import edge_factor
from lrtransfer.study.plan.run_config import RunConfig
from lrtransfer.study.plan.yaml_file import StudyError
from lrtransfer.study.workflow.stages import read_frame
from lrtransfer.study.workflow.start import Selection
from lrtransfer.study.workflow.stored import table_settings
from lrtransfer.transfer.optimum import Optimum, optima
from lrtransfer.transfer.predict import Prediction, PredictionRefused, Regret, predict
from lrtransfer.transfer.size import OTHER, Axis, size_axis
from lrtransfer.transfer.sweeps import Sweep, groups_of, sweeps

if TYPE_CHECKING:
    from lrtransfer.study.spectra.saved_model import Eigenvalue


@dataclass(frozen=True)
class Answer:
    """A prediction, or why there is none.

    Attributes:
        swept: size, optimum with its limits (log2 of the rate), valley and edge of each size.
    """

    arm: str
    axis: Axis
    size: int
    fixed: int
    swept: list[dict[str, Any]]
    prediction: Prediction | None
    refused: str
    confidence: float


def predictions(
    chosen: Selection, experiment: str, arm: str | None, asked: Mapping[Axis, int | None]
) -> list[Answer]:
    """Return an answer for every arm asked for, and every value of the other axis that fits.

    Args:
        chosen: The study.
        experiment: One of its.
        arm: One of the experiment's; None is all of them.
        asked: Axis -> size asked for; the experiment's axis is predicted, the other one picked.

    Raises:
        StudyError: no such arm, or no size on the experiment's axis is asked for.
        FileNotFoundError: the experiment has no runs yet.
    """
    runs = read_frame(
        chosen.layout.table(experiment, "runs"), table_settings(chosen.plan, experiment)
    )
    axis = size_axis(runs)
    size, fixed = asked.get(axis), asked.get(OTHER[axis])
    if size is None:
        raise StudyError([f"{experiment} varies the {axis}: say which one to predict, --{axis} N"])
    if size < 1:
        raise StudyError([f"--{axis} {size}: it must be at least 1. Give another size."])
    groups = groups_of(list(sweeps(runs)))
    arms = list(dict.fromkeys(group[0].arm for group in groups))
    if arm is not None and arm not in arms:
        raise StudyError([f"--arm {arm!r} is none of {', '.join(arms)}"])
    held = sorted({group[0].fixed for group in groups})
    if fixed is not None and fixed not in held:
        raise StudyError(
            [
                f"--{OTHER[axis]} {fixed} was not run: {experiment} holds the {OTHER[axis]} at "
                f"{', '.join(map(str, held))}, and a law over one axis says nothing of the other"
            ]
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
    swept = [_swept(optimum, confidence) for optimum in optima(group)]
    return Answer(group[0].arm, axis, size, group[0].fixed, swept, found, refused, confidence)


def _swept(found: Optimum, confidence: float) -> dict[str, Any]:
    interval = found.log2_rate.interval(confidence)
    return {
        "size": found.sweep.size,
        "log2_lr": interval.value,
        "ci_low": interval.low,
        "ci_high": interval.high,
        "valley_low": found.valley[0],
        "valley_high": found.valley[1],
        "at_edge": {"inside": "none", "none": "no rate trains"}.get(found.side, found.side),
    }


def predictions_text(answers: list[Answer]) -> str:
    """Return the answers for readers."""
    return "\n\n".join("\n".join(_lines(answer)) for answer in answers)


def predictions_json(answers: list[Answer]) -> str:
    """Return the answers as a JSON list; unknown and open numbers are null."""
    return json.dumps([_clean(_record(a)) for a in answers], indent=2, ensure_ascii=False)


def _lines(answer: Answer) -> list[str]:
    axis, other = answer.axis, OTHER[answer.axis]
    lines = [f"{answer.arm}, {axis} {answer.size} at {other} {answer.fixed}"]
    lines += [
        f"  {axis} {int(row['size'])}: log2 rate {row['log2_lr']:.2f} "
        f"[{row['ci_low']:.2f}, {row['ci_high']:.2f}]"
        + (
            f", loss within 10 % from {row['valley_low']:.2f} to {row['valley_high']:.2f}"
            if math.isfinite(row["valley_low"])
            else ""
        )
        for row in answer.swept
    ]
    found = answer.prediction
    if found is None:
        return [*lines, f"  refused: {answer.refused}"]
    rate, drift = found.log2_rate.interval(answer.confidence), found.law.drift
    slope = drift.interval(answer.confidence)
    return [
        *lines,
        f"  power law: {slope.value:+.2f} [{slope.low:+.2f}, {slope.high:+.2f}] octaves per "
        f"octave of {axis}, the sizes off by {found.law.residual:.2f} (root mean square)",
        f"  predicted rate 2^{rate.value:.2f} = {2**rate.value:.3g}, interval 2^{rate.low:.2f} to "
        f"2^{rate.high:.2f} ({2**rate.low:.3g} to {2**rate.high:.3g})",
        *_costs(found),
        f"  one more sweep, at {axis} {found.one_more.size}, would shrink the interval from "
        f"±{(rate.high - rate.low) / 2:.2f} to ±{found.one_more.half_width:.2f} octaves",
    ]


def _costs(found: Prediction) -> Iterator[str]:
    """Yield what the predicted rate and the last optimum cost, in shares of the loss if it has."""
    last, is_share = f"{found.axis} {found.sizes[-1]}", found.regret.is_share
    if is_share:
        yield (
            f"  loss within 10 % from 2^{found.valley[0]:.2f} to 2^{found.valley[1]:.2f}, if the "
            f"valley is that of {last}"
        )
    unit = "of the loss" if is_share else "in the loss's own unit (below zero it has no shares)"
    yield (
        f"  expected regret {_amount(found.regret, found.regret.expected)} {unit}, "
        f"{_bound(found.regret)}; keeping the optimum of {last} costs "
        f"{_amount(found.keeping, found.keeping.expected)}, {_bound(found.keeping)}"
    )


def _amount(regret: Regret, value: float) -> str:
    if not regret.is_share:
        return f"{value:.2g}"
    percent = 100 * value
    return f"{percent:.0f} %" if abs(percent) >= 10 else f"{percent:.2g} %"


def _bound(regret: Regret) -> str:
    return f"at {'least' if regret.is_bound else 'most'} {_amount(regret, regret.high)}"


def _record(answer: Answer) -> dict[str, Any]:
    head = {"arm": answer.arm, answer.axis: answer.size, OTHER[answer.axis]: answer.fixed}
    found = answer.prediction
    if found is None:
        return {**head, "refused": answer.refused, "swept": answer.swept}
    rate, slope = (
        estimate.interval(answer.confidence) for estimate in (found.log2_rate, found.law.drift)
    )
    return {
        **head,
        "refused": None,
        "learning_rate": 2**rate.value,
        "log2_lr": rate.value,
        "ci_low": rate.low,
        "ci_high": rate.high,
        "valley": list(found.valley),
        "law": {**slope._asdict(), "rms": found.law.residual},
        "regret": vars(found.regret),
        "keeping_the_largest_optimum": vars(found.keeping),
        "one_more_sweep": {**vars(found.one_more), "half_width_now": (rate.high - rate.low) / 2},
        "swept": answer.swept,
    }  # fmt: skip


def _clean(value: Any) -> Any:
    """Make a value JSON-safe: no infinity, no NaN."""
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def eigenvalues_json(found: Sequence[Eigenvalue], about: dict[str, Any] | None) -> str:
    """Return the rows, and for a run's checkpoint its key, step, configuration and edge."""
    record: dict[str, Any] = {"eigenvalues": [asdict(row) for row in found]}
    if about is not None:
        record |= {name: about[name] for name in ("key", "step", "config")}
        record["edge_of_stability"] = _edge(RunConfig.from_json(about["config"]))
    return json.dumps(record, indent=2)


def eigenvalues_text(found: Sequence[Eigenvalue], about: dict[str, Any] | None) -> str:
    """Return a table, and for a run's checkpoint where its edge of stability lies."""
    return "\n".join([*_run_lines(about), *_eigenvalue_lines(found)])


def _run_lines(about: dict[str, Any] | None) -> Iterator[str]:
    if about is None:
        return
    config = RunConfig.from_json(about["config"])
    model = config.model
    yield (
        f"run {about['key']}, step {about['step']}: {model.family} of width {model.width}, "
        f"depth {model.depth}, {config.optimizer.name}, learning rate {config.learning_rate:g}, "
        f"seed {config.seed}"
    )
    yield "of D^1/2 A D^1/2, with D each tensor's learning rate over the global one"
    if (edge := _edge(config)) is not None:
        yield f"edge of stability of the Hessian: {edge:.6g}"


def _eigenvalue_lines(found: Sequence[Eigenvalue]) -> Iterator[str]:
    yield f"{'operator':<10}{'rank':>5}{'eigenvalue':>15}{'residual':>12}{'products':>10}"
    for row in found:
        note = "" if row.converged else "  not converged"
        yield (
            f"{row.operator:<10}{row.rank:>5}{row.value:>15.6g}{row.residual:>12.2g}"
            f"{row.products:>10}{note}"
        )


def _edge(config: RunConfig) -> float | None:
    """Return the edge of stability of the Hessian; None where a preconditioner moves it."""
    if config.optimizer.name != "sgd":
        return None
    return edge_factor(config.to_json(), "sharpness") / config.learning_rate
