"""WikiText-2 and WikiText-103 (Merity et al., 2016): articles of Wikipedia in three parts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.archives import members
from lrtransfer.study.data.download import Downloaded
from lrtransfer.study.data.tokens import Tokenization, decode


@dataclass(kw_only=True)
class WikiText(Tokenization, Downloaded):
    """The official parts as bytes or byte-pair tokens.

    Args:
        url: Where the archive `wikitext-*-v1.zip` or a copy of it lies (address or path); the
            raw variants are read too.
        tokens: See `Tokenization`.
        vocabulary: See `Tokenization`.
        block_length: See `Tokenization`.
        held_out: The official part that becomes `test_tokens`.
    """

    vocabulary: int = 8192
    held_out: Literal["valid", "test"] = "valid"

    def arrays(self, raw: bytes) -> Arrays:
        """Return `train_tokens` and `test_tokens`: uint8 for bytes, int32 for BPE.

        Raises:
            ValueError: A part is missing, is not UTF-8 or is too short.
        """
        stems = [f"wiki.{part}" for part in ("train", self.held_out)]

        def wanted(path: str) -> bool:
            file = PurePosixPath(path)
            return file.stem in stems and file.suffix in (".tokens", ".raw")

        found = {PurePosixPath(path).stem: content for path, content in members(raw, wanted)}
        missing = sorted(set(stems) - found.keys())
        if missing:
            raise ValueError(
                f"the archive lacks {' and '.join(f'{stem}.tokens' for stem in missing)}. "
                "Give the url of the official archive."
            )
        train, test = (decode(found[stem], f"{stem}.tokens") for stem in stems)
        return self.tokenized(train, test)
