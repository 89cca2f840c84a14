"""Rows of estimates as tests read them: through the table that is stored."""

from collections.abc import Iterable

import pandas as pd

from lrtransfer.study.evidence.estimates import Estimates, Row, courses_table, table

CONFIDENCE = 0.95


def stored(rows: Iterable[Row]) -> Estimates:
    """Return rows as they are read back."""
    return Estimates(table("planted", rows).to_pandas())


def shown(
    rows: Iterable[Row] | Estimates, statistic: str, *index: str, **where: str | float
) -> pd.DataFrame:
    """Return a statistic's rows with their 95 % limits, by the columns `index`."""
    estimates = rows if isinstance(rows, Estimates) else stored(rows)
    frame = estimates.shown(statistic, CONFIDENCE, **where)
    return frame.set_index(list(index)) if index else frame


def stored_courses(rows: Iterable[tuple[int, Row]]) -> Estimates:
    """Return courses as they are read back; each row has its step."""
    return Estimates(courses_table("planted", rows).to_pandas())
