"""A study of one's own, as `lrtransfer init` writes it, used as if the package were installed."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from lrtransfer.study.data import described
from lrtransfer.study.workflow.folder import init
from tests.study.plan.package_copy import forget
from tests.study.workflow.project import ROOT, Project


class OwnStudy(Project):
    """A folder without the package's source or rules."""

    @classmethod
    def begun(cls, root: Path) -> OwnStudy:
        """Return what `lrtransfer init` makes."""
        init(Namespace(folder=root))
        return cls(root)

    @property
    def environment(self) -> dict[str, str]:
        """Variables for commands: the package is that of this repository, as if installed."""
        return super().environment | {"PYTHONPATH": str(ROOT / "src")}

    def duplicate(self, root: Path) -> OwnStudy:
        """Return a copy with the same time stamps and hard links."""
        super().duplicate(root)
        return OwnStudy(root)

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace text in one of the study's files."""
        path = self.root / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def version(self, remote: Path) -> None:
        """Put the folder under git and DVC, reproduce it, commit it and push its results."""
        self.run("git", "init", "-q", "-b", "main")
        self.run("dvc", "init", "-q")
        self.run("dvc", "config", "core.analytics", "false")
        self.run("dvc", "remote", "add", "--default", "store", str(remote))
        self.run("dvc", "repro", "-q")
        self.commit("study")
        self.run("dvc", "push", "-q")


def write(name: str, text: str) -> None:
    """Write a file of the study in the working folder; what was read before is read anew."""
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(text)
    forget()
    sys.modules.pop("study_folder", None)
    described._READ.clear()
