"""Any UTF-8 text."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrtransfer.study.plan.catalog import load

TEXT = "".join(f"line {i} — naïve\n" for i in range(100))


def test_a_users_file_is_split_into_its_beginning_and_its_end(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text(TEXT, encoding="utf-8")
    made = load("data", "text_file")(url=str(file), validation_fraction=0.25)
    found = made.arrays(made.read())
    train, test = (found[f"{part}_tokens"].tobytes().decode() for part in ("train", "test"))
    assert train + test == TEXT
    assert len(test) == round(0.25 * len(TEXT))


def test_pairs_are_asked_for_by_an_option(tmp_path: Path) -> None:
    made = load("data", "text_file")(url="x", tokens="bpe", vocabulary=270, block_length=16)
    assert made.sizes == (1, 270)
    assert made.arrays(TEXT.encode())["train_tokens"].max() == 269


def test_a_file_that_is_not_text_or_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match=r"photo.jpg is not UTF-8 text"):
        load("data", "text_file")(url="photo.jpg").arrays(b"\xff\xd8\xff\xe0")
    with pytest.raises(ValueError, match=r"the train text has 9 tokens; block_length 256"):
        load("data", "text_file")(url="x").arrays(b"ten bytes!")


def test_an_impossible_split_is_refused_before_the_file_is_read() -> None:
    with pytest.raises(ValueError, match="Give a share between 0 and 1"):
        load("data", "text_file")(url="nowhere", validation_fraction=1.0)


def test_the_file_must_be_named() -> None:
    with pytest.raises(TypeError, match="url"):
        load("data", "text_file")()
