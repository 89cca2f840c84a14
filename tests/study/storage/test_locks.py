"""Locks are held by processes and gone with them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lrtransfer.study.storage.locks import LockHeldError, acquire, locked

HOLD = """
import sys, time
from pathlib import Path
from lrtransfer.study.storage.locks import acquire
held = acquire(Path(sys.argv[1]), "process of the test")
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "lock"


@pytest.fixture
def holder(lock: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock."""
    command = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.process
def test_a_second_process_is_refused_and_told_the_holder(
    lock: Path, holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(LockHeldError, match="is held by process of the test") as caught:
        acquire(lock, "me")
    assert caught.value.holder == "process of the test"


@pytest.mark.process
def test_a_refused_process_leaves_the_holder_s_name(
    lock: Path, holder: subprocess.Popen[str]
) -> None:
    for _ in range(2):
        with pytest.raises(LockHeldError, match="process of the test"):
            acquire(lock, "me")


@pytest.mark.process
def test_a_killed_holder_lets_go(lock: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    deadline = time.monotonic() + 10
    while True:
        try:
            acquire(lock, "me").close()
        except LockHeldError:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        else:
            break


def test_a_block_lets_go_even_if_it_fails(lock: Path) -> None:
    with pytest.raises(RuntimeError, match="inside"), locked(lock, "first"):
        with pytest.raises(LockHeldError, match="first"):
            acquire(lock, "second")
        raise RuntimeError("inside")
    with locked(lock, "third"):
        assert lock.read_text(encoding="utf-8") == "third"


@pytest.mark.process
@pytest.mark.parametrize("inheritable", [False, True])
def test_only_an_inheritable_lock_outlives_its_opener_in_a_child(
    lock: Path, inheritable: bool
) -> None:
    held = acquire(lock, "me", inheritable=inheritable)
    command = [sys.executable, "-c", "print('up', flush=True); input()"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, close_fds=False) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        held.close()
        if inheritable:
            with pytest.raises(LockHeldError):
                acquire(lock, "another")
        else:
            acquire(lock, "another").close()
        child.communicate("\n")


def test_a_lock_is_taken_through_no_link_and_in_no_folder(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "link").symlink_to(victim)
    (tmp_path / "folder").mkdir()
    for name in ("link", "folder", "victim/lock"):
        with pytest.raises(RuntimeError, match=r"cannot be a lock .*Remove"):
            acquire(tmp_path / name, "me")
    assert victim.read_text() == "precious"
