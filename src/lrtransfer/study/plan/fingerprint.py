"""Fingerprints of code: equal for equal meaning, whatever the comments, layout or host.

A file's fingerprint is a hash of its syntax tree without docstrings, so that a comment edit changes
nothing and a changed constant changes it; nor does what a member's file says of itself to planner
and tests (its price, its test cases), unless a part from elsewhere reads it. A stage's fingerprint
covers the files it imports within the package; imports made by name at run time (models, probes, …)
are not followed, the caller adds the members that a run uses. What a study's own part, or an
installed package's, imports from its own folder is followed likewise (`places`). Left out are the
package's face, which only re-exports, the catalog, the places and the table of parts, which find
the code that a key names, and the form of a configuration, whose content a key holds.
"""

from __future__ import annotations

import ast
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from lrtransfer.study.plan import places
from lrtransfer.study.plan.catalog import DESCRIPTIONS, is_member
from lrtransfer.study.plan.places import PACKAGE

_LEFT_OUT = frozenset(
    {
        "__init__.py",
        "study/plan/catalog.py",
        "study/plan/parts.py",
        "study/plan/places.py",
        "study/plan/run_config.py",
    }
)


def code(*roots: str | Path) -> dict[str, str]:
    """Return {`places.name_of` a file: hash} for `roots` and all that they import.

    Raises:
        StudyError: A file of the study's own is no Python.
    """
    return dict(_code(roots))


def digest(content: Any) -> str:
    """Return the sha256 of `content` as canonical JSON."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def digest_of(**parts: str) -> str:
    """Return the digest of a mapping whose values are canonical JSON already."""
    text = ",".join(f'"{name}":{parts[name]}' for name in sorted(parts))
    return hashlib.sha256(f"{{{text}}}".encode()).hexdigest()


def canonical(content: Any) -> str:
    """Return `content` as canonical JSON: sorted keys, no spaces, exact floats."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


@cache
def file_hash(path: Path, read: frozenset[str] = frozenset()) -> str:
    """Return the first 16 hex digits of the sha256 of a Python file's meaning.

    Args:
        path: The file.
        read: The descriptions that code reads, which are therefore a part of it.
    """
    tree = places.parsed(path)
    if is_member(path):
        body = [node for node in tree.body if not _is_description(node, DESCRIPTIONS - read)]
        tree = ast.Module(body, tree.type_ignores)
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


def _is_description(node: ast.stmt, names: frozenset[str]) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    found = [isinstance(t, ast.Name) and t.id in names for t in targets]
    return bool(found) and all(found)


@cache
def _code(roots: tuple[str | Path, ...]) -> dict[str, str]:
    files = _closure({_absolute(root) for root in roots})
    read = frozenset().union(*map(_descriptions_read, files))
    return {places.name_of(file): file_hash(file, read) for file in files}


@cache
def _descriptions_read(path: Path) -> frozenset[str]:
    """Return the descriptions that a part from elsewhere reads; ours never do (a test)."""
    if path.is_relative_to(PACKAGE):
        return frozenset()
    found: set[object] = set()
    for node in ast.walk(places.parsed(path)):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Constant):  # as in `globals()["CASES"]`
            found.add(node.value)
    return DESCRIPTIONS if "*" in found else DESCRIPTIONS & found


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
    found = places.imported_files(path)
    return tuple(file for file in found if places.name_of(file) not in _LEFT_OUT)
