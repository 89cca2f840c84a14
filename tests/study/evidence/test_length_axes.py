"""Batch and duration as sizes, from the runs to claims, figures, the report and predict."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
import pytest

from lrtransfer.cli import main
from lrtransfer.study.evidence.estimates import Estimates
from lrtransfer.study.evidence.experiment import Experiment
from lrtransfer.study.evidence.measure import every_measure
from lrtransfer.study.evidence.tables import to_arrow
from lrtransfer.study.figures.decay_transfer import decay_transfer
from lrtransfer.study.figures.optima import optima
from lrtransfer.study.figures.tables import Arm, Settings, Tables
from lrtransfer.study.report import tables as reported
from lrtransfer.study.storage.tables import write_table
from lrtransfer.study.workflow.start import select
from lrtransfer.study.workflow.stored import table_settings
from lrtransfer.transfer.size import Axis
from tests.tiny import PARAMS, real_params
from tests.transfer.frames import make_runs, parabola

from .planted import judged, on
from .rows import stored

BASE = 16 * 256  # samples of a run at the base
SIZES: dict[Axis, list[int]] = {"batch": [4, 8, 16, 32, 64], "duration": [1024, 2048, 4096, 8192]}
SLOPES: dict[Axis, dict[str, float]] = {
    "batch": {"none": 0.5, "root_batch": 0.0, "sde": 0.02},
    "duration": {"none": -0.4, "sde": 0.0},
}


def runs(axis: Axis, experiment: str = "planted") -> pd.DataFrame:
    """Runs of one net whose optimum goes as a power of the batch, or of the duration."""
    every = []
    for arm, slope in SLOPES[axis].items():
        middle = SIZES[axis][2]

        def optimum(size: int, seed: int, slope: float = slope, middle: int = middle) -> float:
            return slope * math.log2(size / middle) + 0.02 * (seed - 1)

        own = make_runs(parabola(optimum), arm=arm, sizes=SIZES[axis], grid=range(-4, 5))
        batch = own["width"] if axis == "batch" else 16
        samples = own["width"] if axis == "duration" else BASE
        every.append(own.assign(batch_size=batch, steps=samples // batch, width=32, depth=2))
    return pd.concat(every, ignore_index=True).assign(
        experiment=experiment, measured=False, measuring_share=math.nan, diverged_step=None
    )


def estimated(axis: Axis) -> Estimates:
    own = runs(axis)
    curves = own[["key", "steps"]].rename(columns={"steps": "step"}).assign(loss=1.0)
    return stored(Experiment(own, curves).estimates())


@pytest.mark.parametrize("axis", SLOPES)
def test_drifts_are_octaves_of_rate_per_octave_of_the_axis(axis: Axis) -> None:
    own = estimated(axis)
    assert own.axis == axis
    assert own.sizes("optimum", "none") == SIZES[axis]
    assert set(own.rows("drift")["fixed"]) == {32}
    for arm, slope in SLOPES[axis].items():
        found = own.one("drift", arm=arm)
        assert found is not None and found.value == pytest.approx(slope, abs=0.01)
    words = every_measure()["drift_over_range"].words({"arm": "none"}, own.axis)
    plural = {"batch": "batches", "duration": "durations"}[axis]
    assert words == f"drift of the best learning rate of none over the {plural} swept, octaves"


@pytest.mark.parametrize("axis", SLOPES)
def test_the_registered_claims_hold_where_optima_go_as_predicted(axis: Axis) -> None:
    own = estimated(axis)
    found = {claim.id: judged(claim, own) for claim in on(f"{axis}_transfer")}
    assert found and set(found.values()) == {"supported"}, found


@pytest.mark.parametrize("axis", SLOPES)
def test_figures_and_report_name_the_axis_and_the_lengths(axis: Axis) -> None:
    own = runs(axis)
    tables = Tables(own, estimates=estimated(axis).frame)
    longest = int(own["steps"].max())
    arms = {name: Arm(name, None, longest, longest // 8) for name in SLOPES[axis]}
    settings = Settings(experiment="planted", arms=arms, scale="laptop")
    for draw in (optima, decay_transfer):
        drawn = draw(tables, settings)
        assert f"{own['steps'].min()} to {longest} steps" in drawn.caption
        assert f"octaves per octave of {axis}" in drawn.caption
    assert "last 12.5 % of its steps" in decay_transfer(tables, settings).caption
    table = reported.optima(tables, dict.fromkeys(arms, "arm"), 0.95)
    assert table.header[1:3] == [axis, "width"]
    assert [row[1:3] for row in table.rows[:2]] == [[str(n), "32"] for n in SIZES[axis][:2]]


@pytest.mark.slow
@pytest.mark.parametrize("axis", SLOPES)
def test_the_next_size_is_predicted(
    axis: Axis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(PARAMS.read_text(encoding="utf-8"), encoding="utf-8")
    name = f"{axis}_transfer"
    assert name in real_params()["study"]
    chosen = select(Path("params.yaml"), experiments=name)
    path = chosen.layout.table(name, "runs")
    path.parent.mkdir(parents=True)
    write_table(path, to_arrow(runs(axis, name)), table_settings(chosen.plan, name))
    wanted = 2 * SIZES[axis][-1]
    asked = ["predict", "--experiment", name, "--arm", "none", f"--{axis}", str(wanted)]
    assert main([*asked, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    octaves = math.log2(wanted / SIZES[axis][2])
    assert found[axis] == wanted and found["width"] == 32
    assert found["log2_lr"] == pytest.approx(SLOPES[axis]["none"] * octaves, abs=0.05)
    assert main(asked) == 0
    assert f"none, {axis} {wanted} at width 32" in capsys.readouterr().out
