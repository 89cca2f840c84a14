"""params.yaml, with claims.yaml beside it, -> a valid Study, or one line per fault."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lrtransfer.study.plan.checks import problems
from lrtransfer.study.plan.claims import FILE, load_claims
from lrtransfer.study.plan.fill import Filled, fill
from lrtransfer.study.plan.messages import describe
from lrtransfer.study.plan.notation import Notation
from lrtransfer.study.plan.places import PartError
from lrtransfer.study.plan.schema import Study
from lrtransfer.study.plan.yaml_file import StudyError, read_yaml


def load_study(
    path: Path, *, scale: str | None = None, experiments: str | list[str] | None = None
) -> Study:
    """Return the study that a params.yaml asks for.

    The claims beside it are checked too; `load_claims` returns them.

    Args:
        path: The file.
        scale: Replaces the file's `scale`.
        experiments: Replaces the file's `experiments`: `core`, `all`, a name, or names separated by
            commas.

    Raises:
        StudyError: The file or an override is faulty; each line names a field and a remedy.
    """
    content = read_yaml(path, merging=False)
    if scale:
        content["scale"] = scale
    if experiments:
        content["experiments"] = experiments
    study = parse_study(content, source=path)
    load_claims(path.with_name(FILE), study)
    return study


def parse_study(content: Mapping[str, Any], *, source: Path = Path("params.yaml")) -> Study:
    """Return the study in `content`, a mapping in the form of params.yaml.

    Args:
        content: The mapping.
        source: The file that it is from; files that it includes are named from there.

    Raises:
        StudyError: As for `load_study`.
    """
    whole, files = _with_included(content, source)
    try:
        return _parse(whole)
    except PartError:
        raise
    except StudyError as error:
        raise StudyError([_in_its_file(line, source, files) for line in error.lines]) from None


def read_params(path: Path) -> Mapping[str, Any]:
    """Return what a params.yaml and the files that it includes hold.

    Raises:
        StudyError: A file cannot be read, or repeats the name of an experiment.
    """
    return _with_included(read_yaml(path, merging=False), path)[0]


def _with_included(
    content: Mapping[str, Any], source: Path
) -> tuple[Mapping[str, Any], dict[str, Path]]:
    """Return the content with the experiments of the files it includes, and each one's file.

    Raises:
        StudyError: A file cannot be read, or repeats the name of an experiment.
    """
    patterns, study = content.get("include", []), content.get("study")
    files: dict[str, Path] = {}
    if not isinstance(patterns, list) or not isinstance(study, Mapping):
        return content, files
    study = dict(study)
    for pattern in filter(lambda one: isinstance(one, str) and one, patterns):
        anchor = Path(pattern).anchor
        folder = Path(anchor) if anchor else source.parent
        path = pattern.removeprefix(anchor)
        for file in sorted(folder.glob(path)) if "*" in path else [folder / path]:
            # A shell empties the file that `lrtransfer design --pilot` is about to fill.
            for name, experiment in read_yaml(file, merging=False, empty=True).items():
                if name in study:
                    text = f"{file}: {name}: another experiment has this name. Choose another."
                    raise StudyError([text])
                study[name] = experiment
                files[name] = file
    return {**content, "study": study}, files


def _parse(content: Mapping[str, Any]) -> Study:
    """Return the study; the lines of a StudyError start with the path as it is written."""
    try:
        Notation.model_validate(content)
    except ValidationError as error:
        raise StudyError(describe(error, content, Notation)) from None
    filled = fill(content)
    if filled.faults:
        raise StudyError(filled.faults)
    try:
        study = Study.model_validate(filled.content)
    except ValidationError as error:
        raise StudyError(_as_written(describe(error, filled.content, Study), filled)) from None
    if faults := list(problems(study)):
        raise StudyError(_as_written(faults, filled))
    return study


def _as_written(faults: list[str], filled: Filled) -> list[str]:
    """Return the lines with the paths of params.yaml, one for a fault that several inherit."""
    parts = [line.partition(": ") for line in faults]
    return list(dict.fromkeys(f"{filled.as_written(path)}: {text}" for path, _, text in parts))


def _in_its_file(line: str, source: Path, files: Mapping[str, Path]) -> str:
    """Return a fault's line with the file that has the field, and the path in that file."""
    section, _, rest = line.partition(".")
    name = rest.partition(":")[0].partition(".")[0]
    if section == "study" and name in files:
        return f"{files[name]}: {rest}"
    return f"{source}: {line}"
