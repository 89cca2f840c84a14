"""A text of any size as tokens on the disk: read, tokenised and trained on in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lrtransfer.study.data.download import Downloaded, fetch
from lrtransfer.study.data.shards import Tokens, digest_of, line_end, text_pieces
from lrtransfer.study.data.tokens import Tokenization, decode
from lrtransfer.study.storage.atomic import write_text

_TOKENIZER = "tokenizer.json"
_MOST_HELD_OUT = 2**26  # bytes


@dataclass(kw_only=True)
class Corpus(Tokenization, Downloaded):
    """Bytes or byte-pair tokens in shards; the last lines of the text are held out.

    Args:
        url: The file's path or address: UTF-8 text.
        tokens: See `Tokenization`; pairs are learned from the beginning of the text.
        vocabulary: See `Tokenization`.
        block_length: See `Tokenization`.
        validation_fraction: Share of the text that is held out, at most 64 MB.
        learned_from: Megabytes at the beginning that byte pairs are learned from.
        shard_tokens: Tokens of a file, at least.
    """

    validation_fraction: float = 0.001
    learned_from: int = 64
    shard_tokens: int = 67_108_864

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.validation_fraction < 1:
            raise ValueError(
                f"validation_fraction is {self.validation_fraction}. Give a share between 0 and 1."
            )
        for name in ("learned_from", "shard_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}. Give 1 or more.")

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest that holds a token."""
        return np.min_scalar_type(self.sizes[1] - 1)

    def digest(self) -> str:
        """Return the sha256 of the file."""
        return digest_of(fetch(self.url))

    def pieces(self, folder: Path, start: int) -> Iterator[tuple[Tokens, int]]:
        """Yield tokens from byte `start` on; see `shards.Streamed`.

        Raises:
            ValueError: The text is not UTF-8, or too small for the vocabulary.
        """
        path, encode = fetch(self.url), self._encoder(folder)
        for text, place in text_pieces(path, start, self._held_out_from(path)):
            yield encode(text), place

    def held_out(self, folder: Path) -> Tokens:
        """Return the tokens of the last lines.

        Raises:
            ValueError: They are too many.
        """
        path, encode = fetch(self.url), self._encoder(folder)
        first, size = self._held_out_from(path), path.stat().st_size
        if size - first > _MOST_HELD_OUT:
            raise ValueError(
                f"validation_fraction {self.validation_fraction} holds out {size - first:,} bytes, "
                f"more than {_MOST_HELD_OUT:,}. Lower it."
            )
        parts = [encode(text) for text, _ in text_pieces(path, first, size)]
        return np.concatenate([np.empty(0, self.dtype), *parts])

    def _held_out_from(self, path: Path) -> int:
        return line_end(path, round(path.stat().st_size * (1 - self.validation_fraction)))

    def _encoder(self, folder: Path) -> Any:
        """Return bytes of text -> tokens, with the pairs that are kept in `folder`."""
        if self.tokens == "bytes":
            return lambda text: np.frombuffer(text, np.uint8)
        from tokenizers import Tokenizer

        kept = folder / _TOKENIZER
        if not kept.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            write_text(kept, self._learned().to_str())
        tokenizer = Tokenizer.from_file(str(kept))

        def encode(text: bytes) -> Tokens:
            lines = decode(text, self.url).splitlines(keepends=True)
            found = tokenizer.encode_batch_fast(lines)
            tokens = [np.array(line.ids, dtype=self.dtype) for line in found]
            return np.concatenate([np.empty(0, self.dtype), *tokens])

        return encode

    def _learned(self) -> Any:
        """Return byte pairs as `Tokenization` has them, learned from the beginning of the text."""
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers

        path, tokenizer = fetch(self.url), Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        end = min(self.learned_from * 10**6, self._held_out_from(path))
        lines = (
            line
            for text, _ in text_pieces(path, 0, line_end(path, end - 1))
            for line in decode(text, self.url).splitlines(keepends=True)
        )
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocabulary, initial_alphabet=alphabet, show_progress=False
        )
        tokenizer.train_from_iterator(lines, trainer)
        if (found := tokenizer.get_vocab_size()) < self.vocabulary:
            raise ValueError(
                f"vocabulary is {self.vocabulary}, but the first {self.learned_from} MB yield only "
                f"{found} tokens. Lower vocabulary or raise learned_from."
            )
        return tokenizer


DATASET = Corpus
