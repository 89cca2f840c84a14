"""Anyone's table: the columns that are named, checked, as runs with numbers in them.

Whatever is wrong with a table is a `JudgeError` that names the column and the remedy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lrtransfer.transfer.roles import JudgeError, Roles

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: A loss beyond this is no loss of a run that trained; rates and sizes lie within it and its
#: inverse.
_LARGEST = 1e100

#: Numbers that differ by fewer octaves are the same, written differently.
_ROUNDING = 1e-9

#: Sizes and rates that do are taken as one, as logged in float32 or printed with four digits.
_NEAR = 1e-3

# States of a run that ended as it should, to trackers and clusters, in small letters.
_FINISHED = frozenset({"ok", "finished", "completed", "done", "success", "succeeded"})

#: More arms than this are no settings that one compares.
_MOST_ARMS = 200


@dataclass(frozen=True)
class Runs:
    """The runs of a table, as numbers; a row of each array is a run.

    Attributes:
        rows: labels of the rows in the table, for messages; places where labels repeat.
        size: (R, A) along each axis.
        log2_rate: (R,).
        loss: (R,) to be small; NaN where the run is missing or diverged.
        diverged: (R,).
        log2_effective: (R,) of the effective rate; NaN where it is not known.
        seed: (R,) codes, from the lowest.
        arm: (R,) codes in order of their names.
        arms: names.
        tuned: (R, T) codes.
        values: per tuned column what its codes stand for.
        notes: what was done to the table, in words.
    """

    rows: npt.NDArray[np.object_]
    size: Array
    log2_rate: Array
    loss: Array
    diverged: Mask
    log2_effective: Array
    seed: npt.NDArray[np.int64]
    arm: npt.NDArray[np.int64]
    arms: tuple[str, ...]
    tuned: npt.NDArray[np.int64]
    values: tuple[list[Any], ...]
    notes: tuple[str, ...]


def read(path: str | Path) -> pd.DataFrame:
    """Return the table in a file: Parquet by its ending, else text of commas, semicolons or tabs.

    Raises:
        JudgeError: there is none, or it is neither.
    """
    file = Path(path)
    try:
        if file.suffix.lower() in (".parquet", ".pq"):
            return pd.read_parquet(file)
        separator = "\t" if ".tsv" in file.suffixes else ","
        found = pd.read_csv(file, sep=separator, low_memory=False)
        for other in ";\t":
            if len(found.columns) == 1 and other in found.columns[0]:
                found = pd.read_csv(file, sep=other, low_memory=False)
    except FileNotFoundError:
        raise JudgeError(f"{file} is not there: give a csv or Parquet file") from None
    except (OSError, ValueError, UnicodeError) as error:
        reason = " ".join(str(error).split())
        raise JudgeError(f"{file} is no csv or Parquet file that can be read: {reason}") from error
    # Of rows with a cell more than the header pandas takes the first for a label, as R writes it.
    labels = not isinstance(found.index, pd.RangeIndex)
    if labels and (not found.index.is_unique or found.iloc[:, -1].isna().all()):
        raise JudgeError(
            f"{file}: its rows have more cells than its header: take the separator off the end of "
            "each row, or name the first column"
        )
    return found


def runs_of(table: object, roles: Roles) -> Runs:
    """Return the runs of a table.

    Args:
        table: a data frame, or what pandas makes one of.
        roles: which columns are what.

    Raises:
        JudgeError: a column is missing, holds no numbers or empty cells, or no run is left.
    """
    frame = _framed(table, roles)
    index = frame.index if frame.index.is_unique else pd.RangeIndex(len(frame))
    rows = index.to_numpy(dtype=object)
    notes: list[str] = []
    size = np.stack([_positive(frame, name, "size") for name in roles.size], axis=1)
    log2_rate = np.log2(_positive(frame, roles.rate, "rate"))
    loss, diverged, kept = _losses(frame, roles, notes)
    effective = _effective(frame, roles.effective, needed=kept & ~diverged)
    arm, arms = _arms(frame, roles.arm)
    if roles.seed is None:
        seed = np.zeros(len(frame), dtype=np.int64)
    else:
        seed, _ = _codes(frame, roles.seed)
    coded = [_codes(frame, name) for name in roles.tuned]
    tuned = np.array([c for c, _ in coded], dtype=np.int64).reshape(len(coded), len(frame)).T
    if not kept.any():
        raise JudgeError(
            f"column {roles.loss!r} has no finite number"
            + (f" and column {roles.status[0]!r} no failure" if roles.status else "")
            + ": no run is left to judge. Give losses, or say which status is a failure"
        )
    for axis, name in enumerate(roles.size):
        size[:, axis] = _rounded(size[:, axis], np.log2, f"values of {name}", notes)
    log2_rate = _rounded(log2_rate, np.positive, "rates", notes)
    return Runs(
        rows[kept],
        size[kept],
        log2_rate[kept],
        loss[kept],
        diverged[kept],
        effective[kept],
        seed[kept],
        arm[kept],
        arms,
        tuned[kept],
        tuple(values for _, values in coded),
        tuple(notes),
    )


def _framed(table: object, roles: Roles) -> pd.DataFrame:
    """Return the columns that have a role, by name."""
    if isinstance(table, str | Path):
        frame = read(table)
    else:
        try:
            frame = table if isinstance(table, pd.DataFrame) else pd.DataFrame(table)  # type: ignore[call-overload]
        except (TypeError, ValueError) as error:
            raise JudgeError(f"this is no table: {error}. Give a pandas DataFrame") from error
    present: dict[str, list[int]] = {}
    for place, name in enumerate(frame.columns):
        present.setdefault(str(name), []).append(place)
    for name in roles.columns():
        if name not in present:
            raise JudgeError(_no_column(name, list(present), roles))
        if len(present[name]) > 1:
            raise JudgeError(
                f"{len(present[name])} columns are called {name!r}: rename or drop one"
            )
    if frame.empty:
        raise JudgeError("the table has no rows: give one row for each run")
    return pd.DataFrame(
        {name: frame.iloc[:, places[0]] for name, places in present.items() if len(places) == 1}
    )


def _no_column(name: str, present: list[str], roles: Roles) -> str:
    close = [column for column in present if column.casefold() == name.casefold()]
    close = close or get_close_matches(name, present, n=2, cutoff=0.6)
    meant = f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""
    listed = ", ".join(present[:30]) + (", …" if len(present) > 30 else "")
    text = f"the table has no column {name!r}{meant}. It has: {listed or 'none'}"
    rates = [column for column in present if math.isfinite(_number(column))]
    if name == roles.rate and len(rates) > 1:
        kept = [c for c in roles.columns() if c in present and c != roles.loss]
        text += (
            f". Columns {rates[0]}, {rates[1]}, … look like rates: bring the table to one row a "
            f'run, as with table.melt(id_vars={kept}, var_name="{roles.rate}", '
            f'value_name="{roles.loss}")'
        )
    return text


def _number(value: object) -> float:
    """Return a cell as a number; NaN where it is none."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _numbers(column: pd.Series[Any]) -> Array:
    kind = column.dtype.kind
    if kind in "biuf":
        return column.to_numpy(dtype=np.float64, na_value=np.nan).copy()
    return np.array([_number(v) for v in column], dtype=np.float64)


