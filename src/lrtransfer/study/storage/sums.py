"""Lists of digests, for files that cannot carry their own; `sha256sum --check` reads them too."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from lrtransfer.study.storage.atomic import write_text
from lrtransfer.study.storage.seal import CorruptFileError, require_file


def write_sums(path: Path, files: Iterable[Path]) -> None:
    """Write the digests of `files` to `path`, beside which they lie."""
    lines = [f"{_digest(file)}  {file.name}\n" for file in sorted(files)]
    write_text(path, "".join(lines))


def check_sum(path: Path, sums: Path) -> None:
    """Compare the content of `path` with the digest that is listed for it.

    Raises:
        CorruptFileError: The content is another, or not listed.
        FileNotFoundError: There is no such file, or no list.
    """
    require_file(path)
    if not sums.exists():
        raise FileNotFoundError(f"{sums}: no list of digests yet. Run the study: `lrtransfer run`.")
    require_file(sums)
    if f"{_digest(path)}  {path.name}".encode() not in sums.read_bytes().split(b"\n"):
        raise CorruptFileError(path, f"the content is not the one that {sums} lists")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
