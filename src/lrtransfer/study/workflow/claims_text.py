"""What `lrtransfer claims` prints: the ledger, experiment by experiment, in 100 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from textwrap import wrap
from typing import Any

COLUMNS = 100
_GAP = "  "


def claims_text(records: Sequence[dict[str, Any]]) -> str:
    """Return the records as lines of at most `COLUMNS` characters, verdict first.

    A claim whose name is too long for its column stands on a line of its own, its numbers below;
    and below these why a claim cannot be decided, whatever its numbers. The predictor's record,
    which no claims.yaml asks for, is left out where no size could be held out.
    """
    records = [r for r in records if r["family"] != "lrtransfer" or r["value"] is not None]
    if not records:
        return "no claims"
    head = ("verdict", "corrected", "claim", "value [interval]")
    cells = [_cells(record) for record in records]
    plain, corrected, claim, value = (max(map(len, c)) for c in zip(head, *cells, strict=True))
    before = plain + corrected + 2 * len(_GAP)
    claim = min(claim, COLUMNS - before - len(_GAP) - value)

    def lines(row: Sequence[str]) -> Iterator[str]:
        start = _GAP.join([row[0].ljust(plain), row[1].ljust(corrected), ""])
        name = row[2]
        if len(name) > claim:
            room = COLUMNS - before
            yield start + (name if len(name) <= room else f"{name[: room - 1]}…")
            start, name = " " * before, ""
        yield f"{start}{name.ljust(claim)}{_GAP}{row[3]}"

    found = list(lines(head))
    rows = iter(cells)
    for about, part in groupby(records, lambda r: f"{r['experiment']} at {r['scale']} scale"):
        found += ["", about]
        for record in part:
            found += lines(next(rows))
            found += wrap(
                record.get("obstacle", ""),
                COLUMNS,
                initial_indent=" " * before,
                subsequent_indent=" " * before,
            )
    return "\n".join(found)


def _cells(record: dict[str, Any]) -> tuple[str, str, str, str]:
    value, low, high = (_text(record[name]) for name in ("value", "ci_low", "ci_high"))
    numbers = f"{value} [{low}, {high}]"
    return record["verdict"], record["verdict_corrected"], record["id"], numbers


def _text(number: float | None) -> str:
    return "?" if number is None else f"{number:.3g}"
