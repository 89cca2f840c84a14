"""WikiText-2 from an archive of the official layout."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lrtransfer.study.data import prepare
from lrtransfer.study.plan.catalog import load
from tests.study.data.packing import zipped
from tests.study.data.server import Served

PARTS = {
    part: f" \n = {part} = \n the <unk> of {part} \n" * 30 for part in ("train", "valid", "test")
}
FILES = {f"wikitext-2/wiki.{part}.tokens": text.encode() for part, text in PARTS.items()}


@pytest.mark.parametrize("held_out", ["valid", "test"])
def test_the_official_parts_are_the_training_and_the_held_out_text(held_out: str) -> None:
    found = load("data", "wikitext2")(held_out=held_out).arrays(zipped(FILES))
    assert found["train_tokens"].tobytes().decode() == PARTS["train"]
    assert found["test_tokens"].tobytes().decode() == PARTS[held_out]


def test_the_raw_variant_is_read_too() -> None:
    files = {f"wikitext-2-raw/wiki.{part}.raw": text.encode() for part, text in PARTS.items()}
    found = load("data", "wikitext2")().arrays(zipped(files))
    assert found["train_tokens"].tobytes().decode() == PARTS["train"]


def test_a_missing_part_is_named() -> None:
    files = {name: text for name, text in FILES.items() if "valid" not in name}
    with pytest.raises(ValueError, match=r"lacks wiki.valid.tokens.*official archive"):
        load("data", "wikitext2")().arrays(zipped(files))


def test_a_part_that_is_not_utf8_is_named() -> None:
    files = FILES | {"wikitext-2/wiki.train.tokens": b"caf\xe9 " * 200}
    with pytest.raises(ValueError, match=r"wiki.train.tokens is not UTF-8 text: byte 3"):
        load("data", "wikitext2")().arrays(zipped(files))


def test_a_part_shorter_than_a_block_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the train text has 1050 tokens; block_length 5000"):
        load("data", "wikitext2")(block_length=5000).arrays(zipped(FILES))


def test_an_archive_from_a_server_is_prepared_as_pairs(server: Served) -> None:
    raw = zipped(FILES)
    url = server.address("wikitext-2-v1.zip", raw)
    options = {"url": url, "tokens": "bpe", "vocabulary": 260, "block_length": 32}
    prepare.prepare("w", "wikitext2", hashlib.sha256(raw).hexdigest(), options)
    found = prepare.load_arrays("w")
    assert load("data", "wikitext2")(**options).sizes == (1, 260)
    assert found["train_tokens"].dtype == np.int32
    assert found["train_tokens"].max() < 260


def test_the_real_archive_becomes_bytes_and_pairs(shared_data: Path, server: Served) -> None:
    file = shared_data / "wikitext-2-v1-subset.zip"
    url = server.address("wikitext-2-v1.zip", file.read_bytes())
    made = load("data", "wikitext2")(url=url)
    found = made.arrays(made.read())
    with zipfile.ZipFile(file) as archive:
        for key, part in (("train", "train"), ("test", "valid")):
            text = archive.read(f"wikitext-2/wiki.{part}.tokens")
            assert found[f"{key}_tokens"].tobytes() == text
    pairs = load("data", "wikitext2")(url=str(file), tokens="bpe", vocabulary=1024)
    packed = pairs.arrays(pairs.read())
    bytes_per_token = len(found["train_tokens"]) / len(packed["train_tokens"])
    assert 2.0 < bytes_per_token < 5.0
    assert packed["train_tokens"].max() == 1023
