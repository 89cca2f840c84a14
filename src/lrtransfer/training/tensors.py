"""Tensors in sealed safetensors files: never pickled, written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import load, save
from torch import Tensor

from lrtransfer.storage.atomic import write_bytes
from lrtransfer.storage.tensor_file import metadata, read_sealed, seal


def save_tensors(path: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Write tensors and the JSON-safe ``about`` to ``path``."""
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, seal(save(kept, metadata=metadata(about))))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors at ``path`` (on the CPU) and what was said about them.

    Raises:
        CorruptFileError: The file is truncated, damaged or not one of ours.
        FileNotFoundError: There is no such file.
    """
    content, about = read_sealed(path)
    return load(content), about
