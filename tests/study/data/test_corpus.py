"""A text in shards: the tokens of the text, resumed where it was stopped, mended where damaged."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lrtransfer.study.data import prepare, shards
from lrtransfer.study.data.corpus import Corpus
from lrtransfer.study.data.text_file import TextFile
from lrtransfer.study.storage import atomic, paths
from lrtransfer.study.storage.seal import CorruptFileError
from lrtransfer.study.training.examples import HeldExamples, training_examples
from lrtransfer.study.training.token_blocks import TokenBlocks

CPU = torch.device("cpu")
TEXT = "".join(f"Line {i} says schön, 世界 and {i * i % 97} more.\n" for i in range(600))
OPTIONS: dict[str, Any] = {"block_length": 8, "validation_fraction": 0.05}


@pytest.fixture(autouse=True)
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shards, "_PIECE", 512)
    Path("text.txt").write_text(TEXT, encoding="utf-8")
    return Path("text.txt")


def prepared(name: str = "one", **options: Any) -> dict[str, np.ndarray]:
    pinned = hashlib.sha256(TEXT.encode()).hexdigest()
    own = {"url": "text.txt", **OPTIONS, **options}
    prepare.prepare(name, "corpus", pinned, own)
    return prepare.load_arrays(name)


def parts(arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    return [a for name, a in arrays.items() if name.startswith("train_tokens/")]


def test_shards_hold_the_bytes_of_the_text_up_to_what_is_held_out() -> None:
    arrays = prepared(shard_tokens=3000)
    train, test = np.concatenate(parts(arrays)), arrays["test_tokens"]
    assert len(parts(arrays)) > 3
    assert train.dtype == np.uint8
    assert (train.tobytes() + test.tobytes()).decode() == TEXT
    assert train.tobytes().endswith(b"\n")
    assert len(test) == pytest.approx(0.05 * len(TEXT.encode()), abs=80)


def test_byte_pairs_are_those_of_a_text_in_memory() -> None:
    """The same training text gives the same pairs, and line by line the same tokens."""
    arrays = prepared(tokens="bpe", vocabulary=300, shard_tokens=2000)
    train = np.concatenate(parts(arrays))
    assert train.dtype == np.uint16
    cut = Corpus(url="text.txt", **OPTIONS)._held_out_from(Path("text.txt"))
    own = TextFile(url="text.txt", tokens="bpe", vocabulary=300, block_length=8)
    whole = own.tokenized(TEXT.encode()[:cut].decode(), TEXT.encode()[cut:].decode())
    assert train.tolist() == whole["train_tokens"].tolist()
    assert arrays["test_tokens"].tolist() == whole["test_tokens"].tolist()


def test_preparing_goes_on_where_it_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = parts(prepared("whole", tokens="bpe", vocabulary=300, shard_tokens=2000))
    real, written = atomic.write_text, []

    def interrupted(path: Path, content: str) -> None:
        real(path, content)
        written.append(path)
        if len(written) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shards, "write_text", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepared(tokens="bpe", vocabulary=300, shard_tokens=2000)
    first = paths.prepared("one") / "train-00000.uint16"
    before = first.stat()
    resumed = parts(prepared(tokens="bpe", vocabulary=300, shard_tokens=2000))
    assert first.stat().st_mtime_ns == before.st_mtime_ns
    assert [a.tolist() for a in resumed] == [a.tolist() for a in whole]


def test_what_is_prepared_is_linked_and_not_prepared_again(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = prepared(shard_tokens=3000)
    paths.arrays("one").unlink()  # as Snakemake does before it runs a job again
    paths.manifest("one").unlink()
    monkeypatch.setattr(Corpus, "digest", lambda self: pytest.fail("the text is read again"))
    again = prepared(shard_tokens=3000)
    assert again.keys() == arrays.keys()


def test_a_damaged_shard_is_made_anew() -> None:
    whole = parts(prepared(shard_tokens=3000))
    content = [a.tolist() for a in whole]
    damaged = paths.prepared("one") / "train-00002.uint8"
    damaged.write_bytes(bytes(len(content[2])))
    with pytest.raises(CorruptFileError, match="train-00002"):
        prepare.check_data("one")
    assert [a.tolist() for a in parts(prepared(shard_tokens=3000))] == content


def test_a_missing_shard_is_named() -> None:
    prepared(shard_tokens=3000)
    (paths.prepared("one") / "train-00001.uint8").unlink()
    with pytest.raises(FileNotFoundError, match="train-00001"):
        prepare.load_arrays("one")


@pytest.mark.parametrize("block", [1, 7, 64])
def test_blocks_from_shards_are_those_of_the_text_in_memory(block: int) -> None:
    arrays = prepared(shard_tokens=1000)
    streamed = training_examples(arrays, torch.float32, CPU, block=block)
    stream = np.concatenate(parts(arrays))
    held = training_examples({"train_tokens": stream}, torch.float32, CPU, block=block)
    assert isinstance(streamed, TokenBlocks)
    assert isinstance(held, HeldExamples)
    assert (len(streamed), streamed.outputs, streamed.in_features) == (len(held), 256, 1)
    chosen = torch.randperm(len(held), generator=torch.Generator().manual_seed(0))
    for ours, theirs in zip(streamed.batch(chosen), held.batch(chosen), strict=True):
        assert torch.equal(ours, theirs)


def test_a_line_longer_than_a_piece_is_cut_between_characters() -> None:
    Path("long.txt").write_text("世" * 1000, encoding="utf-8")
    size = Path("long.txt").stat().st_size
    found = [piece for piece, _ in shards.text_pieces(Path("long.txt"), 0, size)]
    assert len(found) > 3
    assert "".join(piece.decode() for piece in found) == "世" * 1000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"validation_fraction": 1.5}, "validation_fraction is 1.5"),
        ({"shard_tokens": 0}, "shard_tokens is 0"),
        ({"tokens": "bpe", "vocabulary": 60000}, "yield only"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        prepared(**options)


def test_another_text_than_the_pinned_one_is_refused() -> None:
    with pytest.raises(prepare.ChecksumError, match=r"params\.yaml pins"):
        prepare.prepare("one", "corpus", "0" * 64, {"url": "text.txt", **OPTIONS})
    assert not paths.prepared("one").exists()
