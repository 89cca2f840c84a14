"""WikiText-2 (Merity et al., 2016): articles of Wikipedia, 2 million words, 4 MB packed.

The official archive has sha256
92675f1d63015c1c8b51f1656a52d5bdbc33aafa60cc47a218a66e7ee817488c.
"""

from __future__ import annotations

from typing import Literal

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.download import Downloaded
from lrtransfer.study.data.tokens import Tokenization
from lrtransfer.study.data.wikitext import wikitext_arrays


class WikiText2(Downloaded):
    """The official parts as bytes or byte-pair tokens.

    Args:
        url: Where ``wikitext-2-v1.zip`` or a copy of it lies (address or path).
        held_out: The official part that becomes ``test_tokens``.
        tokens: ``bytes``, or ``bpe`` trained on the training part.
        vocabulary: Distinct tokens of ``bpe`` (256 or more).
        block_length: The longest training sample that the parts must hold (tokens).
    """

    def __init__(
        self,
        *,
        url: str = "https://wikitext.smerity.com/wikitext-2-v1.zip",
        held_out: Literal["valid", "test"] = "valid",
        tokens: Literal["bytes", "bpe"] = "bytes",
        vocabulary: int = 8192,
        block_length: int = 256,
    ) -> None:
        super().__init__(url)
        self.held_out = held_out
        self.tokenization = Tokenization(tokens, vocabulary, block_length)
        self.sizes = self.tokenization.sizes

    def arrays(self, raw: bytes) -> Arrays:
        """Return ``train_tokens`` and ``test_tokens``: uint8 for bytes, int32 for BPE."""
        return wikitext_arrays(raw, self.held_out, self.tokenization)


DATASET = WikiText2
