"""claims.yaml -> the claims of a study, or one line per fault.

A claim is an entry under its paper: a sentence, what is measured for it, and the rule that decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, RootModel, ValidationError, model_validator

from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.measures import COURSES, KINDS, malformed, measures
from lrtransfer.study.plan.messages import closest, describe, shown, unfit, unknown
from lrtransfer.study.plan.schema import Experiment, Study
from lrtransfer.study.plan.values import Name, Positive, Rate, Section, Text, distinct
from lrtransfer.study.plan.yaml_file import StudyError, read_yaml

FILE = "claims.yaml"
# Beside the papers: questions that none of them answers, of which no verdict speaks for or against
# a paper.
OURS = "ours"

Paper = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=60)]
Names = Annotated[list[Name], Field(min_length=1), AfterValidator(distinct)]


class FirstOf(Section):
    """Arms of which the first counts that the experiment has."""

    first_of: Names


OptionValue = bool | int | float | str | list[str] | list[float] | FirstOf
Options = dict[Name, OptionValue]


def _single(measure: dict[str, Any]) -> dict[str, Any]:
    if len(measure) != 1:
        raise ValueError(f"{len(measure)} measures. Give one, with its options.")
    return measure


class Rule(Section):
    """The region of values in which a claim holds; one of the three."""

    within: list[float] | None = None
    above: float | None = None
    below: float | None = None

    @model_validator(mode="after")
    def _one_region(self) -> Rule:
        given = [name for name, value in self if value is not None]
        if len(given) != 1:
            told = f"has {' and '.join(given)}" if given else "says nothing"
            raise ValueError(f"{told}. Give one of within, above, below.")
        if self.within is not None and len(self.within) != 2:
            raise ValueError(
                f"within has {len(self.within)} limits. Give two, the lower one first."
            )
        if self.within is not None and not self.within[0] < self.within[1]:
            raise ValueError(f"within {self.within} holds no value. Give the lower limit first.")
        return self


class Needs(Section):
    """What has to hold for a claim to be judged; inconclusive otherwise, with the reason.

    The numbers are of the arms that its measure names (`study/evidence/conditions.py`).

    Attributes:
        steady_state: arms that must be able to show what weight decay does
            (`lrtransfer.theory.steady_state`).
        samples_per_input: least number of samples that an update sees per input of a layer.
        horizons: least length of a run in units of 1/(1 − β₂).
        steps: least number of updates.
        loss: least final loss.
        half_width: largest half width of the interval, e.g. the effect that the paper states.
    """

    steady_state: Names | None = None
    samples_per_input: Rate | None = None
    horizons: Rate | None = None
    steps: Positive | None = None
    loss: Rate | None = None
    half_width: Rate | None = None

    @model_validator(mode="after")
    def _something(self) -> Needs:
        if all(value is None for _, value in self):
            raise ValueError(f"says nothing. Give one of {', '.join(type(self).model_fields)}.")
        return self


class Entry(Section):
    """A claim as it is written.

    Attributes:
        says: the sentence of the paper.
        source: where the paper says it.
        experiments: on which it is judged, each by itself.
        figure: of these experiments, which shows it.
        measure: name -> options (`study/evidence/measures`).
        rule: on the measured interval.
        needs: conditions.
        family: claims whose number is corrected for together, whatever is run; the paper's if
            nothing is said.
        fixed: whether the rule was written down before or after the data, or a pilot's, were seen.
    """

    says: Text
    source: Text
    experiments: Names
    figure: Name
    measure: Annotated[dict[Name, Options], AfterValidator(_single)]
    rule: Rule
    needs: Needs | None = None
    family: Paper | None = None
    fixed: Literal["before", "after"] = "before"


class _File(RootModel[dict[Paper, dict[Name, Entry]]]):
    """The whole of claims.yaml: paper -> id -> claim."""


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes:
        id: its name, unique over papers.
        paper: that makes it.
        entry: what claims.yaml says.
    """

    id: str
    paper: str
    entry: Entry

    @property
    def family(self) -> str:
        """Claims whose number is corrected for together."""
        return self.entry.family or self.paper

    @property
    def measure(self) -> str:
        """The name of what is measured."""
        return next(iter(self.entry.measure))

    def options(self, arms: Collection[str]) -> dict[str, Any]:
        """Return the measure's options for an experiment with these arms."""
        (given,) = self.entry.measure.values()
        return {
            name: _first(value.first_of, arms) if isinstance(value, FirstOf) else value
            for name, value in given.items()
        }


def load_claims(path: Path, study: Study) -> list[Claim]:
    """Return the claims of a study in the file's order; none where there is no file.

    Args:
        path: claims.yaml.
        study: whose experiments, arms and figures the claims name.

    Raises:
        StudyError: The file is faulty; each line names a field and a remedy.
    """
    if not path.exists():
        return []
    return parse_claims(read_yaml(path, empty=True), study, source=str(path))


