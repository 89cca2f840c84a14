"""Parts of the study's folder and of installed packages: found, imported, refused."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lrtransfer.study.plan import catalog, fingerprint, places
from lrtransfer.study.plan.yaml_file import StudyError

from .package_copy import forget

HELPER = "def size(width):\n    return 2 * width\n"
LOSS = '''"""My loss."""

from ..shared.sizes import size
from .parts import weight


def mine(outputs, targets, *, power: float = 2.0):
    return size(weight) * (outputs - targets).abs().pow(power).mean()


LOSS = mine
'''


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A study's folder, the present one, with a loss and what it imports."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "losses/mine.py", LOSS)
    write(tmp_path, "losses/parts.py", "weight = 3\n")
    write(tmp_path, "shared/sizes.py", HELPER)
    forget()
    yield tmp_path
    forget()


def write(folder: Path, file: str, text: str) -> Path:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    forget()
    return path


def code(room: str, name: str) -> dict[str, str]:
    return fingerprint.code(catalog.source_file(room, name))


def test_a_file_in_the_study_s_folder_is_a_member_with_its_options(study: Path) -> None:
    assert {"mine", "squared"} <= set(catalog.names("losses"))
    assert catalog.options("losses", "mine") == {
        "power": catalog.Option("float", 2.0, required=False)
    }
    assert catalog.load("losses", "mine").__module__ == "study_folder.losses.mine"


def test_what_a_part_imports_from_the_folder_is_in_its_fingerprint(study: Path) -> None:
    before = code("losses", "mine")
    assert set(before) == {"./losses/mine.py", "./losses/parts.py", "./shared/sizes.py"}
    write(study, "shared/sizes.py", f"# a comment\n{HELPER}")
    assert code("losses", "mine") == before
    write(study, "shared/sizes.py", HELPER.replace("2", "4"))
    changed = {name for name, digest in code("losses", "mine").items() if digest != before[name]}
    assert changed == {"./shared/sizes.py"}


def test_the_same_folder_elsewhere_has_the_same_fingerprints(
    study: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, other = code("losses", "mine"), tmp_path_factory.mktemp("clone")
    for file in ("losses/mine.py", "losses/parts.py", "shared/sizes.py"):
        write(other, file, (study / file).read_text())
    monkeypatch.chdir(other)
    assert code("losses", "mine") == before
    assert catalog.load("losses", "mine").__code__.co_filename == str(other / "losses/mine.py")


def test_the_study_s_part_takes_the_place_of_ours_and_a_helper_does_not(study: Path) -> None:
    write(study, "losses/squared.py", "LOSS = print\n")
    write(study, "losses/cross_entropy.py", "helper = 1\n")
    assert catalog.source_file("losses", "squared") == study / "losses/squared.py"
    assert not catalog.is_ours("losses", "squared")
    assert catalog.is_ours("losses", "cross_entropy")


def test_what_a_file_says_of_itself_is_not_in_its_fingerprint(study: Path) -> None:
    write(study, "probes/mine.py", "PRICE = 1.0\nPROBE = print\n")
    before = code("probes", "mine")
    write(study, "probes/mine.py", "PRICE = 2.0\nPROBE = print\n")
    assert code("probes", "mine") == before


@pytest.mark.parametrize(
    "reading",
    [
        "def mine():\n    return PRICE\n",
        "from .helper import mine\n",
        "mine = globals()['PRICE']\n",
        "from .helper import *\n",
    ],
)
def test_what_a_file_says_of_itself_counts_where_code_reads_it(study: Path, reading: str) -> None:
    write(study, "probes/helper.py", "from . import mine as own\nmine = lambda: own.PRICE\n")
    codes = []
    for price in (1.0, 2.0):
        write(study, "probes/mine.py", f"{reading}PRICE = {price}\nPROBE = mine\n")
        codes.append(code("probes", "mine"))
    assert codes[0]["./probes/mine.py"] != codes[1]["./probes/mine.py"]


def test_a_description_that_names_something_else_too_counts(study: Path) -> None:
    codes = []
    for sizes in ((1,), (2,)):
        write(study, "models/mine.py", f"CASES = SIZES = {sizes}\nMODEL = lambda: SIZES\n")
        codes.append(code("models", "mine"))
    assert codes[0] != codes[1]


def test_the_faces_that_run_on_the_way_to_a_part_are_in_its_fingerprint(study: Path) -> None:
    write(study, "models/mine.py", "from .blocks.core import make\nMODEL = make\n")
    write(study, "models/blocks/core.py", "def make(width):\n    pass\n")
    write(study, "models/__init__.py", "import torch\ntorch.set_default_dtype(torch.float64)\n")
    write(study, "models/blocks/__init__.py", "from ...shared.sizes import size\n")
    write(study, "__init__.py", "never = 'run'\n")
    assert set(code("models", "mine")) == {
        *("./models/mine.py", "./models/__init__.py", "./models/blocks/core.py"),
        *("./models/blocks/__init__.py", "./shared/sizes.py"),
    }


@pytest.mark.parametrize(
    "text", ["import lrtransfer as lt\nx = lt.fold\n", "from lrtransfer import fold\n"]
)
def test_what_a_part_takes_from_the_package_s_face_is_in_its_fingerprint(
    study: Path, text: str
) -> None:
    write(study, "models/mine.py", f"{text}MODEL = print\n")
    found = code("models", "mine")
    assert "scaling/fold.py" in found and "curvature/sharpness.py" not in found


def test_plain_parameters_are_options_of_a_model(study: Path) -> None:
    text = "def make(width, depth=2, *, states: int = 4):\n    pass\nMODEL = make\n"
    write(study, "models/mine.py", text)
    found = catalog.options("models", "mine")
    assert list(found) == ["width", "depth", "states"]
    assert found["width"].required
    assert found["depth"] == catalog.Option("Any", 2, required=False)
    assert not catalog.tells_roles("mine")


def test_a_typo_is_one_line_with_file_and_line_and_spares_the_others(study: Path) -> None:
    write(study, "losses/broken.py", "import torch\n\ndef mine(:\n    pass\nLOSS = mine\n")
    assert {"broken", "mine"} <= set(catalog.names("losses"))
    with pytest.raises(StudyError) as caught:
        catalog.options("losses", "broken")
    (line,) = caught.value.lines
    assert line == "losses/broken.py:3: invalid syntax. Correct the Python at this line."


def test_a_part_that_fails_on_import_is_one_line_with_file_and_line(study: Path) -> None:
    write(study, "losses/mine.py", "weight = 1\nLOSS = wieght\n")
    with pytest.raises(StudyError) as caught:
        catalog.load("losses", "mine")
    (line,) = caught.value.lines
    assert line.startswith("losses/mine.py:2: NameError: name 'wieght' is not defined")


def test_an_import_of_the_folder_as_if_it_were_installed_is_refused(study: Path) -> None:
    write(study, "losses/mine.py", LOSS.replace("from .parts", "from losses.parts"))
    with pytest.raises(StudyError, match=r"losses/mine.py:4: 'losses.parts' lies in the study"):
        code("losses", "mine")


def test_an_installed_package_s_entry_point_is_a_member_between_the_two(
    study: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path_factory.mktemp("site")
    for name in ("theirs", "mine", "squared"):
        write(
            site,
            f"their_losses/{name}.py",
            f"from their_losses.core import {name}\n\nLOSS = {name}\n",
        )
    write(site, "their_losses/__init__.py", "raise RuntimeError('imported while planning')\n")
    core = "".join(
        f"def {name}(outputs, targets, *, k: int = 1):\n    return k\n"
        for name in ("theirs", "mine", "squared")
    )
    write(site, "their_losses/core.py", core)
    points = "".join(f"{n} = their_losses.{n}\n" for n in ("theirs", "mine", "squared"))
    write(site, "their_losses-1.dist-info/entry_points.txt", f"[lrtransfer.losses]\n{points}")
    write(site, "their_losses-1.dist-info/METADATA", "Name: their_losses\nVersion: 1\n")
    monkeypatch.syspath_prepend(site)
    places._plugged.cache_clear()
    places._entry_points.cache_clear()
    try:
        forget()
        assert set(code("losses", "theirs")) == {
            f"their_losses.{file}" for file in ("__init__", "core", "theirs")
        }
        assert list(catalog.options("losses", "theirs")) == ["k"]
        assert catalog.source_file("losses", "squared").is_relative_to(site)
        assert catalog.source_file("losses", "mine").is_relative_to(study)
        assert "their_losses" not in sys.modules
        (site / "their_losses/__init__.py").write_text("")
        assert catalog.load("losses", "theirs")(0, 0) == 1
    finally:
        places._plugged.cache_clear()
        places._entry_points.cache_clear()
        sys.modules.pop("their_losses", None)
