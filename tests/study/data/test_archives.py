"""Archives read in memory."""

from __future__ import annotations

import io
import tarfile
import zipfile

import pytest

from lrtransfer.study.data.archives import members
from tests.study.data.packing import random_pixels, tar, zipped

FILES = {"a/one": b"1", "a/two": b"22", "b/three": random_pixels(4000).tobytes()}


def everything(path: str) -> bool:
    return True


@pytest.mark.parametrize(
    "raw",
    [*(tar(FILES, kind) for kind in ("", "gz", "bz2", "xz")), zipped(FILES)],
    ids=["tar", "gz", "bz2", "xz", "zip"],
)
def test_wanted_members_come_in_the_archives_order(raw: bytes) -> None:
    assert dict(members(raw, everything)) == FILES
    assert [name for name, _ in members(raw, lambda path: path != "a/one")] == ["a/two", "b/three"]


def test_folders_are_passed_over() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.mkdir("a")
        archive.writestr("a/one", b"1")
    assert dict(members(packed.getvalue(), everything)) == {"a/one": b"1"}


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("pack", [tar, zipped])
def test_a_truncated_archive_is_refused(pack, share: float) -> None:  # type: ignore[no-untyped-def]
    raw = pack(FILES)
    with pytest.raises(ValueError, match=r"truncated or damaged.*download it again"):
        list(members(raw[: int(len(raw) * share)], everything))


def test_a_flipped_byte_is_noticed() -> None:
    raw = bytearray(zipped(FILES))
    raw[raw.index(b"b/three") + 1000] ^= 1
    with pytest.raises(ValueError, match="truncated or damaged"):
        list(members(bytes(raw), everything))


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../up", "a/../../up", "a\\..\\up", "C:/x", "\\\\host\\share\\x"]
)
@pytest.mark.parametrize("pack", [tar, zipped])
def test_a_path_that_leads_out_is_refused_even_if_not_wanted(  # type: ignore[no-untyped-def]
    pack, path: str
) -> None:
    with pytest.raises(ValueError, match="leads out of the archive"):
        list(members(pack({path: b""}), lambda name: False))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_of_a_tar_are_refused(kind: bytes) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = kind, "target"
        archive.addfile(member)
    with pytest.raises(ValueError, match="'link' is a link or a device"):
        list(members(packed.getvalue(), everything))


def test_a_link_of_a_zip_is_refused() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        member = zipfile.ZipInfo("link")
        member.external_attr = 0o120777 << 16
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(ValueError, match="'link' is a link or a device"):
        list(members(packed.getvalue(), everything))


def test_the_message_is_one_line() -> None:
    with pytest.raises(ValueError) as raised:
        list(members(b"<html>not found</html>", everything))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("place", "value"), [(6, 1), (8, 97)], ids=["encrypted", "odd method"])
def test_a_zip_that_zipfile_cannot_open_is_named_with_a_remedy(place: int, value: int) -> None:
    raw = bytearray(zipped(FILES))
    entry = raw.index(b"PK\x01\x02")  # of the directory: flags and method lie two bytes further
    raw[place] = value
    raw[entry + place + 2] = value
    with pytest.raises(ValueError, match=r"cannot be read \(.*Pack it anew"):
        list(members(bytes(raw), everything))