def parse_claims(content: dict[str, Any], study: Study, *, source: str = FILE) -> list[Claim]:
    """Return the claims in `content`, a mapping in the form of claims.yaml.

    Raises:
        StudyError: As for `load_claims`.
    """
    try:
        file = _File.model_validate(content)
    except ValidationError as error:
        lines = describe(error, content, _File)
        raise StudyError([f"{source}: {line}" for line in lines]) from None
    claims = [Claim(i, paper, e) for paper, own in file.root.items() for i, e in own.items()]
    faults = [fault for claim in claims for fault in _problems(claim, study)]
    seen: dict[str, str] = {}
    for claim in claims:
        if seen.setdefault(claim.id, claim.paper) != claim.paper:
            faults.append(
                f"{claim.paper}.{claim.id}: {seen[claim.id]} has a claim of this name. "
                "Choose another."
            )
    if faults:
        raise StudyError([f"{source}: {line}" for line in faults])
    return claims


def _problems(claim: Claim, study: Study) -> Iterator[str]:
    path, entry = f"{claim.paper}.{claim.id}", claim.entry
    for name in entry.experiments:
        if name not in study.study:
            yield f"{path}.experiments: {unknown('experiment', name, study.study)}"
    experiments = {n: study.study[n] for n in entry.experiments if n in study.study}
    for name, experiment in experiments.items():
        if entry.figure not in experiment.figures:
            yield (
                f"{path}.figure: {entry.figure!r} is no figure of experiment {name}. "
                f"{closest(entry.figure, experiment.figures)}"
            )
        if any(len(grid.widths) > 1 < len(grid.depths) for grid in experiment.scales.values()):
            yield (
                f"{path}.experiments: {name} varies width and depth, and a claim is on one axis. "
                "Name an experiment for each."
            )
    for arm in (entry.needs.steady_state if entry.needs else None) or []:
        yield from _arm(f"{path}.needs.steady_state", arm, experiments)
    known = measures()
    if claim.measure not in known:
        yield f"{path}.measure: {unknown('measure', claim.measure, known)}"
        return
    if (wrong := malformed(claim.measure)) is not None:
        yield f"{path}.measure: {wrong}"
        return
    yield from _measured(f"{path}.measure.{claim.measure}", claim, experiments)


def _measured(path: str, claim: Claim, experiments: Mapping[str, Experiment]) -> Iterator[str]:
    declared = measures()[claim.measure]
    (given,) = claim.entry.measure.values()
    for name, value in given.items():
        if name not in declared:
            yield f"{path}.{name}: {claim.measure!r} has no such option. {closest(name, declared)}"
        else:
            yield from _option(declared[name].annotation, f"{path}.{name}", value, experiments)
    for name, option in declared.items():
        if option.required and name not in given:
            yield f"{path}.{name}: missing. Give a value ({option.annotation.lower()})."


def _option(
    annotation: str, path: str, value: object, experiments: Mapping[str, Experiment]
) -> Iterator[str]:
    """Check what is given for an option of this annotation."""
    if annotation == "Arm":
        yield from _arm(path, value, experiments)
    elif annotation in ("Arms", "Pair"):
        names = value if isinstance(value, list) else []
        if not names or (annotation == "Pair" and len(names) != 2):
            what = "a list of two arms" if annotation == "Pair" else "a list of arms"
            yield f"{path}: {unfit(value, what)}"
            return
        for name in names:
            yield from _arm(path, name, experiments)
    elif annotation == "Span":
        if not _is_span(value):
            yield f"{path}: {unfit(value, 'two shares of the run, the lower one first')}"
    elif annotation == "Course" or annotation in KINDS:
        known = COURSES if annotation == "Course" else catalog.columns(KINDS[annotation])
        if value not in known:
            yield f"{path}: {unknown('quantity', str(value), known)}"
    elif (expected := catalog.mismatch(annotation, value)) is not None:
        yield f"{path}: {unfit(value, expected)}"


def _is_span(value: object) -> bool:
    """Return whether a value is two shares of a run, the lower one first."""
    if not isinstance(value, list) or not all(isinstance(v, (int, float)) for v in value):
        return False
    return len(value) == 2 and 0 <= value[0] < value[1] <= 1


def _arm(path: str, value: object, experiments: Mapping[str, Experiment]) -> Iterator[str]:
    """Check the name of an arm, or `first_of` several of which each experiment has one."""
    if isinstance(value, FirstOf):
        yield from _first_of(path, value.first_of, experiments)
        return
    for experiment, spec in experiments.items():
        if not isinstance(value, str):
            yield f"{path}: {shown(value)} is no arm. Known: {', '.join(spec.arms)}."
        elif value not in spec.arms:
            yield (
                f"{path}: {value!r} is no arm of experiment {experiment}. "
                f"{closest(value, spec.arms)}"
            )


def _first_of(
    path: str, names: Sequence[str], experiments: Mapping[str, Experiment]
) -> Iterator[str]:
    for experiment, spec in experiments.items():
        if not set(names) & set(spec.arms):
            yield (
                f"{path}: experiment {experiment} has none of {', '.join(names)}. "
                f"Known: {', '.join(spec.arms)}."
            )
            return
    every = {arm for experiment in experiments.values() for arm in experiment.arms}
    for name in names if every else []:
        if name not in every:
            yield f"{path}.first_of: no experiment has the arm {name!r}. {closest(name, every)}"


def _first(names: Sequence[str], known: Collection[str]) -> str:
    return next((name for name in names if name in known), names[-1])
