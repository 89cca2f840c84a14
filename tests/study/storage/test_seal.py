"""Sealed files notice any damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrtransfer.study.storage.seal import PLACEHOLDER, CorruptFileError, read_sealed, seal

CONTENT = b"head " + PLACEHOLDER.encode() + b" and a body of some length"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "sealed"
    file.write_bytes(seal(CONTENT))
    return file


def test_a_sealed_file_differs_from_its_draft_in_the_digest_alone(path: Path) -> None:
    content = read_sealed(path)
    assert len(content) == len(CONTENT)
    assert content.startswith(b"head lrtransfer-seal:")
    assert content.endswith(b" and a body of some length")
    assert content != CONTENT


def test_any_flipped_byte_is_noticed(path: Path) -> None:
    content = path.read_bytes()
    for place in range(len(content)):
        for flip in (0x01, 0xFF):
            damaged = bytearray(content)
            damaged[place] ^= flip
            path.write_bytes(bytes(damaged))
            with pytest.raises(
                CorruptFileError, match=r"sealed: .*\. Run the study again"
            ) as caught:
                read_sealed(path)
            assert caught.value.path == path


@pytest.mark.parametrize("cut", [0, 1, 20, 40, -1])
def test_a_truncated_file_is_noticed(path: Path, cut: int) -> None:
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(CorruptFileError):
        read_sealed(path)


def test_a_longer_or_unsealed_file_is_refused(path: Path) -> None:
    for content in (path.read_bytes() + b"\0", CONTENT, b"step,loss\n"):
        path.write_bytes(content)
        with pytest.raises(CorruptFileError):
            read_sealed(path)


def test_a_missing_file_is_no_corrupt_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none: no such file"):
        read_sealed(tmp_path / "none")
