"""The public names of the package, and that importing it loads nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import lrtransfer as lt


@pytest.mark.process
def test_importing_the_package_loads_no_torch() -> None:
    code = "import sys, lrtransfer; print({'torch', 'numpy', 'pandas', 'yaml'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


@pytest.mark.parametrize("name", lt.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(lt, name).__doc__
    assert name in dir(lt)


def test_types_and_run_time_agree_on_the_public_names() -> None:
    tree = ast.parse(Path(lt.__file__).read_text(encoding="utf-8"))
    typed = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == lt._PUBLIC
    assert sorted(typed) == lt.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'lrtransfer' has no attribute 'sharpnes'"):
        _ = lt.sharpnes
