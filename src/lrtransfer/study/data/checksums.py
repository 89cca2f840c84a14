"""Several files pinned by one checksum: a list of their sha256, in the form of `sha256sum`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path


def listing(files: Mapping[str, Path]) -> bytes:
    """Return one line `<sha256>  <name>` for each file, in the order of `files`.

    Contents are read in pieces, so a file may be larger than the memory.

    Raises:
        ValueError: A name has a line break, or is not UTF-8.
    """
    for name in files:
        if "\n" in name:
            raise ValueError(f"the file name {name!r} has a line break. Rename the file.")
        # Python reads bytes that are not UTF-8 as lone surrogates.
        if any("\ud800" <= letter <= "\udfff" for letter in name):
            raise ValueError(f"the file name {name!r} is not UTF-8. Rename the file.")
    return "".join(f"{_sha256(path)}  {name}\n" for name, path in files.items()).encode()


def entries(raw: bytes) -> dict[str, str]:
    """Return {name: sha256} of a listing."""
    lines = raw.decode("utf-8").removesuffix("\n").split("\n")
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def checked_content(path: Path, name: str, sha256: str) -> bytes:
    """Return the content of one listed file.

    Raises:
        ValueError: The file changed since it was listed.
    """
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"{name} changed while the data set was prepared. Prepare it again.")
    return content


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
