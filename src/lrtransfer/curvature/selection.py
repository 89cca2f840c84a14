"""A part of a model's parameters, by patterns of their names."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TypeAlias

from torch import nn

Patterns: TypeAlias = str | Sequence[str]
"""A glob such as "*.mlp.*", or several."""


def chosen(model: nn.Module, patterns: Patterns | None) -> list[tuple[str, nn.Parameter]]:
    """Return the trainable parameters that any of `patterns` names; None is all of them.

    A tied parameter is found under each of its names and comes once, under its first.

    Raises:
        ValueError: a pattern matches no trainable parameter.
    """
    trainable = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if patterns is None:
        return trainable
    everything = [
        (name, p) for name, p in model.named_parameters(remove_duplicate=False) if p.requires_grad
    ]
    found: set[int] = set()
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        matched = {id(p) for name, p in everything if fnmatchcase(name, pattern)}
        if not matched:
            kinds = dict.fromkeys(re.sub(r"\b\d+\b", "*", name) for name, _ in everything)
            raise ValueError(
                f"parameters={pattern!r} matches no trainable parameter; there are "
                f"{', '.join(kinds) or 'none'}"
            )
        found |= matched
    if not found:
        raise ValueError("parameters is empty; give a pattern such as '*.mlp.*', or None for all")
    return [(name, p) for name, p in trainable if id(p) in found]
