"""What claims may measure, and the options of each measure.

Read from the source of `study/evidence/measures`, and of `measures` in the study's folder, so that
a bad name is refused before any job starts.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Literal, get_args

from lrtransfer.study.plan import catalog, places
from lrtransfer.study.plan.catalog import Option
from lrtransfer.study.plan.messages import closest

# What the quantity of a measure is, by the annotation of its option: a kind of probes' columns, or
# one of the courses (columns of the curves, or products of two) by which tuners are compared.
KINDS = {
    "Curvature": "curvature",
    "Compared": "compared",
    "Aligned": "phases",
    "Predictor": "predictor",
}
# What more of would narrow a measure's interval (`study/evidence/measure.py`).
Kind = Literal["slope", "mean", "arms"]
COURSES = ("rate", "edge_sharpness", "rate*edge_sharpness", "edge_alignment", "update_cosine")


def measures() -> dict[str, dict[str, Option]]:
    """Return the options of every measure by name, read from the source."""
    return _measures(places.study())


def definitions() -> dict[str, tuple[Path, ast.FunctionDef]]:
    """Return every measure's file and definition by name."""
    return _definitions(places.study())


@cache
def _measures(study: Path) -> dict[str, dict[str, Option]]:
    """Return the measures as seen from a study's folder."""
    return {
        name: dict(_options(file, node, dict(_aliases(places.parsed(file)))))
        for name, (file, node) in _definitions(study).items()
    }


@cache
def _definitions(study: Path) -> dict[str, tuple[Path, ast.FunctionDef]]:
    return {
        node.name: (source.file, node)
        for source in catalog.measure_sources()
        for node in places.parsed(source.file).body
        if isinstance(node, ast.FunctionDef) and _is_measure(node)
    }


def malformed(name: str) -> str | None:
    """Return `file:line: what is wrong` with a measure of the study's own; None if nothing is."""
    file, node = definitions()[name]
    if file.is_relative_to(places.PACKAGE):
        return None
    if wrong := catalog.misfit(file, node, 1):
        return f"{wrong}. Let it take (estimates, *, options) and return an Estimate or None."
    place = f"{places.shown(file)}:{node.lineno}: {name!r}"
    (call,) = (d for d in node.decorator_list if isinstance(d, ast.Call))
    given = dict(enumerate(call.args)) | {keyword.arg: keyword.value for keyword in call.keywords}
    said = {str(k): str(v.value) for k, v in given.items() if isinstance(v, ast.Constant)}
    if said.keys() != {"0", "unit", "kind"}:
        return f'{place} lacks its words. Write @measure("what of {{arm}}", unit="1", kind="mean").'
    if said["kind"] not in get_args(Kind):
        return f"{place} is of kind {said['kind']!r}. Give one of {', '.join(get_args(Kind))}."
    known = {"0": {"axis", "axes", *measures()[name]}, "unit": {"axis"}}
    strange = (_strange(said[part], names) for part, names in known.items())
    return next((f"{place} {wrong}" for wrong in strange if wrong), None)


def _strange(words: str, known: Collection[str]) -> str | None:
    """Return what is wrong with the braces of a measure's words; None if nothing is."""
    try:
        fields = [field for _, field, _, _ in Formatter().parse(words) if field is not None]
    except ValueError as error:
        return f"has words in which there is a {error}. Write a brace that is meant twice."
    strange = next((field for field in fields if field not in known), None)
    if strange is None:
        return None
    return f"says {{{strange}}}, which is no option. {closest(strange, known)}"


def _is_measure(node: ast.FunctionDef) -> bool:
    calls = (d.func for d in node.decorator_list if isinstance(d, ast.Call))
    return any(isinstance(call, ast.Name) and call.id == "measure" for call in calls)


def _aliases(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the names that a file gives to types, with what they stand for."""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, ast.unparse(node.value)


def _options(
    file: Path, node: ast.FunctionDef, aliases: Mapping[str, str]
) -> Iterator[tuple[str, Option]]:
    """Yield a measure's options; a measure of one arm alone takes `minus`, another arm."""
    names = [argument.arg for argument in node.args.kwonlyargs]
    for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        text = ast.unparse(argument.annotation) if argument.annotation else "Any"
        text = text.removesuffix(" | None")
        value = catalog.literal(file, default) if default is not None else None
        yield argument.arg, Option(aliases.get(text, text), value, required=default is None)
    if "arm" in names and not {"over", "minus", "against"} & set(names):
        yield "minus", Option("Arm", None, required=False)
