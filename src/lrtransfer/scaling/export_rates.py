"""The rates of a plan as text for another trainer: rules by regular expression, or by name."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from lrtransfer.scaling.rebind import names

Group = Mapping[str, Any]
Rule = dict[str, Any]

_ABSOLUTE = ("lr", "weight_decay", "eps")
_OPTIONS = ("betas", "momentum", "factor")
_RELATIVE = {"lr": "relative_rate", "weight_decay": "relative_weight_decay"}
# torch's classes by a group's `optimizer`, and what `lrtransfer.make_optimizer` gives them besides.
_CLASSES = {"sgd": "SGD", "momentum": "SGD", "adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop"}
_IMPLIED: Mapping[str, Rule] = {"momentum": {"momentum": 0.9}}
# Of what the others are called there, and of Muon's factor, no word is assumed.
_MOST_NUMBERS = 5  # parts of a name that may become \d+


def export_rates(groups: Iterable[Group], format: str = "regex") -> str:
    r"""Return the learning rates, weight decays and epsilons of the groups as text.

    Rules are regular expressions over whole parameter names, in which a number between dots that
    does not matter is `\d+`. Each matches at least one parameter, and each parameter is matched by
    one rule, in whatever order and with `re.search` or `re.fullmatch`. Multipliers of the forward
    pass are no rates: they are in the weights or are hooks (`lrtransfer.fold`). Decay is torch's:
    a step shrinks a tensor by its rate times its decay.

    Args:
        groups: What `lrtransfer.parameterize` returned.
        format: `regex`, JSON, a list of rules with absolute numbers; `multipliers`, the same with
            factors on the global numbers; `json`, absolute numbers by parameter name;
            `torchtitan`, Python source, a list of its `ParamGroupConfig`, which knows absolute
            numbers alone.

    Raises:
        ValueError: The format is unknown, a group has no names, or lacks the numbers asked for, or
            two groups name one parameter.

    Example:
        >>> import lrtransfer as lt
        >>> names = ["layers.0.up.weight", "layers.1.up.weight"]
        >>> print(lt.export_rates([{"names": names, "lr": 0.01, "weight_decay": 0.5}]))
        [
          {
            "pattern": "^(?:layers\\.\\d+\\.up\\.weight)$",
            "lr": 0.01,
            "weight_decay": 0.5
          }
        ]
    """
    if format not in _FORMATS:
        raise ValueError(f"format is {format!r}. Give one of {', '.join(_FORMATS)}.")
    own = list(groups)
    twice = [name for name, uses in Counter(n for g in own for n in names(g)).items() if uses > 1]
    if twice:
        raise ValueError(f"two groups name {twice[0]!r}. Give the groups of one model.")
    return _FORMATS[format](own)


def _regex(groups: Sequence[Group]) -> str:
    return json.dumps(_rules(groups, _absolute), indent=2)


def _multipliers(groups: Sequence[Group]) -> str:
    return json.dumps(_rules(groups, _relative), indent=2)


def _json(groups: Sequence[Group]) -> str:
    return json.dumps({n: _absolute(g) for g in groups for n in names(g)}, indent=2)


def _torchtitan(groups: Sequence[Group]) -> str:
    lines = []
    for rule in _rules(groups, _absolute):
        kind = rule.get("optimizer")
        if kind is None:
            raise ValueError(
                "a group names no optimizer, which torchtitan asks for. Give the groups of "
                "lrtransfer.parameterize."
            )
        if kind not in _CLASSES:
            raise ValueError(
                f"a group's optimizer is {kind!r}, and what torchtitan calls it and its factor is "
                "not taken for granted. Take the format regex, and name it there yourself."
            )
        numbers = {name: value for name, value in rule.items() if name in (*_ABSOLUTE, *_OPTIONS)}
        lines.append(
            f"    ParamGroupConfig(\n"
            f'        pattern=r"{rule["pattern"]}",\n'
            f'        optimizer_name="{_CLASSES[kind]}",\n'
            f"        optimizer_kwargs={numbers!r},\n"
            f"    ),\n"
        )
    return f"param_groups = [\n{''.join(lines)}]\n"


_FORMATS: Mapping[str, Callable[[Sequence[Group]], str]] = {
    "regex": _regex,
    "multipliers": _multipliers,
    "json": _json,
    "torchtitan": _torchtitan,
}


def _said(group: Group) -> Rule:
    said = {name: group[name] for name in ("optimizer", *_OPTIONS) if name in group}
    return dict(_IMPLIED.get(said.get("optimizer", ""), {})) | said


def _absolute(group: Group) -> Rule:
    return _said(group) | {name: float(group[name]) for name in _ABSOLUTE if name in group}


def _relative(group: Group) -> Rule:
    keys = _RELATIVE | ({"eps": "relative_epsilon"} if "eps" in group else {})
    missing = [key for key in keys.values() if key not in group]
    if missing:
        raise ValueError(
            f"a group has no {missing[0]}. Give the groups of lrtransfer.parameterize, or take "
            "the format regex."
        )
    return _said(group) | {name: float(group[key]) for name, key in keys.items()}


def _rules(groups: Sequence[Group], numbers: Callable[[Group], Rule]) -> list[Rule]:
    """Return one rule for each set of equal numbers."""
    found: dict[str, tuple[Rule, list[str]]] = {}
    for group in groups:
        own = numbers(group)
        found.setdefault(repr(own), (own, []))[1].extend(names(group))
    patterns = _patterns([members for _, members in found.values()])
    return [
        {"pattern": pattern} | rule
        for pattern, (rule, _) in zip(patterns, found.values(), strict=True)
    ]


def _patterns(parted: Sequence[Sequence[str]]) -> list[str]:
    """Return a pattern for each part, which matches its names and none of another part."""
    reached: dict[str, set[int]] = {}  # pattern of one name -> the parts with a name it matches
    for index, part in enumerate(parted):
        for name in part:
            for pattern in _generalised(name):
                reached.setdefault(pattern, set()).add(index)
    found = []
    for part in parted:
        alone = (next(p for p in _generalised(name) if len(reached[p]) == 1) for name in part)
        found.append(f"^(?:{'|'.join(dict.fromkeys(alone))})$")
    return found


def _generalised(name: str) -> list[str]:
    r"""Return the name with numbers as `\d+`: all, then fewer, then none."""
    parts = [re.escape(part) for part in name.split(".")]
    places = [place for place, part in enumerate(parts) if part.isdigit()][:_MOST_NUMBERS]
    return [
        r"\.".join(r"\d+" if i in chosen else part for i, part in enumerate(parts))
        for size in range(len(places), -1, -1)
        for chosen in combinations(places, size)
    ]
