"""One version: of the package, the citation and the changelog; the Pythons that it names."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
STABILITY = (ROOT / "docs" / "stability.md").read_text(encoding="utf-8")
RELEASES = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})$", CHANGELOG, re.M)


def test_package_citation_and_changelog_name_one_version_and_day() -> None:
    version, day = RELEASES[0]
    assert PROJECT["version"] == version == CITATION["version"]
    assert str(CITATION["date-released"]) == day


def test_releases_are_in_order() -> None:
    assert (
        sorted(RELEASES, key=lambda r: tuple(map(int, r[0].split("."))), reverse=True) == RELEASES
    )
    assert CHANGELOG.index("## [Unreleased]") < CHANGELOG.index(f"## [{RELEASES[0][0]}]")


def test_what_the_package_asks_for_is_what_the_page_on_versions_says() -> None:
    (torch,) = (text for text in PROJECT["dependencies"] if text.startswith("torch"))
    assert f"`{torch}`" in STABILITY
    assert f"Python `{PROJECT['requires-python']}`" in STABILITY
    named = [c.rsplit(" ", 1)[1] for c in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", c)]
    assert named[0] == PROJECT["requires-python"].removeprefix(">=")
    assert all(f"| {python}." in STABILITY for python in (named[0], named[-1]))
