"""Any UTF-8 text file, a user's own or one at a URL, as a stream of tokens."""

from __future__ import annotations

from dataclasses import dataclass

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.download import Downloaded
from lrtransfer.study.data.tokens import Tokenization, decode, split


@dataclass(kw_only=True)
class TextFile(Tokenization, Downloaded):
    """Bytes or byte-pair tokens; the last part of the text is held out.

    Args:
        url: The file's path or address.
        tokens: See `Tokenization`.
        vocabulary: See `Tokenization`.
        block_length: See `Tokenization`.
        validation_fraction: Share of the text that is held out (between 0 and 1).

    Raises:
        ValueError: The share is not between 0 and 1, or see `Tokenization`.
    """

    validation_fraction: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        split("", self.validation_fraction)

    def arrays(self, raw: bytes) -> Arrays:
        """Return `train_tokens` and `test_tokens`: uint8 for bytes, int32 for BPE."""
        return self.tokenized(*split(decode(raw, self.url), self.validation_fraction))


DATASET = TextFile
