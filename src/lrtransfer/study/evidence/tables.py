"""From run files and spectrum files to the tables that estimates and figures read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from lrtransfer.study.plan.expand import Plan, Run, Spectrum
from lrtransfer.study.plan.sizes import loss_window
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.storage.run_file import read_run
from lrtransfer.study.storage.seal import CorruptFileError
from lrtransfer.study.storage.tables import read_table

# Column -> values.
Log = dict[str, np.ndarray[Any, Any]]

# An unmeasured run's loss curve is kept at about this many steps.
THINNED_POINTS = 24


def runs_and_curves(plan: Plan, layout: Layout) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the runs (one row per run and experiment) and their thinned curves.

    Raises:
        CorruptFileError: A run file is damaged; the message names it.
        FileNotFoundError: A run has not been trained.
    """
    rows: list[dict[str, Any]] = []
    curves: dict[str, Log] = {}
    for run in plan.runs:
        table, about = read_run(layout.run(run.key), run.key)
        # Arrays and not frames: with 10,000 runs a minute less.
        log = {name: table[name].to_numpy() for name in table.column_names}
        window = loss_window(plan.grid(run.experiment), run.arm, run.config.steps)
        rows.append(_run_row(run, log, about, window))
        if run.key not in curves:
            curves[run.key] = _thinned(run, log)
    return pd.DataFrame(rows), _joined(curves)


def spectra_table(spectra: Iterable[Spectrum], layout: Layout) -> pa.Table:
    """Return the eigenvalues and the spectral densities of all checkpoints, in long form.

    Raises:
        CorruptFileError: A spectrum file is damaged; the message names it.
        FileNotFoundError: A spectrum has not been computed.
    """
    return pa.concat_tables(_spectrum(spectrum, layout) for spectrum in spectra)


def to_arrow(frame: pd.DataFrame) -> pa.Table:
    """Return a frame as an Arrow table without pandas metadata, for a stable file."""
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)


def _run_row(run: Run, log: Log, about: dict[str, Any], window: int) -> dict[str, Any]:
    losses = log["loss"][1:]
    diverged = about["status"] != "ok"
    return {
        "experiment": run.experiment,
        "arm": run.arm,
        "key": run.key,
        "width": run.width,
        "depth": run.depth,
        "lr": run.learning_rate,
        "log2_lr": float(np.log2(run.learning_rate)),
        "seed": run.seed,
        "steps": run.config.steps,
        "batch_size": run.config.batch_size,
        "measured": run.measured,
        "measuring_share": _measuring_share(about, len(losses)),
        "status": about["status"],
        "diverged_step": about["diverged_step"],
        "initial_loss": float(losses[0]) if len(losses) else np.nan,
        "final_loss": np.nan if diverged else float(losses[-window:].mean()),
        # The last digits depend on it.
        "processor": about["processor"],
        "torch": about["versions"]["torch"],
        "model": run.config.model.family,
        "dataset": run.config.data,
        "optimizer": run.config.optimizer.name,
        "precision": run.config.precision,
        "config": json.dumps(run.config.to_json(), sort_keys=True),
    }


def _measuring_share(about: dict[str, Any], updates: int) -> float:
    """Return the price of measuring over that of training; NaN where the run did not log it."""
    spent = about.get("measuring_gradients")
    return np.nan if spent is None or not updates else float(spent) / updates


def _thinned(run: Run, log: Log) -> Log:
    """Return the measured rows, or some rows of an unmeasured run.

    A kept row's loss is the mean since the row kept before it. Per-tensor columns stay behind.
    """
    kept = _measured_steps(run, log) if run.measured else _some_steps(run.config.steps)
    last = int(log["step"][-1])
    steps = sorted({step for step in kept if step <= last} | {0, last})
    losses = log["loss"]
    bounds = zip([0, *steps], steps, strict=False)
    means = [losses[a + 1 : b + 1].mean() if b > a else _first(losses) for a, b in bounds]
    rows = np.isin(log["step"], steps)
    quantities = {name: log[name][rows] for name in _quantities(log) if "/" not in name}
    return {"step": log["step"][rows], "loss": np.array(means), **quantities}


def _joined(curves: dict[str, Log]) -> pd.DataFrame:
    """Return the curves of all keys in long form, NaN in the columns that a run lacks."""
    lengths = {key: len(curve["step"]) for key, curve in curves.items()}
    columns: Log = {"key": np.repeat(np.array(list(curves), dtype=object), list(lengths.values()))}
    for name in dict.fromkeys(name for curve in curves.values() for name in curve):
        columns[name] = np.concatenate(
            [curve.get(name, np.full(lengths[key], np.nan)) for key, curve in curves.items()]
        )
    return pd.DataFrame(columns)


def _quantities(log: Log) -> list[str]:
    return [name for name in log if name not in ("step", "loss", "learning_rate")]


def _measured_steps(run: Run, log: Log) -> Sequence[int]:
    """Return the steps that the experiment named, or those at which the run chose to measure."""
    measure = run.config.measure
    if measure is not None and measure.steps is not None:
        return measure.steps
    measured = np.zeros(len(log["step"]), dtype=bool)
    for name in _quantities(log):
        measured |= ~np.isnan(log[name])
    return [int(step) for step in log["step"][measured]]


def _some_steps(steps: int) -> Sequence[int]:
    return [round(steps * i / THINNED_POINTS) for i in range(THINNED_POINTS + 1)]


def _first(losses: np.ndarray[Any, Any]) -> float:
    """Return the untrained network's loss on its first batch."""
    return float(losses[1]) if len(losses) > 1 else float("nan")


def _spectrum(spectrum: Spectrum, layout: Layout) -> pa.Table:
    path = layout.spectrum(spectrum.key)
    table, about = read_table(path)
    if about.get("key") != spectrum.key:
        raise CorruptFileError(path, f"holds spectrum {about.get('key')}, not {spectrum.key}")
    steps = pa.array([spectrum.step] * len(table), pa.int64())
    keys = pa.array([spectrum.run.key] * len(table), pa.string())
    return table.add_column(0, "step", steps).add_column(0, "key", keys)
