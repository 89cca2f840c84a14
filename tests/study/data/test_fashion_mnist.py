"""Fashion-MNIST from files of the official layout."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from lrtransfer.study.data import prepare
from lrtransfer.study.data.download import CACHE
from lrtransfer.study.plan.catalog import load
from tests.study.data.packing import idx, random_pixels, standardised_oracle
from tests.study.data.server import Served

LABELS = np.arange(30) % 10
TRAIN, TEST = random_pixels(30, 28, 28, seed=1), random_pixels(10, 28, 28, seed=2)
FILES = {
    "train-images-idx3-ubyte.gz": idx(TRAIN),
    "train-labels-idx1-ubyte.gz": idx(LABELS),
    "t10k-images-idx3-ubyte.gz": idx(TEST),
    "t10k-labels-idx1-ubyte.gz": idx(LABELS[:10]),
}


def packed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: gzip.compress(content, mtime=0) for name, content in files.items()}


def pin(files: Mapping[str, bytes]) -> str:
    """Return the sha256 of what ``sha256sum`` prints for the unpacked files."""
    lines = (f"{hashlib.sha256(c).hexdigest()}  {name[:-3]}\n" for name, c in files.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def folder(at: Path, files: Mapping[str, bytes]) -> str:
    for name, content in packed(files).items():
        (at / name).write_bytes(content)
    return str(at)


def test_served_files_are_standardised_with_the_training_pixels(server: Served) -> None:
    files = packed(FILES)
    for name, content in files.items():
        server.address(f"data/{name}", content)
    prepare.prepare("f", "fashion_mnist", pin(FILES), {"url": f"{server.url}/data/"})
    found = prepare.load_arrays("f")
    train, test = TRAIN[:, np.newaxis], TEST[:, np.newaxis]
    assert np.allclose(found["train_inputs"], standardised_oracle(train, train), atol=1e-6)
    assert np.allclose(found["test_inputs"], standardised_oracle(train, test), atol=1e-6)
    assert found["train_targets"].tolist() == LABELS.tolist()
    assert found["test_targets"].dtype == np.int64
    assert load("data", "fashion_mnist")().sizes == (found["train_inputs"][0].size, 10)


def test_a_wrong_file_is_noticed_and_all_four_are_dropped(server: Served) -> None:
    for name, content in packed(FILES | {"t10k-labels-idx1-ubyte.gz": idx(LABELS[1:11])}).items():
        server.address(name, content)
    with pytest.raises(prepare.ChecksumError):
        prepare.prepare("f", "fashion_mnist", pin(FILES), {"url": server.url})
    assert list(CACHE.iterdir()) == []


def test_what_is_pinned_is_the_content_and_not_its_packing(tmp_path: Path) -> None:
    url = folder(tmp_path, FILES)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(gzip.compress(content, compresslevel=1, mtime=9))
    prepare.prepare("f", "fashion_mnist", pin(FILES), {"url": url})
    assert prepare.load_arrays("f")["train_targets"].tolist() == LABELS.tolist()


def test_a_subset_takes_the_first_images_of_each_class(tmp_path: Path) -> None:
    made = load("data", "fashion_mnist")(url=folder(tmp_path, FILES), train_per_class=2)
    found = made.arrays(made.read())
    assert found["train_targets"].tolist() == LABELS[:20].tolist()
    assert len(found["test_targets"]) == 10


def test_a_file_that_changes_after_it_was_listed_is_noticed(tmp_path: Path) -> None:
    made = load("data", "fashion_mnist")(url=folder(tmp_path, FILES))
    raw = made.read()
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"other"))
    with pytest.raises(ValueError, match=r"t10k-labels-idx1-ubyte.gz changed"):
        made.arrays(raw)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "train-images-idx3-ubyte.gz",
            idx(TRAIN)[:-1],
            r"holds \(30, 28, 28\), and holds 23519 bytes",
        ),
        ("train-images-idx3-ubyte.gz", b"\0\0\x0d" + idx(TRAIN)[3:], "no IDX header"),
        ("train-images-idx3-ubyte.gz", idx(TRAIN[:, 1:]), r"\(n, 28, 28\) and \(n,\) belong there"),
        ("train-labels-idx1-ubyte.gz", idx(LABELS[1:]), r"one of \(29,\)"),
        ("train-labels-idx1-ubyte.gz", idx(LABELS * 0), "a class has 0 train images"),
    ],
)
def test_a_damaged_or_foreign_file_is_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    made = load("data", "fashion_mnist")(url=folder(tmp_path, FILES | {name: content}))
    with pytest.raises(ValueError, match=message):
        made.arrays(made.read())


def test_a_truncated_download_is_refused(tmp_path: Path) -> None:
    made = load("data", "fashion_mnist")(url=folder(tmp_path, FILES))
    file = tmp_path / "t10k-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"t10k-images-idx3-ubyte.gz is truncated or damaged"):
        made.read()