def _positive(frame: pd.DataFrame, name: str, role: str) -> Array:
    values = _numbers(frame[name])
    wrong = np.flatnonzero(~_plausible(values))
    if len(wrong):
        raise JudgeError(
            f"column {name!r}: a {role} is a positive number, which {_cells(frame, name, wrong)} "
            "is not: mend or drop these rows"
        )
    return values


def _effective(frame: pd.DataFrame, name: str | None, *, needed: Mask) -> Array:
    """Return log2 of the effective rates; a run that diverged may lack its own."""
    if name is None:
        return np.full(len(frame), np.nan)
    values = _numbers(frame[name])
    wrong = np.flatnonzero(needed & ~_plausible(values))
    if len(wrong):
        raise JudgeError(
            f"column {name!r}: an effective rate is a positive number, which "
            f"{_cells(frame, name, wrong)} is not: mend or drop these rows"
        )
    return np.log2(np.where(_plausible(values), values, np.nan))


def _plausible(values: Array) -> Mask:
    """Return which are positive numbers."""
    return np.asarray((values >= 1 / _LARGEST) & (values <= _LARGEST))


def _cells(frame: pd.DataFrame, name: str, wrong: npt.NDArray[np.int64]) -> str:
    """Name the first of several cells."""
    row = wrong[0]
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return f"{_short(frame[name].iloc[row])} in row {_short(frame.index[row])}{more}"


