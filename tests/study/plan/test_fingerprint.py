"""What an edit of the source does to the keys of runs and spectra."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from lrtransfer.study.plan import catalog, fingerprint, places
from tests.tiny import tiny_plan

from .package_copy import PackageCopy, forget, package_copy

Keys = dict[str, set[str]]


@pytest.fixture(scope="module")
def before() -> Keys:
    """The keys by the package's own source."""
    forget()
    return keys()


@pytest.fixture
def package(before: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageCopy]:
    with package_copy(tmp_path, monkeypatch) as copy:
        yield copy


def keys() -> Keys:
    """Return the keys of the tiny study by kind."""
    made = tiny_plan()
    return {
        "measured": {run.key for run in made.runs if run.measured},
        "unmeasured": {run.key for run in made.runs if not run.measured},
        "spectra": {spectrum.key for spectrum in made.spectra},
        "data": {dataset.id for dataset in made.datasets},
    }


def changed(before: Keys) -> set[str]:
    """Return the kinds of keys that are no longer what they were, all or part of them."""
    after = keys()
    for kind, old in before.items():
        assert old == after[kind] or kind == "data" or not old & after[kind]
    return {kind for kind in before if before[kind] != after[kind]}


def test_a_copy_of_the_source_has_the_same_keys(
    before: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with package_copy(tmp_path, monkeypatch):
        assert keys() == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("study/models/residual_mlp.py", '"""Residual', '"""A residual'),
        ("study/models/residual_mlp.py", "class ResidualMLP", "# why\n\n\nclass ResidualMLP"),
        ("study/models/residual_mlp.py", '"""Return the outputs, shape (n, C)', '"""Map'),
        ("optim/sgd.py", "momentum: float = 0.0", "momentum:  float=( 0.0 )"),
        ("study/training/run.py", '    """One training trajectory', '    """A trajectory'),
    ],
)
def test_a_comment_docstring_or_layout_changes_no_key(
    package: PackageCopy, before: Keys, file: str, old: str, new: str
) -> None:
    package.replace(file, old, new)
    assert changed(before) == set()


ALL_RUNS = {"measured", "unmeasured", "spectra"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "added", "kinds"),
    [
        ("study/training/run.py", "X = 1\n", ALL_RUNS),
        ("study/training/streams.py", "X = 1\n", ALL_RUNS),
        ("scaling/rules.py", "X = 1\n", ALL_RUNS),
        ("study/models/residual_mlp.py", "X = 1\n", ALL_RUNS),
        ("scaling/roles.py", "X = 1\n", ALL_RUNS),
        ("optim/sgd.py", "X = 1\n", ALL_RUNS),
        ("optim/schedules/constant.py", "X = 1\n", ALL_RUNS),
        ("study/losses/cross_entropy.py", "X = 1\n", ALL_RUNS),
        ("study/data/mnist5k.py", "X = 1\n", {"data"} | ALL_RUNS),
        ("study/data/kjv.py", "X = 1\n", set()),
        ("study/probes/sharpness.py", "X = 1\n", {"measured", "spectra"}),
        ("study/probes/memory.py", "X = 1\n", {"measured", "spectra"}),
        ("curvature/sharpness.py", "X = 1\n", {"measured", "spectra"}),
        ("curvature/lanczos.py", "X = 1\n", {"measured", "spectra"}),
        ("curvature/density.py", "X = 1\n", {"spectra"}),
        ("curvature/trace.py", "X = 1\n", set()),
        ("study/spectra/spectrum.py", "X = 1\n", {"spectra"}),
        ("study/spectra/job.py", "X = 1\n", set()),
        ("study/training/sweep.py", "X = 1\n", set()),
        ("study/losses/squared.py", "X = 1\n", set()),
        ("study/figures/width_transfer.py", "X = 1\n", set()),
        ("study/figures/style.py", "X = 1\n", set()),
        ("transfer/optimum.py", "X = 1\n", set()),
        ("study/plan/expand.py", "X = 1\n", set()),
        ("study/plan/parts.py", "X = 1\n", set()),
        ("study/plan/run_config.py", "X = 1\n", set()),
        ("study/storage/paths.py", "X = 1\n", set()),
        ("optim/sgd.py", "PRICE = 2.0\n", set()),
        ("study/probes/sharpness.py", "COLUMNS = {}\n", set()),
        ("study/plan/catalog.py", "X = 1\n", set()),
        ("study/models/another.py", "MODEL = print\n", set()),
        ("study/probes/another.py", "PROBE = print\n", set()),
        ("study/figures/another.py", "FIGURE = print\n", set()),
    ],
)
def test_an_edit_changes_the_keys_of_what_it_can_change(
    package: PackageCopy, before: Keys, file: str, added: str, kinds: set[str]
) -> None:
    package.append(file, added)
    assert changed(before) == kinds


def test_a_changed_constant_changes_the_hash_of_its_file(tmp_path: Path) -> None:
    hashes = set()
    for number, text in enumerate(["X = 0.01\n", "X = 0.02\n", "X = -0.01\n", "X = '0.01'\n"]):
        file = tmp_path / f"{number}.py"
        file.write_text(text, encoding="utf-8")
        hashes.add(fingerprint.file_hash(file))
    assert len(hashes) == 4


def test_an_equal_meaning_has_an_equal_hash(tmp_path: Path) -> None:
    first, second = tmp_path / "a.py", tmp_path / "b.py"
    first.write_text("def f(x):\n    'Doc.'\n    return x + 1\n", encoding="utf-8")
    second.write_text("def f( x ):  # why\n\n    return (x + 1)\n", encoding="utf-8")
    assert fingerprint.file_hash(first) == fingerprint.file_hash(second)


def test_the_code_of_a_run_names_its_files_and_no_torch_free_room(package: PackageCopy) -> None:
    runs = tiny_plan().runs
    measured = next(run for run in runs if run.measured)
    unmeasured = next(run for run in runs if not run.measured)
    assert "curvature/hessian.py" in measured.code
    assert not any(file.startswith(("curvature/", "study/probes/s")) for file in unmeasured.code)
    rooms = {file.split("/")[1] for file in measured.code if file.startswith("study/")}
    assert rooms == {"data", "losses", "models", "probes", "training"}


@pytest.mark.parametrize(
    ("room", "preset", "base"),
    [("optim/tuners", "greedy", "cdat"), ("data", "wikitext103", "wikitext")],
)
def test_the_code_of_a_preset_holds_its_base(
    package: PackageCopy, room: str, preset: str, base: str
) -> None:
    file = catalog.source_file(room, base)
    before = fingerprint.code(catalog.source_file(room, preset))
    package.append(str(file.relative_to(package.folder)), "X = 1\n")
    after = fingerprint.code(catalog.source_file(room, preset))
    assert {name for name in after if after[name] != before[name]} == {
        str(file.relative_to(package.folder))
    }


@pytest.mark.parametrize("room", catalog.ROOMS)
def test_the_code_of_a_member_never_reads_what_it_says_of_itself(room: str) -> None:
    """So these constants are left out of its fingerprint."""
    for name in catalog.names(room):
        tree = ast.parse(catalog.source_file(room, name).read_text(encoding="utf-8"))
        names = [n for n in ast.walk(tree) if isinstance(n, ast.Name)]
        read = [n.id for n in names if isinstance(n.ctx, ast.Load)]
        assert not catalog.DESCRIPTIONS.intersection(read), name


def test_relative_imports_would_hide_from_the_fingerprint_and_are_not_used() -> None:
    for path in places.PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.level), path
