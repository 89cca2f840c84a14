"""Text as a stream of tokens: bytes, or byte-pair encoding trained on the training text alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lrtransfer.study.data import Arrays

BYTES = 256


@dataclass(kw_only=True)
class Tokenization:
    """How text becomes tokens: the options that data sources of text share.

    Args:
        tokens: `bytes`, or `bpe` trained on the training part.
        vocabulary: Distinct tokens of `bpe`, the 256 bytes among them.
        block_length: The longest training sample (tokens) that both parts must hold, with the
            token after it.

    Raises:
        ValueError: The vocabulary has no room for the bytes, or the block is empty.
    """

    tokens: Literal["bytes", "bpe"] = "bytes"
    vocabulary: int = 1024
    block_length: int = 256

    def __post_init__(self) -> None:
        if self.vocabulary < BYTES:
            raise ValueError(
                f"vocabulary is {self.vocabulary}; the bytes alone are {BYTES}. "
                f"Give {BYTES} or more."
            )
        if self.block_length < 1:
            raise ValueError(f"block_length is {self.block_length}. Give 1 or more tokens.")

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers per position, and outputs that a network needs."""
        return (1, BYTES if self.tokens == "bytes" else self.vocabulary)

    def tokenized(self, train: str, test: str) -> Arrays:
        """Return `train_tokens` and `test_tokens`: uint8 for bytes, int32 for BPE, shape (n,).

        Raises:
            ValueError: A part is shorter than a block, or the training text is too small for the
                vocabulary.
        """
        if self.tokens == "bytes":
            parts = {"train": _bytes(train), "test": _bytes(test)}
        else:
            parts = self._pair_encoded(train, test)
        for part, stream in parts.items():
            if len(stream) <= self.block_length:
                raise ValueError(
                    f"the {part} text has {len(stream)} tokens; block_length {self.block_length} "
                    "needs one more than that. Lower block_length or give a longer text."
                )
        return {f"{part}_tokens": stream for part, stream in parts.items()}

    def _pair_encoded(self, train: str, test: str) -> dict[str, np.ndarray[Any, Any]]:
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers

        tokenizer = Tokenizer(models.BPE())
        # Bytes below the pairs: any text can be encoded, and none needs an unknown token.
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocabulary,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        tokenizer.train_from_iterator(_lines(train), trainer)
        if tokenizer.get_vocab_size() < self.vocabulary:
            raise ValueError(
                f"vocabulary is {self.vocabulary}, but the training text yields only "
                f"{tokenizer.get_vocab_size()} tokens. Lower vocabulary or give a longer text."
            )

        def encoded(text: str) -> np.ndarray[Any, Any]:
            pieces = [np.array(tokenizer.encode(line).ids, dtype=np.int32) for line in _lines(text)]
            return np.concatenate([np.empty(0, np.int32), *pieces])

        return {"train": encoded(train), "test": encoded(test)}


def decode(raw: bytes, name: str) -> str:
    """Return UTF-8 content as text.

    Args:
        raw: The content.
        name: What it is, for the error message.

    Raises:
        ValueError: It is not UTF-8.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name} is not UTF-8 text: byte {error.start} is 0x{raw[error.start]:02x}. "
            "Convert it, for example with iconv -t UTF-8."
        ) from error


def split(text: str, held_out: float) -> tuple[str, str]:
    """Return the beginning of `text` and its last part, a share `held_out` of its characters.

    Raises:
        ValueError: The share is not between 0 and 1.
    """
    if not 0 < held_out < 1:
        raise ValueError(f"validation_fraction is {held_out}. Give a share between 0 and 1.")
    cut = round(len(text) * (1 - held_out))
    return text[:cut], text[cut:]


def _bytes(text: str) -> np.ndarray[Any, Any]:
    return np.frombuffer(text.encode("utf-8"), dtype=np.uint8).copy()


def _lines(text: str) -> Iterator[str]:
    """Yield lines with their ends, so that tokens never cross a line and memory stays small."""
    yield from text.splitlines(keepends=True)
