"""The parameterizations that a study can name: the package's table and the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from lrtransfer.study.plan.catalog import constant
from lrtransfer.study.plan.exponents import ParameterizationSpec
from lrtransfer.study.plan.places import PACKAGE
from lrtransfer.study.plan.yaml_file import read_yaml

TABLE = PACKAGE / "scaling" / "parameterizations.yaml"


def family(optimizer: str) -> str:
    """Return the column of a parameterization's table that an optimizer follows."""
    name: str = constant("optim", optimizer, "FAMILY")
    return name


@cache
def builtin() -> dict[str, ParameterizationSpec]:
    """Return the package's parameterizations by name."""
    table = read_yaml(TABLE)
    return {name: ParameterizationSpec.model_validate(entry) for name, entry in table.items()}


def known(own: Mapping[str, ParameterizationSpec]) -> dict[str, ParameterizationSpec]:
    """Return the built-in parameterizations and the user's, who may not redefine a built-in."""
    return {**own, **builtin()}
