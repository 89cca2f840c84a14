"""Tensors in sealed safetensors files: never pickled, written whole or not at all."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from lrtransfer.study.storage.atomic import write_bytes
from lrtransfer.study.storage.seal import PLACEHOLDER, CorruptFileError, read_sealed, seal


def save_tensors(path: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Write tensors and the JSON-safe `about` to `path`."""
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"seal": PLACEHOLDER, "about": json.dumps(about, sort_keys=True)}
    write_bytes(path, seal(save(kept, metadata=metadata)))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors at `path` (on the CPU) and what was said about them.

    Raises:
        CorruptFileError: The file is truncated, damaged or not one of ours.
        FileNotFoundError: There is no such file.
    """
    content = read_sealed(path)
    try:
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        about: dict[str, Any] = json.loads(header["__metadata__"]["about"])
        return load(content), about
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CorruptFileError(path, f"sealed, but no tensors ({error})") from None
