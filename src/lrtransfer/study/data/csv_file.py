"""A table of one's own: one row a sample, a column the target, the others its inputs."""

from __future__ import annotations

import io
from dataclasses import dataclass

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.download import Downloaded
from lrtransfer.study.data.split import train_and_test


@dataclass(kw_only=True)
class CsvFile(Downloaded):
    """Numbers in, classes or numbers out.

    Args:
        url: The file's path or address.
        target: The column to be predicted: text and whole numbers are classes, others numbers.
        left_out: Columns that are no inputs, with commas between them.
        separator: Between columns.
        test_fraction: Share of the rows that is held out (between 0 and 1).
        split_seed: Seed of their choice.
        standardise: Whether inputs, and targets that are numbers, get mean 0 and deviation 1.
    """

    target: str
    left_out: str = ""
    separator: str = ","
    test_fraction: float = 0.1
    split_seed: int = 0
    standardise: bool = True

    def arrays(self, raw: bytes) -> Arrays:
        """Return inputs (n, columns) and targets for train and test, as `train_and_test`.

        Raises:
            ValueError: The file is no such table; the message names the column.
        """
        import pandas as pd

        try:
            table = pd.read_csv(io.BytesIO(raw), sep=self.separator)
        except (ValueError, UnicodeDecodeError) as error:
            raise ValueError(
                f"{self.url} is no table ({error}). Correct it, or separator."
            ) from None
        left_out = [name.strip() for name in self.left_out.split(",") if name.strip()]
        for name in (self.target, *left_out):
            if name not in table:
                raise ValueError(
                    f"{self.url} has no column {name!r}, but {', '.join(map(str, table))}."
                )
        inputs = table.drop(columns=[self.target, *left_out])
        if inputs.shape[1] == 0:
            raise ValueError(
                f"{self.url} has no column left as an input. Take one out of left_out."
            )
        for heading, column in inputs.items():
            if len(column) and column.dtype.kind not in "iufb":
                raise ValueError(
                    f"the column {heading!r} of {self.url} holds text. Write it as numbers, or "
                    "name it in left_out."
                )
        return train_and_test(
            inputs.to_numpy("float64"),
            table[self.target].to_numpy(),
            test_fraction=self.test_fraction,
            seed=self.split_seed,
            standardise=self.standardise,
            name=self.url,
        )


DATASET = CsvFile
