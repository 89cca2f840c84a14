"""Rules of the package's parameterizations as plain data, and changes to them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from lrtransfer.coordinates.check import resolved
from lrtransfer.study.plan.parameterizations import builtin


def rules(name: str, family: str) -> dict[str, Any]:
    return resolved(builtin()[name], family)


def changed(table: dict[str, Any], role: str, quantity: str, **power: Any) -> dict[str, Any]:
    """Return ``table`` with one quantity of one role put as told."""
    own = deepcopy(table)
    own[role][quantity] = {k: v if k == "factor" else {"constant": v} for k, v in power.items()}
    return own
