"""Tiny Shakespeare."""

from __future__ import annotations

import pytest

from lrtransfer.study.plan.catalog import load
from tests.study.data.server import Served

TEXT = "First Citizen:\nBefore we proceed any further, hear me speak.\n\n" * 60


def test_the_served_text_is_split_into_its_beginning_and_its_end(server: Served) -> None:
    made = load("data", "tiny_shakespeare")(url=server.address("input.txt", TEXT.encode()))
    found = made.arrays(made.read())
    train, test = (found[f"{part}_tokens"].tobytes().decode() for part in ("train", "test"))
    assert train + test == TEXT
    assert len(test) == round(0.1 * len(TEXT))
    assert made.sizes == (1, 256)


def test_an_impossible_split_is_refused() -> None:
    with pytest.raises(ValueError, match="Give a share between 0 and 1"):
        load("data", "tiny_shakespeare")(validation_fraction=0.0)
