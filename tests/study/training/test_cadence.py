"""When runs are measured: named steps win, a share is kept, and the account survives a resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lrtransfer.study.evidence.tables import runs_and_curves
from lrtransfer.study.plan.expand import Run
from lrtransfer.study.plan.run_config import MeasureConfig
from lrtransfer.study.plan.settings import DEFAULT_SHARE
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.training.cadence import Cadence
from lrtransfer.study.training.resume import load_state, save_state
from lrtransfer.study.training.run import Hooks, TrainingRun
from lrtransfer.study.training.sweep import Job, train_runs
from tests.tiny import blobs, store_blobs, tiny_grid, tiny_params, tiny_plan

CPU = torch.device("cpu")
STEPS = 2000


def settings(samples: int, **when: Any) -> MeasureConfig:
    return MeasureConfig(probes=(), samples=samples, tolerance=0.01, **when)


def visited(cadence: Cadence, prices: dict[int, float] | float, steps: int = STEPS) -> list[int]:
    """Return the measured steps of a run whose measurements have these prices."""
    found = []
    for step in range(steps + 1):
        if cadence.due(step):
            found.append(step)
            cadence.record_cost(prices if isinstance(prices, float) else prices.get(step, 10.0))
    return found


def shared_run(share: float | None, samples: int = 12) -> Run:
    """Return a measured run of 2,000 updates whose experiment names no steps."""
    content = tiny_params()
    grid = tiny_grid(content)
    grid["steps"], grid["loss_window"] = STEPS, 2
    del grid["spectra"]
    for field in ("points", "spacing"):
        del grid["measure"][field]
    grid["measure"]["samples"] = samples
    if share is not None:
        grid["measure"]["share"] = share
    return next(run for run in tiny_plan(content).runs if run.measured)


def test_an_unmeasured_run_is_never_due() -> None:
    assert visited(Cadence(None, STEPS, 8), 1.0) == []


def test_named_steps_are_measured_whatever_they_cost() -> None:
    measure = settings(8, steps=(0, 1, 5, STEPS))
    assert visited(Cadence(measure, STEPS, 8), 1e6) == [0, 1, 5, STEPS]


def test_a_constant_price_gives_a_constant_distance() -> None:
    measure = settings(16, share=0.25)
    # 5 gradient evaluations of 16 samples are 10 of a batch of 8: 40 updates pay for one.
    assert visited(Cadence(measure, STEPS, 8), 5.0) == [0, *range(80, STEPS + 1, 40)]


@given(
    share=st.floats(0.01, 1.0),
    prices=st.dictionaries(st.integers(0, STEPS), st.floats(0.0, 60.0), max_size=30),
)
def test_the_share_is_overdrawn_by_one_change_of_price_at_most(
    share: float, prices: dict[int, float]
) -> None:
    cadence = Cadence(settings(8, share=share), STEPS, 8)
    before = 0.0
    for step in range(STEPS):
        if cadence.due(step):
            price = prices.get(step, 10.0)
            if step:
                assert cadence.spent + before <= share * step
            cadence.record_cost(price)
            before = price


@pytest.mark.parametrize("share", [None, 0.6])
def test_a_run_spends_no_more_than_its_share(share: float | None) -> None:
    log = TrainingRun(shared_run(share).config, blobs(), CPU).execute(Hooks())
    measured = sorted(log.rows)
    allowed = DEFAULT_SHARE if share is None else share
    assert measured[0] == 0 and measured[-1] == STEPS and len(measured) > 3
    last = log.rows[STEPS]
    # The last step is measured in any case, so it may come on top.
    assert log.measuring <= allowed * STEPS + 1.5 * (4 + 4 * last["sharpness_products"])
    assert log.measuring > 0.5 * allowed * STEPS
    assert all("sharpness" in row for row in log.rows.values())


@pytest.mark.slow
def test_twice_the_samples_are_measured_about_half_as_often() -> None:
    few, many = (
        TrainingRun(shared_run(0.6, samples).config, blobs(), CPU).execute(Hooks())
        for samples in (10, 20)
    )
    assert 1.5 < (len(few.rows) - 1) / (len(many.rows) - 1) < 2.6


@pytest.mark.parametrize(
    "stop", [1, *(pytest.param(n, marks=pytest.mark.long) for n in (97, 1500))]
)
def test_a_resumed_run_is_measured_at_the_same_steps(tmp_path: Path, stop: int) -> None:
    run = shared_run(None)
    expected = TrainingRun(run.config, blobs(), CPU).execute(Hooks())
    path = tmp_path / "state.safetensors"

    class Stopped(Exception):
        pass

    def after_step(step: int, current: TrainingRun) -> None:
        if step == stop:
            save_state(path, current, run.key)
            raise Stopped

    with pytest.raises(Stopped):
        TrainingRun(run.config, blobs(), CPU).execute(Hooks(after_step=after_step))
    resumed = TrainingRun(run.config, blobs(), CPU)
    assert load_state(path, resumed, run.key)
    log = resumed.execute(Hooks())
    assert (log.rows, log.measuring) == (expected.rows, expected.measuring)


@pytest.mark.parametrize(
    ("left_out", "added", "message"),
    [
        ("points", {}, "points and spacing go together"),
        ("spacing", {}, "points and spacing go together"),
        ("tolerance", {"share": 0.2}, "share has no effect"),
    ],
)
def test_half_a_cadence_is_refused(left_out: str, added: dict[str, Any], message: str) -> None:
    content = tiny_params()
    measure = tiny_grid(content)["measure"] | added
    measure.pop(left_out, None)
    tiny_grid(content)["measure"] = measure
    with pytest.raises(ValueError, match=message):
        tiny_plan(content)


def test_the_index_tells_the_share_that_a_run_spent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = tiny_plan()
    for dataset in plan.datasets:
        store_blobs(dataset.id)
    train_runs(plan.runs, Job(Layout(), CPU))
    index, curves = runs_and_curves(plan, Layout())
    for row in index.to_dict("records"):
        assert (row["measuring_share"] > 0) == row["measured"]
    run = next(run for run in plan.runs if run.measured)
    log = TrainingRun(run.config, blobs(), CPU).execute(Hooks())
    share = index.set_index("key")["measuring_share"][run.key]
    assert share == pytest.approx(log.measuring / len(log.losses), abs=1e-3)
    measured = curves.loc[curves["key"] == run.key, "step"]
    assert run.config.measure is not None
    assert list(measured) == list(run.config.measure.steps or ())
