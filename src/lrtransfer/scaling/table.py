"""The table of parameterizations for code outside a study: a built-in's rules, or a user's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lrtransfer.scaling.apply import UnknownRoleError
from lrtransfer.scaling.held_width import twice
from lrtransfer.scaling.rules import QUANTITIES

TABLE = Path(__file__).with_name("parameterizations.yaml")
BASES = ("fan_in", "fan_out", "width", "depth", "branch_depth", "gamma0")

Rules = dict[str, dict[str, Any]]


def names() -> list[str]:
    """Return the names of the built-in parameterizations.

    Example:
        >>> from lrtransfer.scaling.table import names
        >>> "mup" in names()
        True
    """
    return sorted(_builtin())


def rules(parameterization: str | Mapping[str, Any], family: str) -> Rules:
    """Return role -> exponents of one optimizer family, as `rules.scale` takes them.

    Args:
        parameterization: The name of a built-in, or an entry in the form of
            `parameterizations.yaml`: `{"families": {"adam": {"hidden": {…}, …}}}`.
        family: `sgd`, `adam`, or one of the families of matrices (`muon`, …).

    Returns:
        The entry's roles. `scalar_gain`, a gain whose size does not grow with the width (of a
        norm over heads of fixed size, say), is added: it scales like `scalar_bias` and starts
        like `norm_gain`.

    Raises:
        ValueError: No such name, no such family, the entry is not in the form of the file, or it
            scales with the width what the family's optimizer scales already.

    Example:
        >>> from lrtransfer.scaling.table import rules
        >>> sorted(rules("mup", "adam")["hidden"])
        ['epsilon', 'learning_rate', 'multiplier', 'weight_decay']
    """
    if isinstance(parameterization, str):
        if parameterization not in _builtin():
            raise ValueError(
                f"parameterization is {parameterization!r}. Give one of {', '.join(names())}, "
                "or your own table as a dict."
            )
        label, entry = parameterization, _builtin()[parameterization]
    else:
        label, entry = "your own", parameterization
    families = entry.get("families") if isinstance(entry, Mapping) else None
    if not isinstance(families, Mapping) or not families:
        raise ValueError(
            'parameterization has no families. Give {"families": {"sgd": {role: rule, …}, …}}.'
        )
    if family not in families:
        raise ValueError(
            f"the parameterization {label} has no rules for the family {family!r}, only for "
            f"{', '.join(map(repr, families))}. Choose an optimizer of that family or another "
            "parameterization."
        )
    found = {role: _rule(role, rule) for role, rule in families[family].items()}
    if wrong := twice(found, family):
        raise ValueError(f"parameterization {label}: {wrong}")
    if {"scalar_bias", "norm_gain"} <= found.keys():
        start = {k: v for k, v in found["norm_gain"].items() if k in ("mean", "init")}
        scalar_gain = {k: v for k, v in found["scalar_bias"].items() if k not in ("mean", "init")}
        found.setdefault("scalar_gain", scalar_gain | start)
    return found


def module_rule(rules: Rules, role: str, module: str) -> Mapping[str, Any]:
    """Return the rule of a role that a module has.

    Raises:
        UnknownRoleError: The rules lack it; the message names the module.
    """
    if role not in rules:
        raise UnknownRoleError(
            f"module {module!r} has the role {role!r}, which the parameterization lacks. Add the "
            "role to your table; {} multiplies nothing."
        )
    return rules[role]


def is_one(power: Mapping[str, Any], branch_exponent: float) -> bool:
    """Return whether a quantity is one at every size."""
    factor: float = power.get("factor", 1.0)
    return factor == 1.0 and not any(exponent(power, base, branch_exponent) for base in BASES)


def exponent(power: Mapping[str, Any], base: str, branch_exponent: float) -> float:
    """Return the exponent of one of `BASES` in a quantity."""
    terms = power.get(base, {})
    value: float = terms.get("constant", 0.0) + terms.get("alpha", 0.0) * branch_exponent
    return value


def depends(rules: Iterable[Mapping[str, Any]], base: str, branch_exponent: float) -> bool:
    """Return whether a quantity of one of the rules changes with `base`."""
    return any(exponent(power, base, branch_exponent) != 0.0 for power in _powers(rules))


def mentions_branch_exponent(rules: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether an exponent is told in terms of the branch exponent α."""
    return any(
        power.get(base, {}).get("alpha", 0.0) != 0.0 for power in _powers(rules) for base in BASES
    )


def _powers(rules: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    for rule in rules:
        yield from (rule[quantity] for quantity in QUANTITIES if quantity in rule)


@cache
def _builtin() -> dict[str, Any]:
    table: dict[str, Any] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return table


def _rule(role: str, rule: Any) -> dict[str, Any]:
    _check_keys(f"role {role!r}", rule, {"mean", *QUANTITIES})
    found: dict[str, Any] = {}
    for name, value in rule.items():
        place = f"{name} of role {role!r}"
        found[name] = _number(place, value) if name == "mean" else _power(place, value)
    return found


def _power(place: str, power: Any) -> dict[str, Any]:
    _check_keys(place, power, {"factor", *BASES})
    return {
        name: _number(f"factor in {place}", value)
        if name == "factor"
        else _exponent(f"{name} in {place}", value)
        for name, value in power.items()
    }


def _exponent(place: str, value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping):
        return {"constant": _number(place, value)}
    _check_keys(place, value, {"constant", "alpha"})
    return {name: _number(f"{name} of {place}", term) for name, term in value.items()}


def _check_keys(place: str, value: Any, allowed: set[str]) -> None:
    if not isinstance(value, Mapping):
        raise ValueError(f"{place} is {value!r}. Give a mapping with {', '.join(sorted(allowed))}.")
    unknown = sorted(map(str, set(value) - allowed))
    if unknown:
        raise ValueError(
            f"{place} has {', '.join(unknown)}. Its keys are {', '.join(sorted(allowed))}."
        )


def _number(place: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{place} is {value!r}. Give a number.")
    return float(value)
