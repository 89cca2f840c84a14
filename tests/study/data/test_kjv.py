"""The King James Bible as bytes."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from lrtransfer.study.data import Arrays
from lrtransfer.study.plan.catalog import load
from tests.tiny import real_params


@pytest.fixture(scope="module")
def raw() -> bytes:
    return load("data", "kjv")().read()


@pytest.fixture(scope="module")
def arrays(raw: bytes) -> Arrays:
    return load("data", "kjv")(validation_fraction=0.1).arrays(raw)


def test_the_source_has_the_pinned_checksum(raw: bytes) -> None:
    assert hashlib.sha256(raw).hexdigest() == real_params()["data"]["kjv"]["sha256"]


def test_the_text_runs_from_genesis_to_revelation(arrays: Arrays) -> None:
    assert arrays["train_tokens"].tobytes().startswith(b"In the beginning God created the heaven")
    assert arrays["test_tokens"].tobytes().rstrip().endswith(b"Amen.")


def test_verse_numbers_and_brackets_are_left_out(arrays: Arrays) -> None:
    text = b"".join(arrays[name].tobytes() for name in ("train_tokens", "test_tokens"))
    assert not set(text) & set(b"0123456789[]")


def test_tokens_are_bytes_and_a_tenth_is_held_out(arrays: Arrays) -> None:
    train, test = len(arrays["train_tokens"]), len(arrays["test_tokens"])
    assert (train, test) == (3_728_560, 414_285)
    assert arrays["train_tokens"].dtype == arrays["test_tokens"].dtype == np.uint8
    assert test == pytest.approx(0.1 * (train + test), abs=1)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5])
def test_an_impossible_split_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match="Give a share between 0 and 1"):
        load("data", "kjv")(validation_fraction=fraction)