def _short(value: object) -> str:
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= 40 else text[:37] + "…"


def _losses(frame: pd.DataFrame, roles: Roles, notes: list[str]) -> tuple[Array, Mask, Mask]:
    """Return the losses to be small, which runs diverged, and which are runs at all."""
    loss = _numbers(frame[roles.loss])
    failed = np.zeros(len(frame), dtype=bool)
    if roles.status is not None:
        column, words = roles.status
        said = frame[column].astype("string").fillna("").to_numpy(dtype=object)
        failed = np.array([s in words if words is not None else s != "ok" for s in said])
        if words is not None and not words & set(said):
            notes.append(f"no row has the {column!r} {' or '.join(sorted(words))}")
        elif words is None and failed.all():
            listed = ", ".join(sorted({_short(s) for s in said})[:5])
            raise JudgeError(
                f"column {column!r} holds no `ok`, so that every run counts as diverged; it holds "
                f"{listed}: say which of them are failures, as {column}=failed,crashed"
            )
        if words is not None and (
            others := sorted(word for word in set(said[~failed]) if word.lower() not in _FINISHED)
        ):
            listed = ", ".join(f"{_short(s)} ({np.sum(said == s):,})" for s in others[:5])
            notes.append(f"taken as finished by {column!r}: {listed}")
    text = np.isnan(loss) & ~failed & _is_text(frame[roles.loss])
    if text.any():
        raise JudgeError(
            f"column {roles.loss!r}: a loss is a number, which "
            f"{_cells(frame, roles.loss, np.flatnonzero(text))} is not: mend these rows, or name "
            "the column of their status"
        )
    absent = np.isnan(loss) & ~failed
    endless = ~absent & ~(np.abs(np.nan_to_num(loss)) <= _LARGEST)
    kept = np.ones(len(frame), dtype=bool)
    diverged = failed | endless
    if absent.any() and roles.status is not None:
        kept = ~absent
        notes.append(f"{_counted(absent)} without a loss that did not fail: taken as missing")
    elif absent.any():
        diverged |= absent
        notes.append(
            f"{_counted(absent)} without a loss: taken as diverged (a status column would tell)"
        )
    return np.where(diverged, np.nan, -loss if roles.maximize else loss), diverged, kept


def _is_text(column: pd.Series[Any]) -> Mask:
    """Return which cells hold something that is neither a number nor empty."""
    if column.dtype.kind in "biuf":
        return np.zeros(len(column), dtype=bool)
    return np.array([not _is_empty(value) for value in column], dtype=bool)


def _is_empty(value: object) -> bool:
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    return str(value).strip().lower() in ("", "nan", "none", "null", "na", "n/a")


def _counted(mask: Mask) -> str:
    n = int(mask.sum())
    return "1 run" if n == 1 else f"{n:,} runs"


