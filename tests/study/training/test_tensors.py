"""Tensors in sealed files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lrtransfer.study.storage.seal import CorruptFileError
from lrtransfer.study.training.tensors import load_tensors, save_tensors


def test_tensors_come_back_bit_equal_with_what_was_said(tmp_path: Path) -> None:
    tensors = {
        "a": torch.randn(3, 4).T,
        "b": torch.tensor([1.0, -0.0, float("nan")], dtype=torch.float64),
        "count": torch.tensor(3),
        "empty": torch.empty(0),
    }
    save_tensors(tmp_path / "file", tensors, {"step": 3})
    found, about = load_tensors(tmp_path / "file")
    assert about == {"step": 3}
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert found[name].shape == tensor.shape
        assert found[name].numpy().tobytes() == tensor.contiguous().numpy().tobytes()


def test_no_tensors_are_a_file_too(tmp_path: Path) -> None:
    save_tensors(tmp_path / "file", {}, {"status": "diverged"})
    assert load_tensors(tmp_path / "file") == ({}, {"status": "diverged"})


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    save_tensors(tmp_path / "file", {"a": torch.ones(3)}, {})
    content = (tmp_path / "file").read_bytes()
    (tmp_path / "file").write_bytes(content[:-1] + b"\x01")
    with pytest.raises(CorruptFileError, match="file: the content does not match its digest"):
        load_tensors(tmp_path / "file")
