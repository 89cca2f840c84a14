"""Prepared data sets: pinned sources, checked arrays."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from lrtransfer.study.data import Arrays, prepare
from lrtransfer.study.plan import catalog
from lrtransfer.study.storage import paths
from lrtransfer.study.storage.seal import CorruptFileError
from tests.tiny import blobs

RAW = b"raw content"
PINNED = hashlib.sha256(RAW).hexdigest()


class Blobs:
    """A source whose content is in memory."""

    sizes = (5, 3)

    def __init__(self, **options: int) -> None:
        self.options = options

    def read(self) -> bytes:
        return RAW

    def arrays(self, raw: bytes) -> Arrays:
        assert raw == RAW
        return blobs(**self.options)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(catalog, "load", lambda room, name: Blobs)


def test_arrays_come_back_as_prepared() -> None:
    folder = prepare.prepare("blobs-1", "blobs", PINNED, {"samples": 7})
    assert folder == paths.prepared("blobs-1")
    found = prepare.load_arrays("blobs-1")
    assert all(np.array_equal(found[name], array) for name, array in blobs(samples=7).items())
    manifest = json.loads(paths.manifest("blobs-1").read_text(encoding="utf-8"))
    assert manifest["arrays"]["train_inputs"] == {"shape": [7, 5], "dtype": "float32"}
    assert (manifest["source"], manifest["source_sha256"]) == ("blobs", PINNED)


def test_arrays_of_other_sizes_than_the_source_gives_beforehand_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Blobs, "sizes", (5, 4))
    with pytest.raises(ValueError, match=r"needs \(5, 3\) numbers .* its `sizes` are \(5, 4\)"):
        prepare.prepare("blobs-1", "blobs", PINNED, {})
    assert not paths.prepared("blobs-1").exists()


def test_preparing_twice_gives_the_same_bytes() -> None:
    first = [f.read_bytes() for f in sorted(prepare.prepare("a", "blobs", PINNED, {}).iterdir())]
    again = [f.read_bytes() for f in sorted(prepare.prepare("a", "blobs", PINNED, {}).iterdir())]
    assert first == again


def test_a_source_with_another_checksum_is_refused_and_nothing_written() -> None:
    with pytest.raises(prepare.ChecksumError, match=f"is {PINNED}, params.yaml pins 00"):
        prepare.prepare("blobs-1", "blobs", "0" * 64, {})
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: c[:-1] + b"\xff", lambda c: b""])
def test_damaged_arrays_are_named(damage) -> None:  # type: ignore[no-untyped-def]
    prepare.prepare("blobs-1", "blobs", PINNED, {})
    file = paths.arrays("blobs-1")
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(CorruptFileError, match=r"arrays\.safetensors: .*manifest"):
        prepare.load_arrays("blobs-1")


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"sha256"', b"\xff\xfe"])
def test_a_damaged_manifest_is_named(content: bytes) -> None:
    prepare.prepare("blobs-1", "blobs", PINNED, {})
    paths.manifest("blobs-1").write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"manifest\.json: not a data manifest"):
        prepare.load_arrays("blobs-1")


@pytest.mark.parametrize("gone", [paths.arrays, paths.manifest])
def test_an_unprepared_data_set_is_a_missing_file(gone) -> None:  # type: ignore[no-untyped-def]
    prepare.prepare("blobs-1", "blobs", PINNED, {})
    gone("blobs-1").unlink()
    with pytest.raises(FileNotFoundError, match=gone("blobs-1").name):
        prepare.load_arrays("blobs-1")
