"""Names of modules and parameters, told by patterns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

Value = TypeVar("Value")


def expand(patterns: str | Iterable[str], names: Sequence[str], argument: str) -> list[str]:
    """Return the names that the patterns match, in the order of `names`.

    A `*` stands for one part of a dotted name: `blocks.*` is `blocks.0`, not
    `blocks.0.norm`.

    Args:
        patterns: Names, or patterns of names.
        names: All there are.
        argument: Where the patterns were given, for the message.

    Raises:
        ValueError: A pattern matches nothing; the message names it.

    Example:
        >>> from lrtransfer.scaling.names import expand
        >>> expand("blocks.*", ["first", "blocks.0", "blocks.0.norm", "blocks.1"], "branches")
        ['blocks.0', 'blocks.1']
    """
    told = [patterns] if isinstance(patterns, str) else list(patterns)
    chosen: set[str] = set()
    for pattern in told:
        matched = [name for name in names if _matches(name, pattern)]
        if not matched:
            raise ValueError(
                f"{argument} names {pattern!r}, which the model does not have. Give names as in "
                "named_modules() and named_parameters(); a * stands for one part between dots."
            )
        chosen.update(matched)
    return [name for name in names if name in chosen]


def expand_keys(
    patterns: Mapping[str, Value], names: Sequence[str], argument: str
) -> dict[str, Value]:
    """Return name -> value for a mapping whose keys are patterns, as for `expand`.

    Raises:
        ValueError: A pattern matches nothing, or two give one name different values.

    Example:
        >>> from lrtransfer.scaling.names import expand_keys
        >>> expand_keys({"blocks.*": 2}, ["first", "blocks.0", "blocks.1"], "attention")
        {'blocks.0': 2, 'blocks.1': 2}
    """
    chosen: dict[str, Value] = {}
    for pattern, value in patterns.items():
        for name in expand(pattern, names, argument):
            if chosen.setdefault(name, value) != value:
                raise ValueError(
                    f"{argument} gives {name!r} both {chosen[name]!r} and {value!r}. "
                    "Write patterns that do not overlap."
                )
    return chosen


def holds(module: str, name: str) -> bool:
    """Return whether the module named `module` holds the module or parameter `name`.

    Example:
        >>> from lrtransfer.scaling.names import holds
        >>> holds("blocks.1", "blocks.1.weight"), holds("blocks.1", "blocks.10.weight")
        (True, False)
    """
    return name.startswith(f"{module}.")


def _matches(name: str, pattern: str) -> bool:
    parts, wanted = name.split("."), pattern.split(".")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))
