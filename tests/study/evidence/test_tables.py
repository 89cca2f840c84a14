"""The tables of runs, curves and spectra, from files whose content is known."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lrtransfer.study.evidence.tables import (
    THINNED_POINTS,
    runs_and_curves,
    spectra_table,
    to_arrow,
)
from lrtransfer.study.plan.expand import Plan, Run, Spectrum
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.storage.run_file import write_run
from lrtransfer.study.storage.seal import CorruptFileError
from lrtransfer.study.storage.tables import write_table
from tests.tiny import tiny_grid, tiny_params, tiny_plan

LAYOUT = Layout()
STEPS = 96


@pytest.fixture(autouse=True)
def _study_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield


def long_plan() -> Plan:
    """Return the tiny study with more steps than a thinned curve keeps."""
    content = tiny_params()
    tiny_grid(content)["steps"] = STEPS
    tiny_grid(content)["spectra"]["steps"] = [2, STEPS]
    return tiny_plan(content)


def measured_steps(run: Run) -> tuple[int, ...]:
    assert run.config.measure is not None and run.config.measure.steps is not None
    return tuple(run.config.measure.steps)


def write(run: Run, losses: list[float], **changes: Any) -> None:
    """Store a run with these losses; a measured one has the square of the step as sharpness."""
    about: dict[str, Any] = {
        "key": run.key,
        "config": run.config.to_json(),
        "status": "ok",
        "diverged_step": None,
        "wall_seconds": 1.0,
        "processor": "x86_64-avx512",
        "versions": {"torch": "2"},
        "measuring_gradients": 48,
    }
    steps = measured_steps(run) if run.measured else []
    kept = {step: {"sharpness": float(step) ** 2, "sharpness/layer": 1.0} for step in steps}
    measured = {step: row for step, row in kept.items() if step <= len(losses)}
    write_run(LAYOUT.run(run.key), losses, [0.1] * len(losses), measured, about | changes)


def falling(run: Run) -> list[float]:
    """Return losses that differ between seeds and rates."""
    return [2.0 + run.seed + run.learning_rate / step for step in range(1, STEPS + 1)]


@pytest.fixture
def plan() -> Plan:
    made = long_plan()
    for run in made.runs:
        write(run, falling(run))
    return made


def test_a_run_is_one_row_with_its_settings_and_losses(plan: Plan) -> None:
    runs, _ = runs_and_curves(plan, LAYOUT)
    assert len(runs) == len(plan.runs) and runs["key"].is_unique
    run = plan.runs[0]
    row = runs.set_index("key").loc[run.key]
    losses = falling(run)
    assert row["initial_loss"] == losses[0]
    assert row["final_loss"] == pytest.approx(np.mean(losses[-3:]), rel=1e-12), "loss_window: 3"
    assert row["log2_lr"] == math.log2(run.learning_rate)
    assert (row["arm"], row["width"], row["depth"], row["seed"]) == (run.arm, run.width, 1, 0)
    assert row["measuring_share"] == 0.5
    assert row["processor"] == "x86_64-avx512"
    assert {"wall_seconds", "device"}.isdisjoint(runs.columns)


def test_a_diverged_run_has_no_final_loss(plan: Plan) -> None:
    run = plan.runs[0]
    write(run, [2.0, 3.0], status="diverged", diverged_step=2)
    runs, curves = runs_and_curves(plan, LAYOUT)
    row = runs.set_index("key").loc[run.key]
    assert np.isnan(row["final_loss"]) and row["initial_loss"] == 2.0
    assert (row["status"], row["diverged_step"]) == ("diverged", 2)
    assert curves.loc[curves["key"] == run.key, "step"].max() == 2


def test_curves_keep_measured_steps_or_some_with_the_mean_loss_between(plan: Plan) -> None:
    _, curves = runs_and_curves(plan, LAYOUT)
    assert "sharpness/layer" not in curves.columns, "columns of single tensors stay behind"
    for measured in (True, False):
        run = next(run for run in plan.runs if run.measured == measured)
        own = curves[curves["key"] == run.key]
        steps = own["step"].tolist()
        losses = falling(run)
        if measured:
            assert steps == sorted({*measured_steps(run), 0, STEPS})
            assert own["sharpness"].tolist() == [float(step) ** 2 for step in steps]
        else:
            assert steps == list(range(0, STEPS + 1, STEPS // THINNED_POINTS))
            assert own["sharpness"].isna().all()
        means = [losses[0], *(np.mean(losses[a:b]) for a, b in pairwise(steps))]
        assert own["loss"].tolist() == pytest.approx(means)


def test_a_missing_run_is_an_error(plan: Plan) -> None:
    LAYOUT.run(plan.runs[0].key).unlink()
    with pytest.raises(FileNotFoundError):
        runs_and_curves(plan, LAYOUT)


SPECTRUM = pa.table(
    {
        "kind": ["hessian", "hessian", "ntk", "density"],
        "rank": pa.array([1, 2, 1, None], pa.int64()),
        "probe": pa.array([None, None, None, 0], pa.int64()),
        "value": [4.0, 2.0, 1.0, -0.5],
        "residual": [1e-6, 1e-5, 1e-4, None],
        "weight": [None, None, None, 1.0],
        "converged": pa.array([True, True, False, None]),
        "dim": pa.array([None, None, None, 30], pa.int64()),
    }
)


def store(spectrum: Spectrum, table: pa.Table) -> None:
    write_table(LAYOUT.spectrum(spectrum.key), table, {"key": spectrum.key})


def test_spectra_are_one_long_table() -> None:
    first, second, diverged = tiny_plan().spectra[:3]
    store(first, SPECTRUM)
    store(second, SPECTRUM.slice(0, 1))
    store(diverged, SPECTRUM.slice(0, 0))
    found = spectra_table((first, second, diverged), LAYOUT)
    assert found.column_names == ["key", "step", *SPECTRUM.column_names]
    assert found["key"].to_pylist() == [first.run.key] * 4 + [second.run.key]
    assert found["step"].to_pylist() == [first.step] * 4 + [second.step]
    assert found.drop(["key", "step"]).slice(0, 4).equals(SPECTRUM)
    assert found["value"].to_pylist() == [4.0, 2.0, 1.0, -0.5, 4.0]


def test_another_spectrums_file_and_a_missing_one_are_errors() -> None:
    first, second = tiny_plan().spectra[:2]
    store(first, SPECTRUM)
    misplaced = replace(first, key=second.key)
    LAYOUT.spectrum(first.key).rename(LAYOUT.spectrum(second.key))
    with pytest.raises(CorruptFileError, match="not " + second.key):
        spectra_table([misplaced], LAYOUT)
    with pytest.raises(FileNotFoundError):
        spectra_table([first], LAYOUT)


def test_a_frame_becomes_a_table_without_pandas_words(plan: Plan) -> None:
    runs, _ = runs_and_curves(plan, LAYOUT)
    found = to_arrow(runs.iloc[::2])
    assert found.schema.metadata is None
    assert found.column_names == list(runs.columns), "no index column"
