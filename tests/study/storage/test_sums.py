"""Listed digests: what differs, or is not listed, is named."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lrtransfer.study.storage.seal import CorruptFileError
from lrtransfer.study.storage.sums import check_sum, write_sums


@pytest.fixture
def listed(tmp_path: Path) -> tuple[Path, Path]:
    """Return a file and the list that holds its digest."""
    file, sums = tmp_path / "a figure.csv", tmp_path / "list.sha256"
    file.write_text("x,y\n1,2\n")
    write_sums(sums, [file])
    check_sum(file, sums)
    return file, sums


@pytest.mark.parametrize("content", ["x,y\n1,3\n", "x,y\n", ""])
def test_a_changed_file_is_named(listed: tuple[Path, Path], content: str) -> None:
    file, sums = listed
    file.write_text(content)
    with pytest.raises(CorruptFileError, match=r"a figure\.csv: .*list\.sha256"):
        check_sum(file, sums)


def test_a_file_that_is_not_listed_is_named(listed: tuple[Path, Path]) -> None:
    file, sums = listed
    with pytest.raises(CorruptFileError, match="other"):
        check_sum(Path(shutil.copy(file, file.with_name("other"))), sums)


def test_a_list_that_lost_its_end_vouches_for_nothing(listed: tuple[Path, Path]) -> None:
    file, sums = listed
    sums.write_bytes(sums.read_bytes()[:-9])
    with pytest.raises(CorruptFileError):
        check_sum(file, sums)


@pytest.mark.process
@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum here")
def test_the_list_is_read_by_sha256sum(listed: tuple[Path, Path]) -> None:
    file, sums = listed
    subprocess.run(["sha256sum", "--check", "--strict", sums], cwd=file.parent, check=True)
