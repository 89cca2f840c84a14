"""Downloads: cached, retried, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lrtransfer.study.data import download, prepare
from lrtransfer.study.data.download import CACHE, Downloaded, discard, fetch
from lrtransfer.study.storage import paths
from tests.study.data.server import Served

CONTENT = bytes(range(256)) * 400


def test_a_file_is_downloaded_once_and_then_read_from_the_cache(server: Served) -> None:
    url = server.address("folder/some%20file.bin", CONTENT)
    first = fetch(url)
    assert first.read_bytes() == CONTENT
    assert first.parent == CACHE
    assert first.name.endswith("-some file.bin")
    assert fetch(url) == first
    assert len(server.requests) == 1


def test_two_mirrors_do_not_share_a_cached_file(server: Served) -> None:
    one, other = server.address("a/x.bin", b"one"), server.address("b/x.bin", b"other")
    assert (fetch(one).read_bytes(), fetch(other).read_bytes()) == (b"one", b"other")


def test_a_dropped_connection_is_tried_again(server: Served) -> None:
    url = server.address("x.bin", CONTENT)
    server.drops = 2
    assert fetch(url).read_bytes() == CONTENT
    assert len(server.requests) == 3


def test_a_connection_that_keeps_dropping_leaves_nothing(server: Served) -> None:
    url = server.address("x.bin", CONTENT)
    server.drops = 99
    with pytest.raises(RuntimeError, match=rf"cannot download {url}.*option url to a mirror"):
        fetch(url)
    assert len(server.requests) == 1 + download.RETRIES
    assert list(CACHE.iterdir()) == []


def test_a_missing_file_and_a_dead_host_name_the_url_and_the_remedy(server: Served) -> None:
    with pytest.raises(RuntimeError, match=r"cannot download .*/gone.*404.*mirror"):
        fetch(f"{server.url}/gone")
    with pytest.raises(RuntimeError, match=r"cannot download http://127.0.0.1:9/x.*mirror"):
        fetch("http://127.0.0.1:9/x")


@pytest.mark.process
def test_a_download_killed_half_way_leaves_nothing_that_is_used(
    server: Served, tmp_path: Path
) -> None:
    url = server.address("x.bin", CONTENT)
    server.stalls.set()
    code = f"from lrtransfer.study.data.download import fetch; fetch({url!r})"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    assert server.half_sent.wait(30)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    server.stalls.clear()
    server.released.set()
    assert not any(path.name.endswith("-x.bin") for path in CACHE.iterdir())
    assert fetch(url).read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_progress_shows_on_a_terminal_only(
    server: Served, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    url = server.address("x.bin", CONTENT)
    fetch(url)
    assert capfd.readouterr() == ("", "")
    discard(url)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fetch(url)
    assert "100%" in capfd.readouterr().err


@pytest.mark.parametrize("form", [str, Path.as_uri])
def test_a_file_of_the_users_is_read_where_it_lies_and_never_deleted(  # type: ignore[no-untyped-def]
    tmp_path: Path, form
) -> None:
    file = tmp_path / "my file.bin"
    file.write_bytes(CONTENT)
    source = Downloaded(url=form(file))
    assert source.read() == CONTENT
    source.discard()
    assert file.read_bytes() == CONTENT


def test_a_path_without_a_file_and_an_unknown_scheme_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"there is no file .*gone.*Correct .*url"):
        fetch(str(tmp_path / "gone"))
    with pytest.raises(ValueError, match="the scheme 'gopher' is not served"):
        fetch("gopher://host/x")


def test_a_download_with_the_wrong_checksum_is_dropped_and_a_right_one_prepared(
    server: Served,
) -> None:
    text = b"a line of text\n" * 100
    url = server.address("text.txt", b"not what was pinned")
    pinned = hashlib.sha256(text).hexdigest()
    options = {"url": url, "block_length": 64}
    with pytest.raises(prepare.ChecksumError, match=rf"params.yaml pins {pinned}.*option url"):
        prepare.prepare("text", "text_file", pinned, options)
    assert list(CACHE.iterdir()) == []
    assert not paths.PREPARED.exists()
    server.files["text.txt"] = text
    prepare.prepare("text", "text_file", pinned, options)
    assert prepare.load_arrays("text")["train_tokens"].tobytes() == text[:1350]


def test_a_transfer_that_trickles_is_given_up_and_leaves_nothing(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_PATIENCE", 0.0)
    monkeypatch.setattr(download, "SLOWEST", 2**60)
    with pytest.raises(RuntimeError, match=r"cannot download .*bytes in \d+ s.*mirror"):
        fetch(server.address("x.bin", CONTENT))
    assert len(server.requests) == 1
    assert list(CACHE.iterdir()) == []


@pytest.mark.parametrize("name", ["x" * 300, "a%00b", "a%0Ab", "..%2F..%2Fup", "%C3%A9" * 90])
def test_any_address_has_a_name_in_the_cache(name: str) -> None:
    path = download._cached(f"http://127.0.0.1:9/{name}")
    assert path.parent == CACHE
    assert len(path.name.encode()) < 120
    assert path.name.isprintable()


def test_what_killed_transfers_left_is_removed_a_day_later(server: Served) -> None:
    CACHE.mkdir(parents=True)
    old, young = CACHE / "tmpold", CACHE / "tmpyoung"
    for path in (old, young):
        path.touch()
    os.utime(old, (0, 0))
    fetch(server.address("x.bin", CONTENT))
    assert not old.exists()
    assert young.exists()
