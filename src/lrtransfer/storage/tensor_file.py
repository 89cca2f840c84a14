"""Safetensors files that carry a digest of their content; verifying one needs no torch."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

from lrtransfer.storage.tables import CorruptFileError

_DIGEST_LENGTH = 64
_PLACEHOLDER = "0" * _DIGEST_LENGTH


def seal(content: bytes) -> bytes:
    """Return a safetensors file whose ``digest`` metadata (a placeholder so far) is filled in."""
    place = _digest_place(content)
    digest = _digest(content, place).encode()
    return content[:place] + digest + content[place + _DIGEST_LENGTH :]


def metadata(about: dict[str, Any]) -> dict[str, str]:
    """Return the metadata to write: the JSON-safe ``about``, and room for the digest."""
    return {"digest": _PLACEHOLDER, "about": json.dumps(about, sort_keys=True)}


def read_sealed(path: Path) -> tuple[bytes, dict[str, Any]]:
    """Return the file's bytes and what its metadata says.

    Raises:
        CorruptFileError: The file is truncated, damaged or not one of ours.
        FileNotFoundError: There is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    content = path.read_bytes()
    try:
        place = _digest_place(content)
        stored = content[place : place + _DIGEST_LENGTH].decode()
        sound = stored == _digest(content, place)
    except (ValueError, struct.error):
        raise CorruptFileError(path, "not readable as a sealed safetensors file") from None
    if not sound:
        raise CorruptFileError(path, "the content does not match its digest")
    about: dict[str, Any] = json.loads(_header(content)["__metadata__"]["about"])
    return content, about


def verify_tensors(path: Path) -> None:
    """Raise ``CorruptFileError`` unless the file at ``path`` is whole."""
    read_sealed(path)


def _header(content: bytes) -> dict[str, Any]:
    (length,) = struct.unpack("<Q", content[:8])
    header: dict[str, Any] = json.loads(content[8 : 8 + length])
    return header


def _digest_place(content: bytes) -> int:
    """Return where the digest's hex digits stand; raise ``ValueError`` where there are none."""
    (length,) = struct.unpack("<Q", content[:8])
    mark = b'"digest":"'
    return content.index(mark, 8, 8 + length) + len(mark)


def _digest(content: bytes, place: int) -> str:
    total = hashlib.sha256(content[:place])
    total.update(content[place + _DIGEST_LENGTH :])
    return total.hexdigest()
