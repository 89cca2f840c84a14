"""A data set of Hugging Face's package `datasets`, which has to be installed for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from safetensors.numpy import load, save

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.split import train_and_test
from lrtransfer.study.data.tokens import Tokenization, split


@dataclass(kw_only=True)
class HuggingFace:
    """Columns of inputs and targets, or a column of text. What is pinned is their content.

    Args:
        path: A folder that `save_to_disk` wrote, or the data set's name on the hub.
        part: The part that is taken; a share of it is held out.
        text: Column of text, which becomes one stream of tokens; empty for numbers.
        inputs: Column of inputs: numbers, lists of numbers of one length, or images of one size.
        target: Column of targets: classes, or numbers.
        test_fraction: Share that is held out (between 0 and 1); of text the end.
        split_seed: Seed of the choice.
        standardise: Whether inputs, and targets that are numbers, get mean 0 and deviation 1.
        tokens: See `Tokenization`.
        vocabulary: See `Tokenization`.
        block_length: See `Tokenization`.
    """

    path: str
    part: str = "train"
    text: str = ""
    inputs: str = "inputs"
    target: str = "label"
    test_fraction: float = 0.1
    split_seed: int = 0
    standardise: bool = True
    tokens: Literal["bytes", "bpe"] = "bytes"
    vocabulary: int = 1024
    block_length: int = 256

    def read(self) -> bytes:
        """Return the columns: text in UTF-8, or arrays in the form of safetensors.

        Raises:
            ValueError: There is no such part or column, or samples differ in shape.
        """
        held = self._part()
        for name in (self.text,) if self.text else (self.inputs, self.target):
            if name not in held.column_names:
                raise ValueError(
                    f"{self.path} has no column {name!r}, but {', '.join(held.column_names)}."
                )
        if self.text:
            return "\n".join(held[self.text]).encode("utf-8")
        inputs = np.stack([np.asarray(one) for one in held[self.inputs]])
        return save({"inputs": inputs, "targets": np.asarray(held[self.target])})

    def arrays(self, raw: bytes) -> Arrays:
        """Return tokens, or inputs and targets, for train and test.

        Raises:
            ValueError: As `Tokenization`, or `train_and_test`.
        """
        if self.text:
            made = Tokenization(
                tokens=self.tokens, vocabulary=self.vocabulary, block_length=self.block_length
            )
            return made.tokenized(*split(raw.decode("utf-8"), self.test_fraction))
        held = load(raw)
        return train_and_test(
            held["inputs"],
            held["targets"],
            test_fraction=self.test_fraction,
            seed=self.split_seed,
            standardise=self.standardise,
            name=self.path,
        )

    def _part(self) -> Any:
        from datasets import load_dataset, load_from_disk  # type: ignore[import-not-found]

        if not Path(self.path).is_dir():
            return load_dataset(self.path, split=self.part)
        found = load_from_disk(self.path)
        if hasattr(found, "column_names") and not isinstance(found, dict):
            return found
        if self.part not in found:
            raise ValueError(f"{self.path} has no part {self.part!r}, but {', '.join(found)}.")
        return found[self.part]


DATASET = HuggingFace
