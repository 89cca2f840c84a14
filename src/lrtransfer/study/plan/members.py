"""Whether a name is one of those known, and whether the options given are those that it takes."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.catalog import GRID_OPTIONS
from lrtransfer.study.plan.messages import closest, unfit, unknown
from lrtransfer.study.plan.schema import NamedSpec
from lrtransfer.study.plan.values import Options

_LARGEST = 10**6  # of a whole number among a model's options


def named(room: str, spec: NamedSpec, path: str) -> Iterator[str]:
    """Check a choice of a room's member and its options."""
    yield from member(room, spec.name, spec.options, path, "name")


def member(room: str, name: str, options: Options, path: str, field: str) -> Iterator[str]:
    """Check the name of a room's member, which stands at `field`, and the options given to it."""
    if name not in catalog.names(room):
        yield from listed(room, name, f"{path}.{field}")
        return
    known = catalog.options(room, name)
    for option, value in options.items():
        if option not in known:
            yield (
                f"{path}.options.{option}: {name!r} has no such option. "
                f"{closest(option, set(known) - GRID_OPTIONS)}"
            )
        elif (expected := misfit(room, known[option].annotation, value)) is not None:
            yield f"{path}.options.{option}: {unfit(value, expected)}"
    for option, declared in known.items():
        if declared.required and option not in options and option not in GRID_OPTIONS:
            yield f"{path}.options.{option}: missing. Give a value ({declared.annotation})."


def misfit(room: str, annotation: str, value: object) -> str | None:
    """Return what an option's value should have been, or None; models have bounds."""
    if room == "models" and annotation == "int" and isinstance(value, int) and value > _LARGEST:
        return f"a whole number of at most {_LARGEST:,}"
    return catalog.mismatch(annotation, value)


def listed(room: str, name: str, path: str) -> Iterator[str]:
    """Check the name of a room's member."""
    yield from known_name(path, catalog.ROOMS[room].called, name, catalog.names(room))


def known_name(path: str, what: str, name: str, known: Collection[str]) -> Iterator[str]:
    """Check a name against those known; `what` says of what."""
    if name not in known:
        yield f"{path}: {unknown(what, name, known)}"
