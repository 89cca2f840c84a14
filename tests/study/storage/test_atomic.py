"""Files are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lrtransfer.study.storage.atomic import link, replacing, write_bytes, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_bytes(path, b"old")
    write_text(path, "nëw")
    assert path.read_bytes() == "nëw".encode()
    assert names(path.parent) == ["file"]


def test_a_file_has_the_mode_of_any_new_file_and_the_umask_is_never_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.umask(0o027)
    try:
        monkeypatch.delattr(os, "umask")
        write_text(tmp_path / "file", "text")
    finally:
        monkeypatch.undo()
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_failing_writer_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")
    with pytest.raises(error), replacing(path) as temporary:
        temporary.write_bytes(b"half of the n")
        raise error
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_failing_first_writer_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="disk"), replacing(tmp_path / "file") as temporary:
        temporary.write_bytes(b"half")
        raise OSError("disk full")
    assert names(tmp_path) == []


def test_the_old_file_stands_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")
    with replacing(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_a_file_has_the_permissions_of_an_ordinary_one(tmp_path: Path) -> None:
    write_bytes(tmp_path / "ours", b"")
    (tmp_path / "plain").touch()
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_link_is_the_same_file(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "published" / "target"
    write_bytes(source, b"content")
    link(source, target)
    assert target.samefile(source)
    assert names(target.parent) == ["target"]


def test_a_link_replaces_what_was_there_and_leaves_an_equal_one(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    write_bytes(source, b"new")
    write_bytes(target, b"old")
    link(source, target)
    assert target.read_bytes() == b"new"
    before = target.stat().st_ctime_ns
    link(source, target)
    assert target.stat().st_ctime_ns == before


def test_replacing_a_linked_file_leaves_the_other_name(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    write_bytes(source, b"old")
    link(source, target)
    write_bytes(target, b"new")
    assert source.read_bytes() == b"old"


def test_a_link_across_file_systems_is_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*names: object) -> None:
        raise OSError("cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    write_bytes(tmp_path / "source", b"content")
    link(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"content"
    assert not (tmp_path / "target").samefile(tmp_path / "source")
