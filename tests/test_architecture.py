"""The house's import rules: data flows down, imports point up the list only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import lrtransfer

PACKAGE = Path(lrtransfer.__file__).parent
ROOMS = sorted({path.parent.name for path in PACKAGE.glob("*/*.py")})

# Room -> what no file of it may import.
FORBIDDEN = {
    "study": {"torch", "pandas", "pyarrow", "numpy", "scipy", "matplotlib", "seaborn"},
    "storage": {"torch", "pandas"},
    "data": {"torch"},
    "fits": {"torch"},
    "figures": {"torch"},
    "report": {"torch"},
    "models": {"lrtransfer.scaling"},
    "curvature": {"lrtransfer.study.plan"},
    "alignment": {"lrtransfer.study.plan"},
    "scaling": {"lrtransfer.study.plan"},
    "optim": {"lrtransfer.study.plan"},
    "theory": {"torch"},
}

# Room -> the only rooms of the package that it may import besides itself.
ALLOWED = {
    "study": set(),
    "storage": set(),
    "curvature": set(),
    "alignment": set(),
    "models": set(),
    "optim": {"curvature"},
    "data": {"storage"},
    "theory": set(),
    "scaling": {"models"},
    "probes": {"curvature", "alignment", "optim"},
    "fits": {"study", "storage", "theory", "optim"},
    "figures": {"fits", "theory"},
    "report": {"fits", "figures"},
    "training": {"study", "storage", "data", "models", "scaling", "optim", "curvature", "probes"},
    "coordinates": {"study", "storage", "models", "scaling", "optim", "training", "fits"},
    "spectra": {"study", "storage", "data", "curvature", "training"},
}


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports, at any depth, for types too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            assert node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(room: str) -> list[Path]:
    return sorted((PACKAGE / room).rglob("*.py"))


@pytest.mark.parametrize("room", sorted(FORBIDDEN))
def test_a_room_leaves_alone_what_it_must_not_import(room: str) -> None:
    for path in files(room):
        for name in imports(path):
            for forbidden in FORBIDDEN[room]:
                assert not f"{name}.".startswith(f"{forbidden}."), f"{path} imports {name}"


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_a_room_imports_only_rooms_above_it(room: str) -> None:
    for path in files(room):
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "lrtransfer" and len(parts) > 1 and parts[1] in ROOMS:
                assert parts[1] in ALLOWED[room] | {room}, f"{path} imports {name}"


def test_every_room_has_its_rule() -> None:
    assert set(ROOMS) == set(ALLOWED) | {"workflow"}
