"""A study's folder: what it shares with this repository's, and how a new one begins."""

from __future__ import annotations

import shutil
import sys
from argparse import Namespace
from pathlib import Path

from lrtransfer.study.plan.places import PACKAGE

_COPY = PACKAGE / "study/workflow/shared"
# Of Snakefile, workflow/ and profiles/: this repository's root, or the copy that a wheel holds.
SHARED = _COPY if _COPY.is_dir() else PACKAGE.parents[1]
RULES = SHARED / "workflow/rules"
_TEMPLATE = Path(__file__).with_name("template")
_NEITHER = shutil.ignore_patterns("__pycache__")


def init(options: Namespace) -> None:
    """Write a study of one's own into a new folder.

    Raises:
        FileExistsError: The folder holds something.
    """
    folder: Path = options.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is not empty. Give the name of a new folder.")
    shutil.copytree(_TEMPLATE, folder, ignore=_NEITHER, dirs_exist_ok=True)
    (folder / "gitignore").rename(folder / ".gitignore")
    for name in ("Snakefile", ".dvcignore"):
        shutil.copy(SHARED / name, folder)
    shutil.copytree(SHARED / "profiles", folder / "profiles", ignore=_NEITHER)
    for file in folder.rglob("*"):
        file.chmod(file.stat().st_mode | 0o200)  # site-packages may be read-only
    print(
        f"{folder}: a study of models/mine.py. Run it: cd {folder} && lrtransfer run",
        file=sys.stderr,
    )
