"""Designs of a study's sweeps: of one experiment, or the static plan of all, as YAML.

Two steps make the static plan. `pilots` writes experiments that train one seed at every octave, at
the smallest and the largest size; `static_plan` reads their tables, or where there are none the
stored sweeps, and says the new axes.
"""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from lrtransfer.study.evidence.estimates import Estimates
from lrtransfer.study.evidence.registered import registered
from lrtransfer.study.plan.claims import FILE, load_claims
from lrtransfer.study.plan.expand import Plan
from lrtransfer.study.plan.fill import fill
from lrtransfer.study.plan.load import parse_study, read_params
from lrtransfer.study.plan.messages import unknown
from lrtransfer.study.plan.sizes import field_of, size_of
from lrtransfer.study.plan.yaml_file import StudyError
from lrtransfer.study.workflow.stages import read_frame
from lrtransfer.study.workflow.start import Selection
from lrtransfer.study.workflow.stored import estimate_settings, table_settings
from lrtransfer.transfer.design import STATIC_SEEDS, Grid, expected, static
from lrtransfer.transfer.design_command import answer, price, sizes
from lrtransfer.transfer.design_text import span
from lrtransfer.transfer.estimate import Estimate
from lrtransfer.transfer.pilot import Pilot, pilot
from lrtransfer.transfer.roles import JudgeError
from lrtransfer.transfer.sweeps import Sweep, groups_of, sweeps

PILOT = "_pilot"

_POWER = (
    *("claim", "experiment", "measure", "rule", "seeds", "obstacle", "value", "half_width"),
    *("then", "power", "power_inside", "detectable"),
)

#: An axis of fewer rates, or a single size, is no sweep.
_FEWEST_RATES = 5


def experiment_design(chosen: Selection, options: Namespace) -> str:
    """Return what a wished half width takes at each arm of an experiment.

    Raises:
        StudyError: no such experiment, or it has no runs yet.
        JudgeError: a flag is not as it should be, or the sweeps are no pilot.
    """
    name = options.experiment
    if name not in chosen.plan.experiments:
        raise StudyError([f"--experiment: {unknown('experiment', name, chosen.plan.experiments)}"])
    options.one_grid = True
    grid, own, told = chosen.plan.grid(name), chosen.plan.part(name), list[str]()
    for group in _stored(chosen, name):
        model, arm = pilot(group), group[0].arm
        cost = price(options, model.axis) if options.cost else _priced(own, group)
        asked = sizes(options, model) if options.sizes else [s.sizes[model.axis] for s in group]
        said, best = answer(options, model, asked, cost)
        told += [f"{arm}:", said]
        if best is None:
            continue
        place = _places(options.params)[_place(chosen, name, arm)]
        line = _Line.of(best.grid, grid.reference_learning_rate.get(arm))
        changes = _changes(chosen.plan, {place: line}, max(best.seeds.values()))
        _checked(options.params, changes)
        told += ["", _yaml({"study": changes})]
    return "\n".join(told).rstrip()


def pilots(chosen: Selection, params: Path, seed: str) -> str:
    """Return an experiments file with a pilot of every experiment that sweeps.

    Raises:
        StudyError: the seed is one of the study's, or no number.
    """
    if not seed.isascii() or not seed.isdigit():
        raise StudyError([f"--pilot {seed}: give a seed, a whole number that the study leaves out"])
    made: dict[str, dict[str, Any]] = {}
    for name in _sweeping(chosen.plan):
        grid = chosen.plan.grid(name)
        if int(seed) in grid.seeds:
            raise StudyError([f"--pilot {seed}: {name} has this seed. Give one it leaves out."])
        axis, ends = size_of(grid)
        made[name + PILOT] = {
            "question": f"Pilot of {name}: where do its valleys lie?",
            "like": name,
            "figures": ["optima"],
            field_of(axis): [min(ends), max(ends)],
            "seeds": [int(seed)],
        } | {part: None for part in ("measure", "spectra") if getattr(grid, part) is not None}
    _checked(params, made)
    head = "# Pilots, one seed that the study leaves out: `lrtransfer design --pilot`.\n"
    return head + _yaml(made)


