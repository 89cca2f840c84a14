"""Spectra of stored checkpoints, against dense oracles."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.prepare import load_arrays
from lrtransfer.study.plan import expand
from lrtransfer.study.spectra import job, spectrum
from lrtransfer.study.spectra.job import compute_spectra
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.storage.seal import CorruptFileError
from lrtransfer.study.storage.tables import read_table
from lrtransfer.study.training.run import TrainingRun
from lrtransfer.study.training.tensors import load_tensors, save_tensors
from tests.study.probes.dense import hessian_spectrum, ntk_spectrum
from tests.tiny import blobs, store_blobs, tiny_grid, tiny_params, tiny_plan

CPU = torch.device("cpu")
LAYOUT = Layout()
STEP = 2


@pytest.fixture(autouse=True)
def _study_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    store_blobs(wanted("mup").run.config.data)
    yield


def wanted(arm: str, **spectra: Any) -> expand.Spectrum:
    """Return one spectrum of the tiny study in float64."""
    content = tiny_params()
    grid = tiny_grid(content)
    grid |= {"precision": "float64"}
    grid["spectra"] |= {"top": 5} | spectra
    return next(s for s in tiny_plan(content).spectra if s.run.arm == arm and s.step == STEP)


def stored(item: expand.Spectrum, *, bad: float | None = None, status: str = "ok") -> TrainingRun:
    """Store some weights as the checkpoint of ``item`` and return a run that has them."""
    run = TrainingRun(item.run.config, blobs(), CPU)
    for _ in range(item.step):
        run.update_once()
    if bad is not None:
        with torch.no_grad():
            run.network.model.readout.weight[0, 0] = bad
    about = {"key": item.run.key, "step": item.step, "status": status}
    weights = run.weights() if status == "ok" else {}
    save_tensors(LAYOUT.checkpoint(item.run.key, item.step), weights, about)
    return run


def rows(item: expand.Spectrum, kind: str) -> list[dict[str, Any]]:
    table, _ = read_table(LAYOUT.spectrum(item.key))
    return [row for row in table.to_pylist() if row["kind"] == kind]


@pytest.mark.parametrize("arm", ["mup", "ntp", "sp"])
def test_stored_eigenvalues_are_the_dense_ones(monkeypatch: pytest.MonkeyPatch, arm: str) -> None:
    monkeypatch.setattr(spectrum, "TOLERANCE", 1e-7)
    item = wanted(arm)
    run = stored(item)
    compute_spectra([item], LAYOUT, CPU)
    for kind, exact in (("hessian", hessian_spectrum(run)), ("ntk", ntk_spectrum(run))):
        found = rows(item, kind)
        assert [row["rank"] for row in found] == [1, 2, 3, 4, 5]
        assert all(row["converged"] for row in found)
        values = [row["value"] for row in found]
        assert values == pytest.approx(exact.flip(0)[:5].tolist(), rel=1e-6)


def test_the_tolerance_as_shipped_keeps_every_value_within_its_residual() -> None:
    item = wanted("mup")
    exact = hessian_spectrum(stored(item)).flip(0)
    compute_spectra([item], LAYOUT, CPU)
    for row in rows(item, "hessian"):
        value = exact[row["rank"] - 1].item()
        assert (
            abs(row["value"] - value)
            <= row["residual"]
            <= 0.005 * max(abs(row["value"]), 0.005 * exact[0].item()) * 1.001
        )


def test_density_is_a_probability_with_the_moments_of_the_spectrum() -> None:
    item = wanted("mup", density={"probes": 200, "steps": 6})
    exact = hessian_spectrum(stored(item))
    compute_spectra([item], LAYOUT, CPU)
    found = rows(item, "density")
    assert {row["probe"] for row in found} == set(range(200))
    assert {row["dim"] for row in found} == {len(exact)}
    for probe in range(200):
        assert sum(r["weight"] for r in found if r["probe"] == probe) == pytest.approx(1)
    assert all(exact[0] - 1e-9 <= row["value"] <= exact[-1] + 1e-9 for row in found)
    for power in (1, 2):
        moment = sum(row["weight"] * row["value"] ** power for row in found) / 200
        # The moment of one Gaussian direction scatters by about √(2 mean(λ^2p)/dim).
        error = math.sqrt(2 * (exact ** (2 * power)).mean().item() / len(exact) / 200)
        assert abs(moment - (exact**power).mean().item()) < 5 * error


def test_the_sharpness_of_log_and_spectrum_is_the_same_quantity() -> None:
    item = wanted("mup")
    run = stored(item)
    row = run._measure(item.step)
    compute_spectra([item], LAYOUT, CPU)
    assert rows(item, "hessian")[0]["value"] == pytest.approx(row["sharpness"], rel=1e-3)
    assert rows(item, "ntk")[0]["value"] == pytest.approx(row["ntk"], rel=1e-3)


def test_the_file_says_whose_spectrum_it_is() -> None:
    item = wanted("sp")
    stored(item)
    compute_spectra([item], LAYOUT, CPU)
    _, about = read_table(LAYOUT.spectrum(item.key))
    config = item.config.to_json()
    assert about == {"key": item.key, "run": item.run.key, "step": STEP, "config": config}


def test_a_diverged_checkpoint_has_a_file_without_rows() -> None:
    item = wanted("mup")
    stored(item, status="diverged")
    compute_spectra([item], LAYOUT, CPU)
    table, about = read_table(LAYOUT.spectrum(item.key))
    assert (len(table), about["key"]) == (0, item.key)
    other = wanted("sp")
    stored(other)
    compute_spectra([other], LAYOUT, CPU)
    assert read_table(LAYOUT.spectrum(other.key))[0].schema == table.schema


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e200])
def test_weights_without_finite_curvature_have_a_file_without_rows(bad: float) -> None:
    item = wanted("mup")
    stored(item, bad=bad)
    compute_spectra([item], LAYOUT, CPU)
    assert len(read_table(LAYOUT.spectrum(item.key))[0]) == 0


def test_a_damaged_checkpoint_is_named_and_nothing_published() -> None:
    item = wanted("mup")
    stored(item)
    path = LAYOUT.checkpoint(item.run.key, STEP)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(CorruptFileError, match=rf"{item.run.key}/{STEP}\.safetensors"):
        compute_spectra([item], LAYOUT, CPU)
    assert not LAYOUT.spectrum(item.key).exists()


def test_another_run_s_checkpoint_is_refused() -> None:
    item, other = wanted("mup"), wanted("ntp")
    stored(item)
    source, target = (LAYOUT.checkpoint(i.run.key, STEP) for i in (item, other))
    target.parent.mkdir(parents=True)
    source.rename(target)
    with pytest.raises(CorruptFileError, match="holds another run's weights"):
        compute_spectra([other], LAYOUT, CPU)


def test_the_data_are_read_once_for_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def noted(dataset: str) -> Arrays:
        read.append(dataset)
        return load_arrays(dataset)

    monkeypatch.setattr(job, "load_arrays", noted)
    items = [wanted(arm) for arm in ("mup", "sp")]
    for item in items:
        stored(item)
    compute_spectra(items, LAYOUT, CPU)
    assert read == [items[0].run.config.data]


def test_a_second_call_computes_nothing_and_republishes(monkeypatch: pytest.MonkeyPatch) -> None:
    item = wanted("mup")
    stored(item)
    compute_spectra([item], LAYOUT, CPU)
    before = LAYOUT.spectrum(item.key).read_bytes()
    LAYOUT.spectrum(item.key).unlink()

    def refuse(*about: object) -> pa.Table:
        raise AssertionError("computed again")

    monkeypatch.setattr(job, "_compute", refuse)
    compute_spectra([item], LAYOUT, CPU)
    assert LAYOUT.spectrum(item.key).read_bytes() == before


def test_a_damaged_finished_copy_is_computed_again(capsys: pytest.CaptureFixture[str]) -> None:
    item = wanted("mup")
    stored(item)
    compute_spectra([item], LAYOUT, CPU)
    before, work = LAYOUT.spectrum(item.key).read_bytes(), LAYOUT.work_spectrum(item.key)
    work.write_bytes(before[:-20])
    compute_spectra([item], LAYOUT, CPU)
    assert LAYOUT.spectrum(item.key).read_bytes() == before
    assert f"{item.key}.parquet" in capsys.readouterr().err


def test_more_eigenvalues_than_there_are_give_all_there_are() -> None:
    item = wanted("mup", top=500)
    run = stored(item)
    compute_spectra([item], LAYOUT, CPU)
    assert len(rows(item, "hessian")) == len(hessian_spectrum(run))
    assert len(rows(item, "ntk")) == 12 * 3
    assert load_tensors(LAYOUT.checkpoint(item.run.key, STEP))[1]["status"] == "ok"
