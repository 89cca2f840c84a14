"""The examples in the instruments' docstrings give what they say."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import lrtransfer

PACKAGE = Path(lrtransfer.__file__).parent
ROOMS = ("curvature", "alignment", "theory", "scaling", "optim", "transfer", "coordinates")
FILES = [path for room in ROOMS for path in sorted((PACKAGE / room).rglob("*.py"))]
MODULES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in FILES
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_an_example_gives_what_it_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, tried = doctest.testmod(import_module(name), optionflags=options)
    assert tried and not failed
