"""Any UTF-8 text file, a user's own or one at a URL, as a stream of tokens."""

from __future__ import annotations

from typing import Literal

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.download import Downloaded
from lrtransfer.study.data.tokens import Tokenization, decode, split


class TextFile(Downloaded):
    """Bytes or byte-pair tokens; the last part of the text is held out.

    Args:
        url: The file's path or address.
        validation_fraction: Share of the text that is held out (between 0 and 1).
        tokens: ``bytes``, or ``bpe`` trained on the training part.
        vocabulary: Distinct tokens of ``bpe`` (256 or more).
        block_length: The longest training sample that the parts must hold (tokens).
    """

    def __init__(
        self,
        *,
        url: str,
        validation_fraction: float = 0.1,
        tokens: Literal["bytes", "bpe"] = "bytes",
        vocabulary: int = 1024,
        block_length: int = 256,
    ) -> None:
        super().__init__(url)
        split("", validation_fraction)
        self.validation_fraction = validation_fraction
        self.tokenization = Tokenization(tokens, vocabulary, block_length)
        self.sizes = self.tokenization.sizes

    def arrays(self, raw: bytes) -> Arrays:
        """Return ``train_tokens`` and ``test_tokens``: uint8 for bytes, int32 for BPE."""
        text = decode(raw, self.url)
        return self.tokenization.arrays(*split(text, self.validation_fraction))


DATASET = TextFile
