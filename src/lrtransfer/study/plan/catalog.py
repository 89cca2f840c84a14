"""What a study may name, found by file: one discovery for every kind of member.

A member is a file that assigns its room's marker at top level: `MODEL = ResidualMLP`. Adding the
file, here or in the study's folder (`places`), is all it takes to add the member. All but `load`
read the source and import nothing, so that planning needs no torch and a bad name or option in
params.yaml is refused before any job starts.

A member's options are the keyword-only parameters of what its marker names (of a model all of
them): a function, a class (those of its `__init__`, and of its bases where that takes `**options`
or there is none), or a dataclass (its fields). A marker may also name a preset, the same with
other defaults: `TUNER = partial(CDAT, sigma=1.0)`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from lrtransfer.study.plan import places
from lrtransfer.study.plan.places import PACKAGE, Source
from lrtransfer.study.plan.yaml_file import StudyError


@dataclass(frozen=True)
class Room:
    """Where members of one kind lie.

    Attributes:
        folder: Relative to the package.
        own: Folder of the study's own members, relative to the study's.
        marker: What a member's file assigns.
        called: What messages call a member.
    """

    folder: str
    own: str
    marker: str
    called: str


ROOMS = {
    "data": Room("study/data", "data", "DATASET", "data source"),
    "models": Room("study/models", "models", "MODEL", "model family"),
    "losses": Room("study/losses", "losses", "LOSS", "loss"),
    "optim": Room("optim", "optimizers", "OPTIMIZER", "optimizer"),
    "optim/schedules": Room("optim/schedules", "schedules", "SCHEDULE", "schedule"),
    "optim/tuners": Room("optim/tuners", "tuners", "TUNER", "tuner"),
    "probes": Room("study/probes", "probes", "PROBE", "probe"),
    "figures": Room("study/figures", "figures", "FIGURE", "figure"),
}
# What the grid and the data set say of a model's size.
GRID_OPTIONS = frozenset({"in_features", "out_features", "width", "depth"})

# What a member's file tells the planner and the tests; the code of ours never reads it.
DESCRIPTIONS = frozenset(
    {"CASES", "COLUMNS", "COORDINATE_CHECK", "DRAWN_FROM"}
    | {"ELEMENTWISE", "FAMILY", "PRICE", "ROLES"}
)


@dataclass(frozen=True)
class Option:
    """One option of a member: its annotation as source text, and its default."""

    annotation: str
    default: object
    required: bool


def names(room: str) -> tuple[str, ...]:
    """Return the sorted names of the members of a room, a key of `ROOMS`."""
    return tuple(sorted(_members(places.study(), room)))


def source_file(room: str, name: str) -> Path:
    """Return the file that defines a member; a file that is not there where the room lacks it."""
    found = _members(places.study(), room).get(name)
    return found.file if found else PACKAGE / ROOMS[room].folder / f"{name}.py"


def is_ours(room: str, name: str) -> bool:
    """Return whether a member is this package's, not the study's or an installed package's."""
    return source_file(room, name).is_relative_to(PACKAGE)


def is_member(file: Path) -> bool:
    """Return whether a file defines a member of some room."""
    found = (_members(places.study(), room).get(file.stem) for room in ROOMS)
    return any(source is not None and source.file == file for source in found)


def load(room: str, name: str) -> Any:
    """Import a member and return what its marker names.

    Raises:
        LookupError: The room has no such member.
        StudyError: It is the study's own, and its file fails.
    """
    return attribute(room, name, ROOMS[room].marker)


def attribute(room: str, name: str, attribute: str, *default: Any) -> Any:
    """Import a member's file and return what it assigns to a name; raises as `load`."""
    known = _members(places.study(), room)
    if name not in known:
        called = ROOMS[room].called
        raise LookupError(f"unknown {called} {name!r}. Known: {', '.join(names(room))}.")
    return getattr(places.imported(known[name]), attribute, *default)


@cache
def _members(study: Path, room: str) -> dict[str, Source]:
    """Return the members of a room by name, as seen from a study's folder."""
    place = ROOMS[room]
    # Jobs look at hundreds of our files: that one has the marker is seen without parsing it.
    marker = re.compile(rf"^{place.marker}\b", re.MULTILINE)

    def is_one(file: Path) -> bool:
        if file.is_relative_to(PACKAGE):
            return marker.search(file.read_text(encoding="utf-8")) is not None
        try:
            return _assigned(file, place.marker) is not None
        except StudyError:  # said where it is used
            return True

    return places.sources(place.folder, place.own, is_one)


