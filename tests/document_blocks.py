"""The code blocks of README, CONTRIBUTING and docs/."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")),
)
_BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<kind>\w*)(?: title=\"(?P<title>[^\"]+)\")?\n"
    r"(?P<text>.*?)^(?P=indent)```$",
    re.M | re.S,
)
_NEED = re.compile(r"needs (a GPU|a cluster|an account)")


@dataclass(frozen=True)
class Block:
    """One block of a document.

    Attributes:
        kind: Its language; empty for what a program prints.
        title: Says what it needs, or is the name of the file that it holds.
    """

    document: str
    line: int
    kind: str
    title: str | None
    text: str

    @property
    def need(self) -> str | None:
        """What there has to be beside this machine, if anything."""
        found = _NEED.fullmatch(self.title or "")
        return found[1] if found else None

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def blocks(document: str) -> Iterator[Block]:
    """Yield a document's blocks, from top to bottom."""
    content = (ROOT / document).read_text(encoding="utf-8")
    for found in _BLOCK.finditer(content):
        line = content.count("\n", 0, found.start()) + 1
        text = textwrap.dedent(found["text"])
        yield Block(document, line, found["kind"], found["title"], text)


def fences(document: str) -> int:
    """Return how many lines open or close a block, wherever they stand."""
    content = (ROOT / document).read_text(encoding="utf-8")
    return len(re.findall(r"^ *```", content, re.M))
