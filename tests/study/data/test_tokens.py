"""Text as bytes or byte pairs."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Literal

import numpy as np
import pytest

from lrtransfer.study.data.tokens import Tokenization, decode, split
from tests.tiny import ROOT

TEXT = "the cat sat on the mat; the ñandú did not\n" * 60
OTHER = "a zebra, Ω and 42 new words\n" * 20


def test_bytes_are_the_utf8_encoding() -> None:
    made = Tokenization(tokens="bytes", vocabulary=256, block_length=8)
    assert made.sizes == (1, 256)
    found = made.tokenized(TEXT, OTHER)
    assert found["train_tokens"].dtype == np.uint8
    assert found["train_tokens"].tobytes().decode() == TEXT
    assert found["test_tokens"].tobytes().decode() == OTHER


def test_pairs_are_shorter_than_bytes_and_stay_in_the_vocabulary() -> None:
    made = Tokenization(tokens="bpe", vocabulary=280, block_length=8)
    assert made.sizes == (1, 280)
    found = made.tokenized(TEXT, OTHER)
    assert found["train_tokens"].dtype == np.int32
    assert len(found["train_tokens"]) < len(TEXT.encode()) * 0.7
    for tokens in found.values():
        assert 0 <= tokens.min() <= tokens.max() < 280


def test_pairs_come_from_the_training_text_alone() -> None:
    made = Tokenization(tokens="bpe", vocabulary=280, block_length=8)
    one, other = made.tokenized(TEXT, OTHER), made.tokenized(TEXT, OTHER * 50)
    assert np.array_equal(one["train_tokens"], other["train_tokens"])
    assert np.array_equal(other["test_tokens"], np.tile(one["test_tokens"], 50))
    # Nothing of the held-out words was merged but what the training text has too: " n", say.
    assert len(one["test_tokens"]) > 0.85 * len(OTHER.encode())


def test_the_first_merge_is_the_most_frequent_pair() -> None:
    """By hand: the pair (a, b) is the commonest of "abab", so token 256 is "ab"."""
    found = Tokenization(tokens="bpe", vocabulary=257, block_length=2).tokenized(
        "abab\n" * 10, "abcab\n"
    )
    train, test = found["train_tokens"].tolist(), found["test_tokens"].tolist()
    assert train == [256, 256, train[2]] * 10
    assert test == [256, test[1], 256, train[2]]
    assert max(test[1], train[2]) < 256


@pytest.mark.process
def test_another_process_trains_the_same_pairs() -> None:
    code = (
        "import hashlib; from lrtransfer.study.data.tokens import Tokenization;"
        "from tests.study.data.test_tokens import TEXT, OTHER;"
        "f = Tokenization(tokens='bpe', vocabulary=280, block_length=8).tokenized(TEXT, OTHER);"
        "print(hashlib.sha256(b''.join(f[k].tobytes() for k in sorted(f))).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "TOKENIZERS_PARALLELISM": parallel, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for parallel, seed in (("true", "1"), ("false", "2"))
    }
    assert len(digests) == 1


@pytest.mark.parametrize(("train", "test", "part"), [("ab", TEXT, "train"), (TEXT, "ab", "test")])
@pytest.mark.parametrize("tokens", ["bytes", "bpe"])
def test_a_part_shorter_than_a_block_is_refused(
    train: str, test: str, part: str, tokens: Literal["bytes", "bpe"]
) -> None:
    with pytest.raises(ValueError, match=rf"the {part} text has 2 tokens.*Lower block_length"):
        Tokenization(tokens=tokens, vocabulary=256, block_length=2).tokenized(train, test)


def test_a_block_and_one_token_are_enough() -> None:
    assert (
        len(
            Tokenization(tokens="bytes", vocabulary=256, block_length=2).tokenized("abc", "abc")[
                "train_tokens"
            ]
        )
        == 3
    )


def test_a_vocabulary_that_the_text_cannot_fill_is_refused() -> None:
    with pytest.raises(ValueError, match=r"vocabulary is 5000, but .* only \d+ tokens"):
        Tokenization(tokens="bpe", vocabulary=5000, block_length=8).tokenized(TEXT, OTHER)


def test_impossible_options_are_refused() -> None:
    with pytest.raises(ValueError, match=r"vocabulary is 255.*Give 256 or more"):
        Tokenization(tokens="bpe", vocabulary=255, block_length=8)
    with pytest.raises(ValueError, match="block_length is 0"):
        Tokenization(tokens="bytes", vocabulary=256, block_length=0)


def test_a_byte_that_is_not_utf8_is_named() -> None:
    with pytest.raises(ValueError, match=r"notes.txt is not UTF-8 text: byte 3 is 0xe9.*iconv"):
        decode("caf\u00e9!".encode("latin1"), "notes.txt")


def test_a_split_keeps_every_character_in_order() -> None:
    assert split("0123456789", 0.3) == ("0123456", "789")
    for share in (0.0, 1.0):
        with pytest.raises(ValueError, match="Give a share between 0 and 1"):
            split("text", share)