def static_plan(chosen: Selection, params: Path) -> str:
    """Return the lines of the static plan, and what they are from.

    Raises:
        JudgeError: no experiment has a pilot.
    """
    places, told = _places(params), list[str]()
    found: dict[str, _Line] = {}
    for name in _sweeping(chosen.plan):
        try:
            groups = _piloted(chosen, name)
        except FileNotFoundError:
            told.append(f"# {name}: no pilot and no stored sweeps; left as it is")
            continue
        grid = chosen.plan.grid(name)
        for group in groups:
            asked = [float(size) for size in size_of(grid)[1]]
            arm = group[0].arm
            place = places[_place(chosen, name, arm)]
            try:
                model = pilot(group)
                rates = static(model, asked, follow=False)
            except JudgeError as error:
                told.append(f"# {name}, {arm}: {error}; left as it is")
                continue
            told.append(f"# {name}, {arm}: {_promised(model, rates)}")
            line = _Line.of(rates, grid.reference_learning_rate.get(arm))
            found[place] = line.with_(found[place]) if place in found else line
    if not found:
        raise JudgeError("design --static: no experiment has a pilot: see `lrtransfer design -h`")
    changes = _changes(chosen.plan, found)
    _checked(params, changes)
    return "\n".join([*told, _yaml({"study": changes}).rstrip()])


def _promised(model: Pilot, rates: Grid) -> str:
    """Say what a grid of the static plan is expected to reach and takes."""
    # Other studies than those that chose the window, which look better than they are.
    own = expected(model, rates, seed=1)
    width = own.half_width([STATIC_SEEDS] * len(rates.rates), 0.95)
    runs = STATIC_SEEDS * rates.runs // len(rates.rates)
    return f"a half width of {width:.3f} expected of the drift, {runs} runs a size"


def power_table(chosen: Selection) -> str:
    """Return the power of every claim under the static plan, as csv.

    Where an experiment was not run, a pilot tells of claims on drifts.
    """
    plan, layout = chosen.plan, chosen.layout
    run = [name for name in plan.experiments if layout.estimates(name).is_file()]
    spans = {name: size_of(plan.grid(name))[1] for name in _sweeping(plan) if name not in run}
    rows = registered(
        {n: Estimates(read_frame(layout.estimates(n), estimate_settings(plan, n))) for n in run},
        load_claims(Path(FILE), plan.study),
        planned_drifts(chosen),
        seeds=STATIC_SEEDS,
        confidence=plan.study.fits.confidence,
        octaves={name: math.log2(max(sizes) / min(sizes)) for name, sizes in spans.items()},
    )
    return pd.DataFrame(rows, columns=list(_POWER)).round(4).to_csv(index=False)


def planned_drifts(chosen: Selection) -> dict[tuple[str, str], Estimate]:
    """Return a drift of the static plan's scatter for each experiment and arm that has a pilot."""
    found = {}
    for name in _sweeping(chosen.plan):
        grid = chosen.plan.grid(name)
        try:
            groups = _piloted(chosen, name)
        except FileNotFoundError:
            continue
        for group in groups:
            asked = [float(size) for size in size_of(grid)[1]]
            try:
                model = pilot(group)
            except JudgeError:
                continue
            likely = expected(model, static(model, asked, follow=False))
            found[name, group[0].arm] = likely.estimate([STATIC_SEEDS] * len(asked))
    return found


@dataclass(frozen=True)
class _Line:
    """An axis: its ends and step in octaves, and the rate that is measured."""

    start: float
    end: float
    step: float
    measured: float | None

    @classmethod
    def of(cls, grid: Grid, measured: float | None) -> _Line:
        """Return the axis of a grid that serves all sizes."""
        rates = next(iter(grid.rates.values()))
        return cls(rates[0], rates[-1], grid.step, measured)

    def with_(self, other: _Line) -> _Line:
        """Return the axis that serves two arms whose axis is written once."""
        step = min(self.step, other.step)
        start, end = min(self.start, other.start), max(self.end, other.end)
        steps = math.ceil((end - start) / step - 1e-9)
        return _Line(start, start + steps * step, step, self.measured or other.measured)

    @property
    def written(self) -> str | list[float | str]:
        """The axis, moved by half a step at most so that the measured rate is on it.

        A measured rate outside is put beside it: where curvature is measured was fixed before.
        """
        shift = 0.0
        if self.measured is not None:
            away = math.log2(self.measured) - self.start
            if not 0 <= away <= self.end - self.start:
                steps = round((self.end - self.start) / self.step)
                rates = (self.start + i * self.step for i in range(steps + 1))
                return [*(f"2^{rate:g}" for rate in rates), self.measured]
            shift = away - self.step * round(away / self.step)
        start, end = self.start + shift, self.end + shift
        if all(float(f"{octaves:g}") == octaves for octaves in (start, end, self.step)):
            return span(start, end, self.step)
        # What is rounded when it is written meets neither its end nor the measured rate.
        return [f"2^{start + i * self.step:g}" for i in range(round((end - start) / self.step) + 1)]


