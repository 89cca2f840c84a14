"""Where parts lie: in the study's folder, then in installed packages, then in this package.

A study's own part is a file of its folder: `models/mine.py`, `losses/mine.py`. What it imports from
the folder it imports relatively (`from .blocks import Block`, `from ..shared import size`): so no
installed package of the same name can take its place, and its fingerprint holds it. An installed
package offers parts as entry points: `[project.entry-points."lrtransfer.models"]`, name = module.
"""

from __future__ import annotations

import ast
import gc
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from lrtransfer.study.plan.yaml_file import StudyError

PACKAGE = Path(__file__).resolve().parents[2]
# The study's folder as a package; its modules are `study_folder.models.mine`.
_FOLDER = "study_folder"


class PartError(StudyError):
    """A part of the study's own that fails; the line begins with its file, not with params.yaml."""


@dataclass(frozen=True)
class Source:
    """A part's file, and the name by which it is imported."""

    file: Path
    module: str


def sources(folder: str, kind: str, wanted: Callable[[Path], bool]) -> dict[str, Source]:
    """Return the files of one kind by name, the study's own before those of packages.

    Args:
        folder: Where this package has them.
        kind: What the study's folder and the group of entry points are called: `models`.
        wanted: Which of the files count.
    """
    prefix = f"{PACKAGE.name}.{folder.replace('/', '.')}"
    ours = {f.stem: Source(f, f"{prefix}.{f.stem}") for f in (PACKAGE / folder).glob("*.py")}
    own = {f.stem: Source(f, f"{_FOLDER}.{kind}.{f.stem}") for f in (study() / kind).glob("*.py")}
    return {
        name: source
        for layer in (ours, _plugged(kind), own)
        for name, source in layer.items()
        if wanted(source.file)
    }


def study() -> Path:
    """Return the study's folder, the present one."""
    return _path(os.getcwd())  # noqa: PTH109


@cache
def _path(text: str) -> Path:
    """Return a path: a plan asks for the folder thousands of times."""
    return Path(text)


def is_own(file: Path) -> bool:
    """Return whether a file is the study's own, neither this package's nor an installed one's."""
    inside = file.is_relative_to(study()) and not file.is_relative_to(PACKAGE)
    return inside and "site-packages" not in file.parts


def name_of(file: Path) -> str:
    """Return what fingerprints call a file, the same on every machine.

    `study/models/gpt.py` in this package, `./models/mine.py` in the study's folder,
    `their_package.models.mine` in an installed one.
    """
    if file.is_relative_to(PACKAGE):
        return file.relative_to(PACKAGE).as_posix()
    if is_own(file):
        return f"./{file.relative_to(study()).as_posix()}"
    return ".".join(file.relative_to(_root(file)).with_suffix("").parts)


@cache
def parsed(file: Path) -> ast.Module:
    """Return a file's syntax tree.

    Raises:
        PartError: It is no Python; the line names the file and the line of the fault.
    """
    collects = gc.isenabled()
    gc.disable()  # trees stay, and a search for garbage in them takes longer than parsing
    try:
        return ast.parse(file.read_text(encoding="utf-8"))
    except SyntaxError as error:
        line = f"{shown(file)}:{error.lineno}: {error.msg}. Correct the Python at this line."
        raise PartError([line]) from None
    except (UnicodeDecodeError, ValueError) as error:
        raise PartError([f"{shown(file)}: cannot be read ({error}). Save it as UTF-8."]) from None
    finally:
        if collects:
            gc.enable()


def imported_files(file: Path) -> Iterator[Path]:
    """Yield the files of this package, and of the importing one's own folder, that a file imports.

    Of a part from elsewhere also the `__init__.py` of the folders on the way to it, which run
    before it does, and what it takes from this package's face (`import lrtransfer as lt`).

    Raises:
        PartError: A study's file imports another of its folder as if it were installed.
    """
    for node in _imports(parsed(file).body):
        yield from files_of(file, node)
    if not file.is_relative_to(PACKAGE):
        yield from _on_the_way(file)
        yield from _through_the_face(file)


def files_of(file: Path, node: ast.Import | ast.ImportFrom) -> list[Path]:
    """Return the files that one import statement of a file names; raise as `imported_files`."""
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    else:
        module = node.module or ""
        inner = [f"{module}.{alias.name}".lstrip(".") for alias in node.names]
        modules = [module, *inner] if module else inner
        if node.level:
            folder = file.parents[node.level - 1]
            return _existing(folder.joinpath(*name.split(".")) for name in modules)
    for module in modules:
        _refuse_own(file, node, module)
    top = PACKAGE.name if file.is_relative_to(PACKAGE) or is_own(file) else _root(file, top=True)
    known = {PACKAGE.name: PACKAGE} | ({top: _root(file) / top} if top != PACKAGE.name else {})
    parts = (module.split(".") for module in modules)
    return _existing(known[top].joinpath(*rest) for top, *rest in parts if top in known)