def tells_roles(model: str) -> bool:
    """Return whether a model's file says which roles its tensors have; else they are inferred."""
    return _assigned(source_file("models", model), "ROLES") is not None


def families() -> tuple[str, ...]:
    """Return the model families that tell their roles."""
    return tuple(name for name in names("models") if tells_roles(name))


def constant(room: str, name: str, constant: str) -> Any:
    """Return the literal that a member's file assigns to `constant` (`ROLES`, `PRICE`).

    Raises:
        LookupError: The file does not assign it.
    """
    return _constant(source_file(room, name), constant)


def flag(room: str, name: str, constant: str) -> bool:
    """Return whether a member's file assigns True to `constant` (`ELEMENTWISE`)."""
    value = _assigned(source_file(room, name), constant)
    return value is not None and ast.literal_eval(value) is True


@cache
def _constant(file: Path, constant: str) -> Any:
    value = _assigned(file, constant)
    if value is None:
        raise LookupError(f"{places.name_of(file)} must assign {constant}")
    return ast.literal_eval(value)


def measure_sources() -> list[Source]:
    """Return the files that may define measures; the study's own come last, and so count."""
    found = places.sources("study/evidence/measures", "measures", lambda file: True)
    return sorted(found.values(), key=lambda source: (places.is_own(source.file), source.file))


# What a probe's columns may be used for (`lrtransfer.study.probes`).
COLUMN_KINDS = ("compared", "curvature", "phases", "predictor", "times_rate")


def columns(kind: str) -> tuple[str, ...]:
    """Return the columns of all probes that are of a kind (`lrtransfer.study.probes`)."""
    described = (constant("probes", name, "COLUMNS") for name in names("probes"))
    return tuple(c for of_probe in described for c, kinds in of_probe.items() if kind in kinds)


def options(room: str, name: str) -> dict[str, Option]:
    """Return the options of a member by name, in the order in which they are declared.

    Raises:
        LookupError: The room has no such member, or its source does not say what it takes.
        StudyError: The source is the study's own and no Python.
    """
    return _options_of(source_file(room, name), ROOMS[room].marker)


@cache
def _options_of(file: Path, marker: str) -> dict[str, Option]:
    value = _assigned(file, marker) if file.is_file() else None
    if value is None:
        raise LookupError(f"{places.name_of(file)} must assign {marker}")
    return _options(file, value, every=marker == ROOMS["models"].marker)


def misshapen(room: str, name: str, arguments: int) -> str | None:
    """Return `file:line: what is wrong` with a function of the study's own; None if nothing is.

    Args:
        room: A key of `ROOMS`.
        name: A member that is a function; of anything else nothing is told.
        arguments: How many it is called with, by position.
    """
    file = source_file(room, name)
    value = _assigned(file, ROOMS[room].marker)
    defined = _definition(file, ast.unparse(value)) if value is not None else None
    if is_ours(room, name) or defined is None or not isinstance(defined[1], ast.FunctionDef):
        return None
    return misfit(defined[0], defined[1], arguments)


def misfit(file: Path, function: ast.FunctionDef, arguments: int) -> str | None:
    """Return `file:line: what is wrong` where a function cannot be called so, or returns nothing.

    Args:
        file: Where the function is defined.
        function: Its definition.
        arguments: How many it is called with, by position.
    """
    taken = [*function.args.posonlyargs, *function.args.args]
    least = len(taken) - len(function.args.defaults)
    most = arguments if function.args.vararg else len(taken)
    returned = [node for node in ast.walk(function) if isinstance(node, ast.Return) and node.value]
    if least <= arguments <= most and returned:
        return None
    names = ", ".join(argument.arg for argument in taken)
    wrong = f"takes ({names})" if returned else "returns nothing"
    return f"{places.shown(file)}:{function.lineno}: {function.name!r} {wrong}"


