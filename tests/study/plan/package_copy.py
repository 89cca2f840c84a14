"""A copy of the package's source that tests may edit, in the place of the real one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lrtransfer.study.plan import catalog, fingerprint, measures, parameterizations, places

_CACHES = (
    places.parsed,
    catalog._members,
    catalog._constant,
    catalog._options_of,
    catalog._top_level,
    measures._measures,
    measures._definitions,
    fingerprint.file_hash,
    fingerprint._code,
    fingerprint._imports,
    parameterizations.builtin,
)


def forget() -> None:
    """Make catalog and fingerprint read the source again."""
    for cached in _CACHES:
        cached.cache_clear()


class PackageCopy:
    """The package's source in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def replace(self, file: str, old: str, new: str) -> None:
        """Replace ``old``, which must be there, in a file."""
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        forget()

    def append(self, file: str, text: str) -> None:
        """Add ``text`` at the end of a file, which may be new."""
        path = self.folder / file
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        path.write_text(before + text, encoding="utf-8")
        forget()


@contextmanager
def package_copy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageCopy]:
    """Let catalog and fingerprint read a copy of the package below ``folder``."""
    copy = folder / "lrtransfer"
    shutil.copytree(places.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    with monkeypatch.context() as patched:
        for module in (places, catalog, fingerprint):
            patched.setattr(module, "PACKAGE", copy)
        patched.setattr(parameterizations, "TABLE", copy / "scaling" / "parameterizations.yaml")
        forget()
        yield PackageCopy(copy)
    forget()