def imported(source: Source) -> ModuleType:
    """Import a part's file.

    Raises:
        PartError: It is the study's own and fails; the line names the file and its line.
    """
    folder = sys.modules.get(_FOLDER)
    if folder is None or list(folder.__path__) != [str(study())]:
        for name in [n for n in sys.modules if n.partition(".")[0] == _FOLDER]:
            del sys.modules[name]
        sys.modules[_FOLDER] = folder = ModuleType(_FOLDER)
        folder.__path__ = [str(study())]
    try:
        return import_module(source.module)
    except Exception as error:  # anything that a user's code may raise
        if (line := fault(error)) is None:
            raise
        raise PartError([line]) from error


def fault(error: BaseException) -> str | None:
    """Return `file:line: what went wrong`, where the study's own code raised; None elsewhere."""
    found, trace = None, error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if is_own(file):
            found = f"{shown(file)}:{trace.tb_lineno}"
        trace = trace.tb_next
    text = str(error).strip().partition("\n")[0]
    return found and f"{found}: {type(error).__name__}: {text}"


def shown(file: Path) -> str:
    """Return a file's path as messages have it: from the study's folder on, where it lies there."""
    return str(file.relative_to(study()) if file.is_relative_to(study()) else file)


def _imports(body: Iterable[ast.AST]) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imports(node.orelse)
        else:
            for block in ("body", "handlers", "cases", "orelse", "finalbody"):
                yield from _imports(getattr(node, block, ()))


def _on_the_way(file: Path) -> Iterator[Path]:
    """Yield what runs before a part from elsewhere: the faces of the folders it lies in."""
    top = study() if is_own(file) else _root(file)
    for folder in file.relative_to(top).parents[:-1]:
        if (face := top / folder / "__init__.py").is_file():
            yield face


def _through_the_face(file: Path) -> Iterator[Path]:
    """Yield the files behind the names that a part from elsewhere takes from `lrtransfer`."""
    tree = parsed(file)
    face, taken = False, {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    for node in _imports(tree.body):
        if isinstance(node, ast.Import):
            face |= any(alias.name.split(".")[0] == PACKAGE.name for alias in node.names)
        elif node.module == PACKAGE.name:
            face, taken = True, taken | {alias.name for alias in node.names}
    for name, module in _public().items() if face else ():
        if name in taken:
            yield from _existing([PACKAGE.joinpath(*module.split(".")[1:])])


def _public() -> dict[str, str]:
    """Return the names that this package's face loads at first use, with their modules."""
    assigned = (n for n in parsed(PACKAGE / "__init__.py").body if isinstance(n, ast.Assign))
    found = next(node.value for node in assigned if ast.unparse(node.targets[0]) == "_PUBLIC")
    return dict(ast.literal_eval(found))


def _existing(places: Iterable[Path]) -> list[Path]:
    files = (file for place in places for file in (Path(f"{place}.py"), place / "__init__.py"))
    return [file for file in files if file.is_file()]


def _refuse_own(file: Path, node: ast.stmt, module: str) -> None:
    top = module.partition(".")[0]
    if not is_own(file) or not _existing([study().joinpath(*module.split("."))]):
        return
    spec = find_spec(top)
    places = [spec.origin, *(spec.submodule_search_locations or [])] if spec else []
    if all(place is None or is_own(Path(place)) for place in places):
        raise PartError(
            [
                f"{shown(file)}:{node.lineno}: {module!r} lies in the study's folder. Import it "
                "relatively, as in `from .blocks import Block` or `from ..shared import size`."
            ]
        )


@cache
def _plugged(kind: str) -> dict[str, Source]:
    """Return what installed packages offer, without importing them."""
    found = {}
    for point in _entry_points().select(group=f"lrtransfer.{kind}"):
        top, *rest = point.module.split(".")
        spec = find_spec(top)
        roots = list(spec.submodule_search_locations or []) if spec else []
        for file in _existing(Path(root).joinpath(*rest) for root in roots):
            found[point.name] = Source(file, point.module)
            _ROOTS[Path(roots[0])] = top
    return found


@cache
def _entry_points() -> Any:
    """Return those of all packages, whose files are read once."""
    return entry_points()


# Folder of an installed package that offers parts -> its name.
_ROOTS: dict[Path, str] = {}


def _root(file: Path, *, top: bool = False) -> Any:
    """Return the folder that an installed package lies in, or with `top` its name."""
    folder = next((root for root in _ROOTS if file.is_relative_to(root)), file.parent)
    return _ROOTS.get(folder, folder.name) if top else folder.parent
