"""What each room offers by name, read from its source without importing it.

A room's member is a file that assigns the room's marker at top level (``MODEL = ResidualMLP``).
Reading the source keeps this room free of torch and lets a bad name or option in params.yaml be
refused before any job starts; adding a file is all it takes to add a member.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[2]

# The rooms of instruments; the other rooms' folders lie in the study.
_INSTRUMENTS = ("optim", "optim/schedules", "optim/tuners")

_MARKERS = {
    "models": "MODEL",
    "data": "DATASET",
    "optim": "OPTIMIZER",
    "optim/schedules": "SCHEDULE",
    "optim/tuners": "TUNER",
    "losses": "LOSS",
    "probes": "PROBE",
    "figures": "FIGURE",
}


@dataclass(frozen=True)
class Option:
    """One keyword of a member's constructor: its annotation as source text, and its default."""

    annotation: str
    default: object
    required: bool


def folder(room: str) -> Path:
    """Return where the members of ``room`` lie in the package."""
    return PACKAGE / room if room in _INSTRUMENTS else PACKAGE / "study" / room


@cache
def names(room: str) -> tuple[str, ...]:
    """Return the sorted names of the members of ``room`` (e.g. ``models``, ``optim/schedules``)."""
    marker = re.compile(rf"^{_MARKERS[room]}\b", re.MULTILINE)
    files = folder(room).glob("*.py")
    return tuple(sorted(f.stem for f in files if marker.search(f.read_text(encoding="utf-8"))))


def source_file(room: str, name: str) -> Path:
    """Return the file that defines member ``name`` of ``room``."""
    return folder(room) / f"{name}.py"


@cache
def constant(room: str, name: str, constant: str) -> Any:
    """Return what a member's file assigns to ``constant`` (``ROLES``, ``FAMILY``) as a literal.

    Raises:
        LookupError: The file does not assign it.
    """
    tree = ast.parse(source_file(room, name).read_text(encoding="utf-8"))
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == constant
        ):
            return ast.literal_eval(node.value)
    raise LookupError(f"{room}/{name}.py must assign {constant}")


@cache
def options(room: str, name: str) -> dict[str, Option]:
    """Return the keyword-only options of a member: those of the object its marker names.

    The object is a class (its ``__init__`` counts) or a function.
    """
    tree = ast.parse(source_file(room, name).read_text(encoding="utf-8"))
    marker = _MARKERS[room]
    target = next(
        node.value.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == marker
        and isinstance(node.value, ast.Name)
    )
    aliases = {
        node.targets[0].id: ast.unparse(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    arguments = _signature(tree, target)
    found: dict[str, Option] = {}
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        annotation = ast.unparse(argument.annotation) if argument.annotation else "Any"
        found[argument.arg] = Option(
            annotation=aliases.get(annotation, annotation),
            default=ast.literal_eval(default) if default is not None else None,
            required=default is None,
        )
    return found


def _signature(tree: ast.Module, name: str) -> ast.arguments:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node.args
        if isinstance(node, ast.ClassDef) and node.name == name:
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                    return item.args
    raise LookupError(f"no class or function {name!r} with a signature in the file")


def mismatch(annotation: str, value: object) -> str | None:
    """Return what ``value`` should have been, or None where it fits the annotation's text.

    Understands ``int`` (a size, count or seed: never negative), ``float``, ``bool``, ``str`` and
    ``Literal[...]``; any other annotation is left to the constructor.
    """
    if annotation.startswith("Literal["):
        allowed = ast.literal_eval(f"({annotation[8:-1]},)")
        return None if value in allowed else "one of " + ", ".join(map(str, allowed))
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    fits = {
        "int": is_number and isinstance(value, int) and value >= 0,
        "float": is_number,
        "bool": isinstance(value, bool),
        "str": isinstance(value, str),
    }
    described = {
        "int": "a whole number of at least 0",
        "float": "a number",
        "bool": "true or false",
        "str": "text",
    }
    return None if fits.get(annotation, True) else described[annotation]