def _places(params: Path) -> Mapping[str, str]:
    """Return where in params.yaml every value of the study is written."""
    return fill(read_params(params)).origins


def _place(chosen: Selection, name: str, arm: str) -> str:
    return f"study.{name}.scales.{chosen.plan.study.scale}.learning_rates.{arm}"


def _changes(plan: Plan, found: Mapping[str, _Line], seeds: int = STATIC_SEEDS) -> dict[str, Any]:
    """Return the lines as a part of `study`, by the places at which the axes are written.

    An experiment keeps the first of its seeds, and is given the numbers after them.
    """
    changes: dict[str, Any] = {}
    for place, line in found.items():
        _, name, *path = place.split(".")
        first = plan.grid(name).seeds
        kept = [*first, *range(max(first) + 1, max(first) + 1 + seeds)][:seeds]
        own = changes.setdefault(name, {"seeds": kept})
        for key in path[:-1]:
            own = own.setdefault(key, {})
        if path[-1] != "lr":  # an inherited arm, of which the axis alone is said
            own = own.setdefault(path[-1], {})
        own["lr"] = line.written
    return changes


def _checked(params: Path, changes: Mapping[str, Any]) -> None:
    """Raise StudyError unless params.yaml with these parts of `study` is a valid study."""
    content = deepcopy(dict(read_params(params)))
    content["study"] = _merged(content["study"], changes)
    content.pop("include", None)
    parse_study(content, source=params)


def _merged(old: Any, new: Any) -> Any:
    if not isinstance(new, Mapping):
        return new
    old = old if isinstance(old, Mapping) else {} if old is None else {"lr": old}
    return {**old, **{key: _merged(old.get(key, {}), value) for key, value in new.items()}}


def _yaml(content: Mapping[str, Any]) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None)


def _sweeping(plan: Plan) -> Iterator[str]:
    """Yield the experiments that sweep the rate of an arm at several sizes, pilots left out."""
    for name in plan.experiments:
        grid = plan.grid(name)
        several = len(size_of(grid)[1]) > 1
        longest = max(map(len, grid.learning_rates.values()))
        if several and longest >= _FEWEST_RATES and not name.endswith(PILOT):
            yield name


def _piloted(chosen: Selection, name: str) -> list[list[Sweep]]:
    """Return the sweeps that place an experiment's windows: its pilot's, or its own."""
    for source in (name + PILOT, name):
        if source in chosen.plan.study.study and chosen.layout.table(source, "runs").is_file():
            return list(_stored(chosen, source))
    raise FileNotFoundError(name)


def _stored(chosen: Selection, name: str) -> Iterator[list[Sweep]]:
    """Yield the stored sweeps of an experiment, arm by arm, those of one rate left out."""
    path = chosen.layout.table(name, "runs")
    runs = read_frame(path, table_settings(chosen.plan, name))
    for group in groups_of(sweeps(runs)):
        if len(group[0].log2_rate) >= _FEWEST_RATES:
            yield group


def _priced(plan: Plan, group: list[Sweep]) -> Callable[[float], float]:
    """Return the seconds of a run at a size, by the study's own price."""
    from lrtransfer.study.workflow.cost import dataset_sizes, run_seconds
    from lrtransfer.study.workflow.trial import Machine

    machine, data = Machine(), dataset_sizes(plan)
    axis = group[0].axis
    one_each = {
        int(getattr(run, axis)): run
        for run in plan.runs
        if run.arm == group[0].arm and not run.measured
    }
    known = {n: run_seconds(run, data[run.config.data], machine) for n, run in one_each.items()}

    def seconds(size: float) -> float:
        if int(size) not in known:
            raise JudgeError(
                f"--cost: the study prices {axis} {', '.join(map(str, known))}; give "
                f"the cost of {axis} {size:g}, as {size:g}=COST for every size"
            )
        return known[int(size)]

    return seconds
