"""Files from the network: fetched once into a cache folder, whole or not at all.

What a file must contain is pinned in params.yaml and checked by ``prepare``; this file sees to it
that a broken transfer is tried again and never leaves something that a later run would take for
the file.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

CACHE = Path("data/downloads")
RETRIES = 3
TIMEOUT = 30.0  # seconds without an answer, not of the whole transfer


@dataclass(kw_only=True)
class Downloaded:
    """The part of a data source that is one file at a URL.

    Args:
        url: An http or https address, a ``file:`` URL, or the path of a file.
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
    """Return the local copy of ``url``; a path or a ``file:`` URL is used where it lies.

    The transfer goes to a temporary file that takes its name when complete. A dropped connection
    is tried again up to ``RETRIES`` times. Progress shows on a terminal only.

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
    """Delete the cached copy of ``url``; a user's own file is left alone."""
    if _local(url) is None:
        _cached(url).unlink(missing_ok=True)


def _cached(url: str) -> Path:
    """Return the cache's name for ``url``: mirrors of one file do not share it."""
    name = Path(unquote(urlsplit(url).path)).name or "content"
    return CACHE / f"{hashlib.sha256(url.encode()).hexdigest()[:12]}-{name}"


def _local(url: str) -> Path | None:
    """Return the path that ``url`` names on this machine, or None for a remote one."""
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
    # pooch announces each file and each retry; the progress bar and our errors say enough.
    pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=TIMEOUT)
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