def _arms(frame: pd.DataFrame, columns: tuple[str, ...]) -> tuple[npt.NDArray[np.int64], Any]:
    if not columns:
        return np.zeros(len(frame), dtype=np.int64), ("all",)
    texts = [_texts(frame, name) for name in columns]
    label = [" / ".join(parts) for parts in zip(*texts, strict=True)]
    if len(set(label)) < len(set(zip(*texts, strict=True))):
        label = [repr(parts) for parts in zip(*texts, strict=True)]
    arms = sorted(set(label))
    if len(arms) > _MOST_ARMS:
        raise JudgeError(
            f"arm {', '.join(map(repr, columns))} holds {len(arms):,} different values, "
            f"{_short(arms[0])} for one: name a column of settings that are compared"
        )
    code = {name: place for place, name in enumerate(arms)}
    return np.array([code[name] for name in label], dtype=np.int64), tuple(arms)


def _texts(frame: pd.DataFrame, name: str) -> list[str]:
    empty = np.array([_is_empty(value) for value in frame[name]], dtype=bool)
    # An arm may be called "none": only a cell without anything is empty.
    empty &= frame[name].isna().to_numpy(dtype=bool)
    if empty.any():
        raise JudgeError(
            f"column {name!r} has an empty cell, {_cells(frame, name, np.flatnonzero(empty))}: "
            "fill it or drop the row"
        )
    return [str(value) for value in frame[name]]


def _codes(frame: pd.DataFrame, name: str) -> tuple[npt.NDArray[np.int64], list[Any]]:
    """Return a column as codes in the order of its values, and what these stand for."""
    texts = _texts(frame, name)
    numbers = np.array([_number(value) for value in frame[name]])
    if (np.abs(numbers) < 2**53).all():  # 0 and 0.0 are one seed; of longer ones digits count
        texts = [repr(float(number)) for number in numbers]
    order: dict[str, tuple[float, str]] = {}
    values: dict[str, Any] = {}
    for text, number, value in zip(texts, numbers, frame[name], strict=True):
        order[text] = (float(number) if math.isfinite(number) else math.inf, text)
        values[text] = value
    ordered = sorted(order, key=order.__getitem__)
    code = {text: place for place, text in enumerate(ordered)}
    return np.array([code[t] for t in texts], dtype=np.int64), [values[text] for text in ordered]


def _rounded(
    values: Array, octaves: Callable[[Array], Array], what: str, notes: list[str]
) -> Array:
    """Return values of which those within 0.07 % are equal, and note how many are so for that."""
    exact, merged = (_merged(values, octaves, within) for within in (_ROUNDING, _NEAR))
    if rounded := len(np.unique(exact)) - len(np.unique(merged)):
        notes.append(f"{rounded:,} {what} are within 0.07 % of another: taken as that one, rounded")
    return merged


def _merged(values: Array, octaves: Callable[[Array], Array], within: float) -> Array:
    """Return values where those that differ by rounding are equal: a run of them, its least.

    Of a run that is longer than rounding makes it, as of rates drawn at random, only what lies
    `within` its least is one with it.
    """
    distinct, places = np.unique(values, return_inverse=True)
    at = octaves(distinct)
    starts = np.append(True, np.diff(at) > within)
    starts |= at - at[starts][np.cumsum(starts) - 1] > within
    return np.asarray(distinct[starts][np.cumsum(starts) - 1][places])


def resolved(given: Mapping[str, object], axes: Sequence[str], what: str) -> dict[str, Array]:
    """Return sizes that a caller gives by axis, as arrays of positive numbers.

    Raises:
        JudgeError: an axis that the table has not, or a size that is no positive number.
    """
    found = {}
    for axis, value in given.items():
        if axis not in axes:
            raise JudgeError(f"{what}: {axis!r} is no size of this table; it has {', '.join(axes)}")
        try:
            numbers = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            numbers = np.array(math.nan)
        if not (numbers.size and _plausible(numbers).all()):
            raise JudgeError(f"{what}: {axis}={_short(value)} is no positive number")
        found[axis] = numbers
    return found
