"""Files from the network: fetched once into a cache folder, whole or not at all.

What a file must contain is pinned in params.yaml and checked by `prepare`; this file sees to it
that a broken transfer is tried again and never leaves something that a later run would take for
the file.
"""

from __future__ import annotations

import hashlib
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

CACHE = Path("data/downloads")
RETRIES = 3
TIMEOUT = 30.0  # seconds without an answer
# Slower than this over the first minute and after, a transfer is given up: it would take days.
SLOWEST = 2**10  # bytes a second
_PATIENCE = 60.0
_NAME_LENGTH = 100
_ABANDONED_SECONDS = 86_400.0


@dataclass(kw_only=True)
class Downloaded:
    """The part of a data source that is one file at a URL.

    Args:
        url: An http or https address, a `file:` URL, or the path of a file.
    """

    url: str

    def read(self) -> bytes:
        """Return the file's content, downloaded if it is not in the cache.

        Raises:
            RuntimeError: The file can neither be downloaded nor read.
        """
        return fetch(self.url).read_bytes()

    def discard(self) -> None:
        """Drop the cached copy, so that the next read downloads again."""
        discard(self.url)


def fetch(url: str) -> Path:
    """Return the local copy of `url`; a path or a `file:` URL is used where it lies.

    The transfer goes to a temporary file that takes its name when complete. A dropped connection
    is tried again up to `RETRIES` times, one that trickles is given up. Progress shows on a
    terminal only.

    Raises:
        RuntimeError: There is no such file, or no connection.
        ValueError: The URL has a scheme that is not served.
    """
    local = _local(url)
    if local is not None:
        if not local.is_file():
            raise RuntimeError(f"there is no file {local}. Correct the data set's option url.")
        return local
    return _cached(url) if _cached(url).is_file() else _download(url)


def discard(url: str) -> None:
    """Delete the cached copy of `url`; a user's own file is left alone."""
    if _local(url) is None:
        _cached(url).unlink(missing_ok=True)


def _cached(url: str) -> Path:
    """Return the cache's name for `url`: mirrors of one file do not share it."""
    name = unquote(urlsplit(url).path).rpartition("/")[2] or "content"
    # What any file system takes as a name.
    plain = re.sub(r"[^ -~]|[\\/:]", "_", name)[-_NAME_LENGTH:]
    return CACHE / f"{hashlib.sha256(url.encode()).hexdigest()[:12]}-{plain}"


def _local(url: str) -> Path | None:
    """Return the path that `url` names on this machine, or None for a remote one."""
    parts = urlsplit(url)
    if parts.scheme in ("http", "https"):
        return None
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if parts.scheme:
        raise ValueError(
            f"url is {url!r}: the scheme {parts.scheme!r} is not served. "
            "Give an http or https address, or the path of a file."
        )
    return Path(url).expanduser()


def _download(url: str) -> Path:
    # Imported at first use: planning a study needs no network library.
    import pooch  # type: ignore[import-untyped]
    import requests

    target = _cached(url)
    _drop_abandoned()
    # pooch announces each file and each retry; the progress bar and our errors say enough.
    pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(progressbar=_pace(), timeout=TIMEOUT)
    store = pooch.create(
        CACHE,
        base_url="",
        registry={target.name: None},
        urls={target.name: url},
        retry_if_failed=RETRIES,
    )
    try:
        store.fetch(target.name, downloader=downloader)
    except (requests.RequestException, OSError) as error:
        raise RuntimeError(
            f"cannot download {url}: {error}. Check the network, or set the data set's option "
            "url to a mirror or to the path of a file that you have."
        ) from error
    return target


def _pace() -> Any:
    """Return a progress bar that gives up on a transfer which trickles."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    class Pace(tqdm):  # type: ignore[misc]
        began = time.monotonic()
        received = 0.0

        def __bool__(self) -> bool:
            return True

        def update(self, n: float = 1) -> bool | None:
            self.received += n
            seconds = time.monotonic() - self.began
            if seconds > _PATIENCE and self.received < SLOWEST * seconds:
                raise TimeoutError(f"{self.received:.0f} bytes in {seconds:.0f} s")
            shown: bool | None = super().update(n)
            return shown

    shown = sys.stderr.isatty()
    return Pace(disable=not shown, unit="B", unit_scale=True, ncols=79, ascii=True, leave=True)


def _drop_abandoned() -> None:
    """Remove what killed transfers left in the cache."""
    for path in CACHE.glob("tmp*"):
        if path.is_file() and time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
            path.unlink(missing_ok=True)
