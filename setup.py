"""The wheel takes along what a study's folder shares with this one: the rules and the profiles."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHARED = ("Snakefile", ".dvcignore", "workflow", "profiles")
# Read by lrtransfer.study.workflow.folder.
PLACE = "lrtransfer/study/workflow/shared"


class WithRules(build_py):
    """Copies them beside the modules; where the package is used in place they are not moved."""

    def run(self) -> None:
        """Build the package, then copy."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / PLACE
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        ignored = shutil.ignore_patterns("__pycache__", "*.sif")
        for name in SHARED:
            if Path(name).is_dir():
                shutil.copytree(name, target / name, ignore=ignored)
            else:
                shutil.copy2(name, target / name)


setup(cmdclass={"build_py": WithRules})
