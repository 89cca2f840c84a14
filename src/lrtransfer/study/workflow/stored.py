"""Reading and writing the small stored tables that later stages share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrtransfer.study.storage.atomic import replacing, write_text
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.storage.seal import CorruptFileError
from lrtransfer.study.storage.tables import read_table

if TYPE_CHECKING:
    import pandas as pd


def read_frame(path: Path) -> pd.DataFrame:
    """Return a Parquet table as a frame; raise ``CorruptFileError`` where it is damaged."""
    table, _ = read_table(path)
    frame: pd.DataFrame = table.to_pandas()
    return frame


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a fit table, whole or not at all."""
    with replacing(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")


def read_csv(path: Path) -> pd.DataFrame:
    """Return a fit table; raise ``CorruptFileError`` where it is damaged."""
    import pandas as pd

    try:
        return pd.read_csv(path, keep_default_na=False, na_values=["", "nan", "NaN"])
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError):
        raise CorruptFileError(path, "not readable as a table") from None


def write_json(path: Path, content: Any) -> None:
    """Write a ledger or metrics, whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def claims_of(layout: Layout, experiments: Iterable[str]) -> list[dict[str, Any]]:
    """Return the records of all claims on these experiments.

    Raises:
        CorruptFileError: An experiment's ledger is damaged.
        FileNotFoundError: An experiment has no ledger yet.
    """
    return [
        record for name in experiments for record in read_claims(layout.experiment_claims(name))
    ]


def ledger_of(
    layout: Layout, experiments: Sequence[str], scale: str, confidence: float
) -> list[dict[str, Any]]:
    """Return the ledger: all claims, corrected for their number, and the predictor's hold-outs.

    Raises:
        CorruptFileError: A ledger or a table is damaged.
        FileNotFoundError: An experiment has not been fitted.
    """
    from lrtransfer.study.evidence.significance import corrected
    from lrtransfer.transfer.held_out import coverage_record

    tables = [read_csv(layout.fit(name, "held_out")) for name in experiments]
    records = claims_of(layout, experiments)
    return corrected([*records, coverage_record(tables, scale, confidence)], 1 - confidence)


def read_claims(path: Path) -> list[dict[str, Any]]:
    """Return the records of a ledger.

    Raises:
        CorruptFileError: The file is no ledger.
        FileNotFoundError: There is none yet.
    """
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError):
        raise CorruptFileError(path, "not readable as JSON") from None
    if not isinstance(records, list):
        raise CorruptFileError(path, "holds no list of claims")
    return records
