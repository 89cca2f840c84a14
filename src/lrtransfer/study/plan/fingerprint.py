"""Fingerprints of code: equal for equal meaning, whatever the comments, layout or host.

A file's fingerprint is a hash of its syntax tree without docstrings, so that a comment edit changes
nothing and a changed constant changes it; nor does what a member's file says of itself to planner
and tests (its price, its test cases). A stage's fingerprint covers the files it imports within
the package; imports made by name at run time (models, probes, …) are not followed, the caller adds
the members that a run uses. Left out are the package's face, which only re-exports, the catalog and
the table of parts, which find the code that a key names, and the form of a configuration, whose
content a key holds.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from lrtransfer.study.plan.catalog import DESCRIPTIONS, PACKAGE, is_member

_LEFT_OUT = frozenset(
    {
        "__init__.py",
        "study/plan/catalog.py",
        "study/plan/parts.py",
        "study/plan/run_config.py",
    }
)


def code(*roots: str | Path) -> dict[str, str]:
    """Return {file relative to the package: hash} for `roots` and all that they import."""
    return dict(_code(roots))


def digest(content: Any) -> str:
    """Return the sha256 of `content` as canonical JSON: sorted keys, no spaces, exact floats."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def file_hash(path: Path) -> str:
    """Return the first 16 hex digits of the sha256 of a Python file's meaning."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if is_member(path):
        tree.body = [node for node in tree.body if not _is_description(node)]
    return hashlib.sha256(repr(_meaning(tree)).encode()).hexdigest()[:16]


def _absolute(root: str | Path) -> Path:
    path = Path(root)
    return path if path.is_absolute() else PACKAGE / path


def _meaning(node: Any) -> Any:
    """Return nested tuples that are equal for equal code on every supported Python version.

    Own form instead of `ast.dump`, whose output and optional fields differ between versions.
    """
    if isinstance(node, ast.AST):
        fields = [
            (name, _meaning(value))
            for name, value in ast.iter_fields(node)
            if value is not None and value != [] and name not in {"ctx", "kind", "type_comment"}
        ]
        return (type(node).__name__, *fields)
    if isinstance(node, list):
        return [_meaning(item) for item in node if not _is_docstring(item)]
    return node


def _is_docstring(node: Any) -> bool:
    """Return whether `node` is a bare string: a statement without effect."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _is_description(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(t, ast.Name) and t.id in DESCRIPTIONS for t in targets)


@cache
def _code(roots: tuple[str | Path, ...]) -> dict[str, str]:
    files = _closure({_absolute(root) for root in roots})
    return {str(f.relative_to(PACKAGE)): file_hash(f) for f in files}


def _closure(roots: set[Path]) -> tuple[Path, ...]:
    found: set[Path] = set()
    waiting = list(roots)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imports(path)
    return tuple(sorted(found))


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return tuple(
        file
        for module in _imported_modules(tree.body)
        for file in _module_files(module)
        if file.relative_to(PACKAGE).as_posix() not in _LEFT_OUT
    )


def _imported_modules(body: Iterable[ast.AST]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imported_modules(node.orelse)
        else:
            yield from _imported_modules(ast.iter_child_nodes(node))


def _module_files(module: str) -> list[Path]:
    parts = module.split(".")
    if parts[0] != PACKAGE.name:
        return []
    base = PACKAGE.joinpath(*parts[1:])
    return [f for f in (base.with_suffix(".py"), base / "__init__.py") if f.is_file()]
