"""Nested state of an optimizer as plain places, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def flattened(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield place and value of everything in mappings and lists, whose items are at `#i`.

    Example:
        >>> from lrtransfer.study.training.nested import flattened
        >>> list(flattened("a", {0: {"step": 1, "bases": [2, []]}}))
        [('a/0/step', 1), ('a/0/bases/#0', 2), ('a/0/bases/#1', [])]
    """
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from flattened(f"{place}/{name}", item)
    elif isinstance(value, list | tuple) and value:
        for index, item in enumerate(value):
            yield from flattened(f"{place}/#{index}", item)
    else:
        yield place, value


def nested(places: Mapping[str, Any]) -> dict[str, Any]:
    """Return the mappings and lists that `flattened` took apart, without their first place.

    Example:
        >>> from lrtransfer.study.training.nested import nested
        >>> nested({"0/step": 1, "0/bases/#0": 2, "0/bases/#1": []})
        {'0': {'step': 1, 'bases': [2, []]}}
    """
    found: dict[str, Any] = {}
    for place, value in places.items():
        *path, last = place.split("/")
        inner = found
        for name in path:
            inner = inner.setdefault(name, {})
        inner[last] = value
    return {name: _listed(value) for name, value in found.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict) or not value:
        return value
    items = {name: _listed(item) for name, item in value.items()}
    if all(name.startswith("#") for name in items):
        return [items[f"#{index}"] for index in range(len(items))]
    return items
