"""params.yaml, with claims.yaml beside it, -> a valid Study, or one line per fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lrtransfer.study.plan.checks import problems
from lrtransfer.study.plan.claims import FILE, load_claims
from lrtransfer.study.plan.messages import describe
from lrtransfer.study.plan.parameterizations import known, redefined
from lrtransfer.study.plan.schema import Study
from lrtransfer.study.plan.yaml_file import StudyError, read_yaml


def load_study(
    path: Path, *, scale: str | None = None, experiments: str | list[str] | None = None
) -> Study:
    """Return the study that a params.yaml asks for.

    The claims beside it are checked too; `load_claims` returns them.

    Args:
        path: The file.
        scale: Replaces the file's ``scale``.
        experiments: Replaces the file's ``experiments``: ``core``, ``all``, a name, or names
            separated by commas.

    Raises:
        StudyError: The file or an override is faulty; each line names a field and a remedy.
    """
    content = read_yaml(path)
    if scale:
        content["scale"] = scale
    if experiments:
        content["experiments"] = _names(experiments)
    study = parse_study(content, source=str(path))
    load_claims(path.with_name(FILE), study)
    return study


def parse_study(content: dict[str, Any], *, source: str = "params.yaml") -> Study:
    """Return the study in ``content``, a mapping in the form of params.yaml.

    Raises:
        StudyError: As for :func:`load_study`.
    """
    try:
        study = Study.model_validate(content)
    except ValidationError as error:
        lines = describe(error, content, Study)
        raise StudyError([f"{source}: {line}" for line in lines]) from None
    faults = [
        f"parameterizations.{name}: a built-in parameterization has this name. Choose another."
        for name in redefined(study.parameterizations)
    ]
    faults += problems(study, known(study.parameterizations))
    if faults:
        raise StudyError([f"{source}: {line}" for line in faults])
    return study


def _names(experiments: str | list[str]) -> str | list[str]:
    if isinstance(experiments, list) or experiments in ("core", "all"):
        return experiments
    return [name for name in experiments.replace(",", " ").split() if name]
