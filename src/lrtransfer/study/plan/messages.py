"""Turning validation errors into one line per faulty field: field path, what is wrong, remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Place = tuple[int | str, ...]
Schema = Mapping[str, Any]

# What a value has to be, in words, by the kind of error that pydantic found.
_EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "string": "text",
    "list": "a list",
    "dict": "a mapping, as in {name: value}",
    "model": "a mapping, as in {name: value}",
}
_BOUNDS = {
    "greater_than": ("gt", "a number greater than {}"),
    "greater_than_equal": ("ge", "a number of at least {}"),
    "less_than": ("lt", "a number less than {}"),
    "less_than_equal": ("le", "a number of at most {}"),
    "string_too_short": ("min_length", "text of at least {} character"),
    "string_too_long": ("max_length", "text of at most {} characters"),
}
_PATTERNS = {
    r"^[a-z][a-z0-9_]*$": "a name of lower-case letters, digits and underscores",
    r"^[^_]": "a text that does not begin with an underscore",
    r"^1/[1-9]\d{0,8}$": "a share such as 1/4",
    r"^[0-9a-f]{64}$": "the 64 hexadecimal digits that sha256sum prints",
    r"^(auto|cpu|cuda(:\d+)?)$": "auto, cpu, cuda or cuda:0",
}
_WIDEST = 40  # characters of a faulty value that a message repeats


def closest(word: str, known: Iterable[str]) -> str:
    """Return a remedy that names the closest known word, or all of them."""
    choices = sorted(known)
    match = difflib.get_close_matches(word, choices, n=1)
    return f"Did you mean '{match[0]}'?" if match else f"Known: {', '.join(choices) or 'none'}."


def unknown(what: str, word: str, known: Iterable[str]) -> str:
    """Return the message that there is no `what` of this name."""
    return f"unknown {what} {word!r}. {closest(word, known)}"


def unfit(value: object, expected: str) -> str:
    """Return the message that something else is expected."""
    return f"{shown(value)} does not fit. Give {expected}."


def shown(value: object) -> str:
    """Return `value` as one would write it in YAML, shortened where it is long."""
    if isinstance(value, bool) or value is None:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "a mapping"
    text = repr(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def describe(
    error: ValidationError, content: Mapping[str, Any], root: type[BaseModel]
) -> list[str]:
    """Return `field: what is wrong. Remedy.` for each faulty field of `content`.

    A union reports once per member and a misspelt field twice, as unknown and as missing: each
    becomes one line.

    Args:
        error: What pydantic found.
        content: The mapping that was validated.
        root: The model that it was validated against.
    """
    found: dict[Place, list[ErrorDetails]] = {}
    for one in error.errors():
        found.setdefault(_place(one, content), []).append(one)
    missing = {place for place, errors in found.items() if errors[0]["type"] == "missing"}
    lines: dict[Place, str] = {}
    for place, errors in found.items():
        if errors[0]["type"] == "extra_forbidden":
            fields = _fields_at(root, place[:-1])
            match = difflib.get_close_matches(str(place[-1]), fields, n=1)
            missing -= {(*place[:-1], *match)}
            lines[place] = f"unknown field. {closest(str(place[-1]), fields)}"
        elif place not in missing and not _has_deeper(place, found):
            lines[place] = _problem(errors)
    lines |= dict.fromkeys(missing, "missing. Add this field.")
    return [f"{_path(place)}: {lines[place]}" for place in found if place in lines]


def _problem(errors: Sequence[ErrorDetails]) -> str:
    """Return what is wrong with one field and the remedy; a union gives several errors."""
    told = [error for error in errors if not _is_type_error(error)] or list(errors)
    kind, given = told[0]["type"], told[0]["input"]
    if kind == "value_error":
        return told[0]["msg"].removeprefix("Value error, ")
    if kind == "too_short":
        return "is empty. Give at least one entry."
    if kind == "too_long":
        return f"has {len(given):,} entries. Give at most {told[0]['ctx']['max_length']:,}."
    words = [word for error in errors for word in _words(error)]
    if isinstance(given, str) and difflib.get_close_matches(given, words, n=1):
        return unknown("value", given, words)
    remedy = " or ".join(dict.fromkeys(_expected(error) for error in told))
    if remedy == "a list" and isinstance(given, str | int | float):
        remedy += f", as in [{given}]"
    if isinstance(given, str) and "number" in remedy:
        return f"{given!r} is text. Give {remedy}; an exponent needs a dot, as in 1.0e-3."
    return unfit(given, remedy)


def _expected(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind in _BOUNDS:
        name, text = _BOUNDS[kind]
        return text.format(context[name])
    if kind == "literal_error":
        return str(context["expected"]).replace("'", "")
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(context["pattern"], f"text that matches {context['pattern']}")
    return _EXPECTED.get(kind.partition("_")[0], "what the schema allows")


def _words(error: ErrorDetails) -> list[str]:
    """Return the words among which a literal chooses."""
    if error["type"] != "literal_error":
        return []
    return re.findall(r"'([^']*)'", str(error["ctx"]["expected"]))


def _is_type_error(error: ErrorDetails) -> bool:
    return error["type"] == "literal_error" or error["type"].endswith("_type")


def _place(error: ErrorDetails, content: Any) -> Place:
    """Return where in `content` an error lies, without the steps of pydantic's own making."""
    place: list[int | str] = []
    current = content
    for part in error["loc"]:
        if _holds(current, part):
            place.append(part)
            current = current[part]
    # A missing field is in no content; it is always what the location ends with.
    return (*place, error["loc"][-1]) if error["type"] == "missing" else tuple(place)


def _holds(content: Any, part: int | str) -> bool:
    if isinstance(content, Mapping):
        return part in content
    return isinstance(content, list) and isinstance(part, int) and part < len(content)


def _has_deeper(place: Place, found: Iterable[Place]) -> bool:
    return any(len(other) > len(place) and other[: len(place)] == place for other in found)


def _path(place: Place) -> str:
    path = ""
    for part in place:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            text = str(part) if str(part).isprintable() else repr(part)
            path += f"{'.' * bool(path)}{text[:_WIDEST]}{'…' * (len(text) > _WIDEST)}"
    return path or "(top level)"


def _fields_at(root: type[BaseModel], place: Place) -> list[str]:
    """Return the names of the fields that the section at `place` may have."""
    schema = root.model_json_schema()
    nodes = _members(schema, schema)
    for part in place:
        nodes = [m for node in nodes for n in _inner(node, part) for m in _members(n, schema)]
    return [name for node in nodes for name in node.get("properties", {})]


def _members(node: Schema, root: Schema) -> list[Schema]:
    """Return the schemas that `node` stands for: what it refers to, each member of a union."""
    if "$ref" in node:
        return _members(root["$defs"][node["$ref"].rpartition("/")[2]], root)
    if "anyOf" in node:
        return [found for member in node["anyOf"] for found in _members(member, root)]
    return [node]


def _inner(node: Schema, part: int | str) -> list[Schema]:
    """Return the schemas of the item, field or value that `part` names in `node`."""
    if isinstance(part, int):
        return [node["items"]] if "items" in node else []
    if part in node.get("properties", {}):
        return [node["properties"][part]]
    by_name = list(node.get("patternProperties", {}).values())
    others = node.get("additionalProperties")
    return by_name + ([others] if isinstance(others, dict) else [])
