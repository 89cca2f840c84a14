"""The house's rules: imports point up the list only and never in a circle; a room names its entry.

Imports count wherever they stand: inside functions and for types too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import lrtransfer

PACKAGE = Path(lrtransfer.__file__).parent

INSTRUMENTS = ("curvature", "alignment", "theory", "scaling", "optim", "transfer", "coordinates")
STUDY = (
    "storage",
    "plan",
    "data",
    "models",
    "losses",
    "probes",
    "training",
    "spectra",
    "evidence",
    "figures",
    "report",
    "workflow",
)
# A file imports from its own room and from those before it.
ORDER = (*INSTRUMENTS, *(f"study.{room}" for room in STUDY), "cli")

TORCH = frozenset({"torch", "safetensors.torch"})
NO_TORCH = (
    "transfer",
    "theory",
    "study.storage",
    "study.plan",
    "study.data",
    "study.evidence",
    "study.figures",
    "study.report",
)
NO_PANDAS = ("study.storage", "study.plan")
ENTRY = re.compile(r"Enter by `([\w.]+)`: \S.*[.?]")
# What takes longer to import than a plan may take.
SLOW = frozenset({"numpy", "pandas", "scipy", "pyarrow", "matplotlib", "seaborn"})


def module_names() -> dict[str, Path]:
    """Return the dotted name of every module of the package, a package under its folder's."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = module_names()


def imports(source: str) -> Iterator[str]:
    """Yield the dotted names that a source imports: of ``from a import b`` both a and a.b."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, "a relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


IMPORTS = {name: set(imports(path.read_text(encoding="utf-8"))) for name, path in MODULES.items()}


def room(module: str) -> str | None:
    """Return the room that a module of the package lies in; None for the package and its doors."""
    parts = module.split(".")[1:]
    name = ".".join(parts[: 2 if parts[:1] == ["study"] else 1])
    return name if name in ORDER else None


def definitions(path: Path) -> set[str]:
    """Return the functions and classes that a file defines at top level."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return {n.name for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef)}


def within_file(path: Path) -> set[str]:
    """Return every name that a file defines, methods and fields included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return found


def within(name: str, package: str) -> bool:
    return f"{name}.".startswith(f"{package}.")


def importers(rooms: tuple[str, ...], forbidden: frozenset[str]) -> list[str]:
    """Return who of ``rooms`` imports one of the ``forbidden`` packages."""
    return [
        f"{module} imports {name}"
        for module, names in IMPORTS.items()
        if room(module) in rooms
        for name in sorted(names)
        if any(within(name, package) for package in forbidden)
    ]


def components(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the sets of nodes that reach one another, larger than one (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def test_every_room_is_in_the_list_and_every_file_in_a_room() -> None:
    doors = {"lrtransfer", "lrtransfer.__main__", "lrtransfer.study"}
    assert {module for module in MODULES if room(module) is None} == doors
    assert set(ORDER) == {room(module) for module in MODULES} - {None}


def test_no_instrument_imports_the_study() -> None:
    assert importers(INSTRUMENTS, frozenset({"lrtransfer.study", "lrtransfer.cli"})) == []


@pytest.mark.parametrize("own", ORDER)
def test_a_room_imports_only_rooms_before_it(own: str) -> None:
    below = frozenset(f"lrtransfer.{other}" for other in ORDER[ORDER.index(own) + 1 :])
    assert importers((own,), below) == []


@pytest.mark.parametrize("own", NO_TORCH)
def test_a_room_of_tables_and_formulas_imports_no_torch(own: str) -> None:
    assert importers((own,), TORCH) == []


@pytest.mark.parametrize("own", NO_PANDAS)
def test_a_room_that_every_command_loads_imports_no_pandas(own: str) -> None:
    assert importers((own,), frozenset({"pandas"})) == []


def test_the_plan_imports_nothing_slow() -> None:
    assert importers(("study.plan",), SLOW) == []


def test_no_modules_import_one_another_in_a_circle() -> None:
    graph = {module: names & MODULES.keys() - {module} for module, names in IMPORTS.items()}
    assert components(graph) == []


def test_a_circle_is_found_through_functions_types_and_a_package_that_re_exports() -> None:
    sources = {
        "a": "from a.b import thing",
        "a.b": "def f():\n    from a import c",
        "a.c": "import d",
        "d": "from e import f",
        "e": "if TYPE_CHECKING:\n    import d",
        "f": "import a",
    }
    graph = {name: set(imports(source)) & sources.keys() for name, source in sources.items()}
    assert sorted(components(graph)) == [["a", "a.b"], ["d", "e"]]
    assert "a.c" in graph["a.b"]


@pytest.mark.parametrize(
    "room_file",
    sorted(set(PACKAGE.rglob("__init__.py")) - {PACKAGE / "__init__.py"}),
    ids=lambda f: f.parent.name,
)
def test_the_first_line_of_a_room_names_where_to_enter_it(room_file: Path) -> None:
    tree = ast.parse(room_file.read_text(encoding="utf-8"))
    first, *_ = (ast.get_docstring(tree) or "").splitlines() or [""]
    named = ENTRY.fullmatch(first)
    assert named, f"{first!r} does not say: Enter by `file.name`: what the room is for."
    *folders, file, name = named[1].split(".")
    assert name in definitions(room_file.parent.joinpath(*folders, f"{file}.py"))


ROOT = PACKAGE.parents[1]
TOUR = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FILES = [*MODULES.values(), *(ROOT / "tests").rglob("*.py"), ROOT / "setup.py"]


@pytest.mark.parametrize(
    ("file", "name"), sorted(set(re.findall(r"`([\w/]+\.py)`(?:: `([\w.]+)`)?", TOUR)))
)
def test_the_tour_names_what_there_is(file: str, name: str) -> None:
    found = [path for path in FILES if f"/{path}".endswith(f"/{file}")]
    assert found
    assert not name or any(set(name.split(".")) <= within_file(path) for path in found)