def mismatch(annotation: str, value: object) -> str | None:
    """Return what `value` should have been, or None where it fits the annotation's text.

    Understands `int` (a size, count or seed: never negative), `float`, `bool`, `str` and
    `Literal[...]`, each also with `| None`; any other annotation is left to the constructor.
    """
    if annotation.endswith(" | None"):
        return None if value is None else mismatch(annotation.removesuffix(" | None"), value)
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


@cache
def _top_level(file: Path) -> dict[str, ast.stmt]:
    """Return what a file defines, assigns and imports at top level, by name."""
    found: dict[str, ast.stmt] = {}
    for node in places.parsed(file).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = node
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: node for alias in node.names}
    return found


def _assigned(file: Path, name: str) -> ast.expr | None:
    """Return the expression that a file assigns to a name at top level."""
    node = _top_level(file).get(name)
    return node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None


def _definition(file: Path, name: str) -> tuple[Path, ast.stmt] | None:
    """Follow a name through imports; None where it comes from outside."""
    node = _top_level(file).get(name)
    if isinstance(node, ast.ImportFrom):
        alias = next(a for a in node.names if name in (a.asname, a.name))
        found = (_definition(origin, alias.name) for origin in places.files_of(file, node)[:1])
        return next(found, None)
    return (file, node) if node is not None else None


def _options(file: Path, value: ast.expr, *, every: bool) -> dict[str, Option]:
    """Return the options of what an expression of a file names: keywords alone, or `every`."""
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "partial":
        found = _options(file, value.args[0], every=every)
        preset = {keyword.arg: keyword.value for keyword in value.keywords}
        return {
            name: replace(option, default=literal(file, preset[name]), required=False)
            if name in preset
            else option
            for name, option in found.items()
        }
    defined = _definition(file, ast.unparse(value))
    if defined is not None and isinstance(defined[1], ast.FunctionDef):
        return dict(_declared(defined[0], defined[1].args, every=every))
    if defined is not None and isinstance(defined[1], ast.ClassDef):
        return _of_class(defined[0], defined[1], every=every)
    raise LookupError(
        f"{places.name_of(file)} assigns {ast.unparse(value)}, whose options cannot be read. "
        "Name a function or class of this file or of one that it imports, or a partial of one."
    )


def _of_class(file: Path, defined: ast.ClassDef, *, every: bool) -> dict[str, Option]:
    """Return the options of a class: its own, after those that it passes on to its bases."""
    init = next(
        (n for n in defined.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None
    )
    found: dict[str, Option] = {}
    if init is None or init.args.kwarg is not None:
        for base in defined.bases:
            parent = _definition(file, ast.unparse(base))
            if parent is not None and isinstance(parent[1], ast.ClassDef):
                found |= _of_class(parent[0], parent[1], every=every)
    if init is not None:
        return found | dict(_declared(file, init.args, every=every))
    if any("dataclass" in ast.unparse(decorator) for decorator in defined.decorator_list):
        for node in defined.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found[node.target.id] = _option(file, node.annotation, node.value)
    return found


def _declared(file: Path, arguments: ast.arguments, *, every: bool) -> Iterator[tuple[str, Option]]:
    plain = [argument for argument in arguments.args if argument.arg != "self"] if every else []
    defaults: list[ast.expr | None] = [*[None] * len(plain), *arguments.defaults]
    pairs = zip(plain, defaults[len(defaults) - len(plain) :], strict=True)
    keywords = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    for argument, default in (*pairs, *keywords):
        yield argument.arg, _option(file, argument.annotation, default)


def literal(file: Path, default: ast.expr) -> Any:
    """Return the plain value that an expression of a file is; raise `LookupError` else."""
    try:
        return ast.literal_eval(default)
    except ValueError:
        raise LookupError(
            f"{places.name_of(file)}:{default.lineno}: the default {ast.unparse(default)} is no "
            "plain value, which an option has to have. Write it out."
        ) from None


def _option(file: Path, annotation: ast.expr | None, default: ast.expr | None) -> Option:
    text = ast.unparse(annotation) if annotation else "Any"
    # An alias such as `Shape = Literal["linear", "cosine"]` counts as what it stands for.
    alias = _definition(file, text)
    if alias is not None and isinstance(alias[1], ast.Assign):
        text = ast.unparse(alias[1].value)
    value = literal(file, default) if default is not None else None
    return Option(text, default=value, required=default is None)
