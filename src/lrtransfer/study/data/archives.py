"""Members of tar and zip archives, read in memory: nothing is ever extracted to the disk."""

from __future__ import annotations

import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath, PureWindowsPath

_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError)


def members(raw: bytes, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield the path and the content of each wanted file, in the archive's order, one at a time.

    Args:
        raw: A zip, or a tar that is plain or compressed with gzip, bzip2 or xz.
        wanted: Whether the member of a path is to be read.

    Raises:
        ValueError: The archive is truncated, damaged, encrypted or of another kind, or a member is
            a link or has a path that leads out of the archive.
    """
    reader = _zip if zipfile.is_zipfile(io.BytesIO(raw)) else _tar
    try:
        yield from reader(raw, wanted)
    except _DAMAGE as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"the archive is truncated or damaged ({reason}). "
            "Delete it from data/downloads and download it again."
        ) from error
    except RuntimeError as error:  # of zipfile: a password, or an odd compression
        raise ValueError(
            f"the archive cannot be read ({error}). Pack it anew, without a password, as zip or "
            "tar.gz, and give that file's path as url."
        ) from error


def _tar(raw: bytes, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    # Not the stream mode "r|*": it takes compressed data that ends early for a shorter archive.
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r:*") as archive:
        for member in archive:
            _refuse_escape(member.name)
            if not (member.isfile() or member.isdir()):
                raise ValueError(_refusal(member.name, "is a link or a device"))
            content = archive.extractfile(member) if wanted(member.name) else None
            if content is not None:  # a folder has none
                yield member.name, content.read()
        # The compressed data's own checksum is compared where it ends, after the last member.
        while archive.fileobj and archive.fileobj.read(2**20):
            pass


def _zip(raw: bytes, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        for member in archive.infolist():
            _refuse_escape(member.filename)
            # Unix keeps the file type in the upper half of the attributes; 0xA000 is a link.
            if (member.external_attr >> 16) & 0xF000 == 0xA000:
                raise ValueError(_refusal(member.filename, "is a link or a device"))
            if not member.is_dir() and wanted(member.filename):
                yield member.filename, archive.read(member)


def _refuse_escape(name: str) -> None:
    windows = PureWindowsPath(name)
    if PurePosixPath(name).is_absolute() or windows.anchor or ".." in windows.parts:
        raise ValueError(_refusal(name, "leads out of the archive"))


def _refusal(name: str, reason: str) -> str:
    return f"the archive's member {name!r} {reason}. Get the archive from the data set's own home."
