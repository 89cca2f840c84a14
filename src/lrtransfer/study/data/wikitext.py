"""The archives of WikiText-2 and WikiText-103 (Merity et al., 2016): three files of tokens."""

from __future__ import annotations

from pathlib import PurePosixPath

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.archives import members
from lrtransfer.study.data.tokens import Tokenization, decode


def wikitext_arrays(raw: bytes, held_out: str, tokenization: Tokenization) -> Arrays:
    """Return the tokens of the training text and of the held-out one.

    Args:
        raw: The archive, ``wikitext-*-v1.zip``; the raw variants are read too.
        held_out: ``valid`` or ``test``: the official part that becomes ``test_tokens``.
        tokenization: How the text becomes tokens.

    Raises:
        ValueError: A part is missing, is not UTF-8 or is too short.
    """
    stems = {part: f"wiki.{part}" for part in ("train", held_out)}

    def wanted(path: str) -> bool:
        file = PurePosixPath(path)
        return file.stem in stems.values() and file.suffix in (".tokens", ".raw")

    found = {PurePosixPath(path).stem: content for path, content in members(raw, wanted)}
    missing = sorted(set(stems.values()) - found.keys())
    if missing:
        raise ValueError(
            f"the archive lacks {' and '.join(f'{stem}.tokens' for stem in missing)}. "
            "Give the url of the official archive."
        )
    train, test = (decode(found[stem], f"{stem}.tokens") for stem in stems.values())
    return tokenization.arrays(train, test)
