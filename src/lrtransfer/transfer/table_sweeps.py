"""Runs of anyone's table -> sweeps: repeated rows, tuned settings, seeds that rates share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lrtransfer.transfer.roles import JudgeError, Roles
from lrtransfer.transfer.sweeps import Sweep
from lrtransfer.transfer.table import Runs

Codes = npt.NDArray[np.int64]

#: More seeds or rates than this in one sweep are taken together: no estimate needs them singly.
_MOST_SEEDS, _MOST_RATES = 50, 100
_BINS_PER_OCTAVE = 16


@dataclass(frozen=True)
class Swept:
    """The sweeps of a table.

    Attributes:
        sweeps: by arm and size.
        n_seeds: per sweep.
        effective: per sweep, per rate (L,) the mean log2 of the effective rates; NaN if unknown.
        settings: per sweep, per rate (L,) the tuned settings that are best there (L, T).
        runs: how many there are, and how many of them `failed`.
        notes: what was done to the table, in words.
    """

    sweeps: list[Sweep]
    n_seeds: list[int]
    effective: list[npt.NDArray[np.float64]]
    settings: list[Codes]
    runs: int
    failed: int
    notes: tuple[str, ...]


def swept(runs: Runs, roles: Roles) -> Swept:
    """Return the sweeps of runs.

    Raises:
        JudgeError: rows of equal settings contradict each other, or a sweep is no grid.
    """
    runs, repeated = _without_repeats(runs, roles)
    cells = _codes(runs.arm, *runs.size.T)
    order = np.lexsort((runs.seed, runs.log2_rate, cells))
    every = np.split(order, np.flatnonzero(np.diff(cells[order])) + 1)
    runs, binned = _binned(runs, every)
    sweeps, counts, effective, settings, renumbered = [], [], [], [], 0
    for cell in every:
        rows, setting = _best_settings(runs, cell)
        seeds, alone = _seeds(runs, rows)
        renumbered += alone
        sweeps.append(_sweep(runs, rows, seeds, roles.size))
        counts.append(len(np.unique(seeds)))
        effective.append(_effective(runs, rows))
        settings.append(setting)
    notes = list(runs.notes)
    if max(counts) > _MOST_SEEDS:
        notes.append(f"seeds beyond {_MOST_SEEDS} are taken together in {_MOST_SEEDS} groups")
    if repeated:
        notes.append(f"{repeated:,} rows repeat another one, setting and loss alike: dropped")
    if renumbered:
        notes.append(
            f"in {renumbered:,} sweeps most seeds of {roles.seed!r} are used at one rate alone: "
            "runs at a rate count as its repetitions"
        )
    if binned:
        notes.append(
            f"{binned:,} sweeps have over {_MOST_RATES} rates: those within 1/{_BINS_PER_OCTAVE} "
            "octave are taken together"
        )
    failed = int(runs.diverged.sum())
    return Swept(sweeps, counts, effective, settings, len(runs.loss), failed, tuple(notes))


def _codes(*columns: npt.NDArray[Any]) -> Codes:
    """Return one code per different row, in the order of the columns."""
    table = np.stack(columns, axis=1).astype(np.float64)
    _, codes = np.unique(table, axis=0, return_inverse=True)
    return np.asarray(codes.reshape(-1), dtype=np.int64)


def _without_repeats(runs: Runs, roles: Roles) -> tuple[Runs, int]:
    """Drop rows that say the same; refuse those of equal settings that do not."""
    settings = _codes(runs.arm, *runs.size.T, runs.log2_rate, runs.seed, *runs.tuned.T)
    told = pd.DataFrame({"at": settings, "loss": runs.loss, "diverged": runs.diverged})
    again = told.duplicated().to_numpy()
    first = told[~again].duplicated("at").to_numpy()
    if first.any():
        rows = np.flatnonzero(~again)
        row = rows[first][0]
        other = int(np.flatnonzero(settings == settings[row])[0])
        raise JudgeError(
            f"rows {runs.rows[other]!r} and {runs.rows[row]!r} have the same settings but not the "
            f"same {roles.loss!r} ({_outcome(runs, other, roles)}, {_outcome(runs, row, roles)}): "
            f"name the column that tells them apart as {_free(roles)}, or drop one of them"
        )
    return _taken(runs, ~again), int(again.sum())


def _outcome(runs: Runs, row: int, roles: Roles) -> str:
    if runs.diverged[row]:
        return "diverged"
    return f"{-runs.loss[row] if roles.maximize else runs.loss[row]:g}"


def _free(roles: Roles) -> str:
    return "arm or tuned" if roles.seed else "seed, arm or tuned"


def _taken(runs: Runs, which: npt.NDArray[np.bool_]) -> Runs:
    if which.all():
        return runs
    per_run = (
        *("rows", "size", "log2_rate", "loss", "diverged", "log2_effective"),
        *("seed", "arm", "tuned"),
    )
    return replace(runs, **{name: getattr(runs, name)[which] for name in per_run})


def _best_settings(runs: Runs, rows: Codes) -> tuple[Codes, Codes]:
    """Keep per rate the tuned setting with the lowest mean loss over seeds.

    One of which most runs diverged is kept only where there is no other.
    """
    rates = np.unique(runs.log2_rate[rows])
    if runs.tuned.shape[1] == 0:
        return rows, np.zeros((len(rates), 0), dtype=np.int64)
    kept, best = [], []
    for rate in rates:
        here = rows[runs.log2_rate[rows] == rate]
        groups = _codes(*runs.tuned[here].T)
        candidates = [here[groups == g] for g in range(groups.max() + 1)]
        chosen = min(candidates, key=lambda c: _merit(runs, c))
        kept.append(chosen)
        best.append(runs.tuned[chosen[0]])
    return np.concatenate(kept), np.array(best)


def _merit(runs: Runs, rows: Codes) -> tuple[bool, float]:
    failed = int(runs.diverged[rows].sum())
    trained = runs.loss[rows][~runs.diverged[rows]]
    return 2 * failed > len(rows), float(trained.mean()) if len(trained) else np.inf


def _seeds(runs: Runs, rows: Codes) -> tuple[Codes, bool]:
    """Return the seeds of a sweep's runs; counted at each rate where most are used at one alone.

    A seed drawn anew for each run may come twice, and is no repetition for that.
    """
    seeds = runs.seed[rows]
    rates, at = np.unique(runs.log2_rate[rows], return_inverse=True)
    _, own, uses = np.unique(seeds, return_inverse=True, return_counts=True)
    if len(rates) < 2 or 2 * np.count_nonzero(uses == 1) <= len(uses):
        return seeds, False
    counted = np.zeros(len(rows), dtype=np.int64)
    for rate in range(len(rates)):
        here = np.flatnonzero(at == rate)
        counted[here[np.lexsort((seeds[here], -uses[own[here]]))]] = np.arange(len(here))
    return counted, True


def _binned(runs: Runs, cells: list[Codes]) -> tuple[Runs, int]:
    """Take together the rates of sweeps that have too many; return how many sweeps these are."""
    log2_rate, binned = runs.log2_rate.copy(), 0
    for rows in cells:
        rates = log2_rate[rows]
        if len(np.unique(rates)) > _MOST_RATES:
            places = np.floor((rates - rates.min()) * _BINS_PER_OCTAVE).astype(np.int64)
            counts = np.maximum(np.bincount(places), 1)
            log2_rate[rows] = (np.bincount(places, weights=rates) / counts)[places]
            binned += 1
    return replace(runs, log2_rate=log2_rate), binned


def _sweep(runs: Runs, rows: Codes, seeds: Codes, axes: tuple[str, ...]) -> Sweep:
    """Return the sweep of some runs; those that share a cell are one, by their mean."""
    rates, rate = np.unique(runs.log2_rate[rows], return_inverse=True)
    distinct, seed = np.unique(seeds, return_inverse=True)
    groups = min(len(distinct), _MOST_SEEDS)
    failed, trained, total = (np.zeros((groups, len(rates))) for _ in range(3))
    at = (seed % groups, rate)
    np.add.at(failed, at, runs.diverged[rows])
    np.add.at(trained, at, ~runs.diverged[rows])
    np.add.at(total, at, np.where(runs.diverged[rows], 0.0, runs.loss[rows]))
    diverged = failed > trained
    known = (trained > 0) & ~diverged
    return Sweep(
        arm=runs.arms[runs.arm[rows[0]]],
        sizes=dict(zip(axes, map(float, runs.size[rows[0]]), strict=True)),
        seeds=tuple(int(s) for s in distinct[:groups]),
        log2_rate=rates,
        loss=np.where(known, total / np.maximum(trained, 1), np.nan),
        diverged=diverged,
    )


def _effective(runs: Runs, rows: Codes) -> npt.NDArray[np.float64]:
    """Return the mean over a rate's runs, of those that know theirs."""
    rates, rate = np.unique(runs.log2_rate[rows], return_inverse=True)
    values = runs.log2_effective[rows]
    there = np.isfinite(values)
    total = np.bincount(rate[there], weights=values[there], minlength=len(rates))
    count = np.bincount(rate[there], minlength=len(rates))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def chosen(runs: Runs, setting: Codes) -> Iterator[Any]:
    """Yield the tuned values that a row of settings stands for."""
    for values, code in zip(runs.values, setting, strict=True):
        yield values[int(code)]
