"""The reference on the site holds every public name."""

from __future__ import annotations

import re
from pathlib import Path

import lrtransfer

PAGES = Path(__file__).resolve().parents[1] / "docs" / "api"


def test_every_public_name_is_in_the_reference_once() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in sorted(PAGES.glob("*.md")))
    assert sorted(re.findall(r"::: lrtransfer\.(\w+)", text)) == sorted(lrtransfer.__all__)
