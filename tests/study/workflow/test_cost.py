"""What a study is said to cost: counts of updates and gradients, each run once."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest

from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.run_config import RunConfig
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.training.cadence import Cadence
from lrtransfer.study.workflow import trial
from lrtransfer.study.workflow.cost import known_costs, note_costs, print_estimate, run_seconds
from lrtransfer.study.workflow.trial import Machine, Sizes
from tests.tiny import EXPERIMENT, tiny_params, tiny_plan, tiny_run

SIZES = (784, 10)


class Steady(Machine):
    """A machine on which each update and each gradient of the subset takes 100 seconds."""

    def update(self, config: RunConfig, sizes: Sizes) -> float:
        """Return 100 seconds."""
        return 100.0


@pytest.mark.parametrize("share", [0.01, 0.15, 2.0])
@pytest.mark.parametrize("steps", [6, 400, 4000])
@pytest.mark.parametrize("probes", [("sharpness", "subset_loss"), ("subset_loss",)])
def test_measuring_under_a_share_is_priced_as_often_as_it_happens(
    share: float, steps: int, probes: tuple[str, ...]
) -> None:
    run = tiny_run()
    assert run.config.measure is not None
    measure = replace(run.config.measure, probes=probes, steps=None, share=share)
    run = replace(run, config=replace(run.config, steps=steps, measure=measure))
    price = sum(catalog.constant("probes", name, "PRICE") for name in measure.probes)
    cadence, count = Cadence(measure, steps, run.config.batch_size), 0
    for step in range(steps + 1):
        if cadence.due(step):
            cadence.record_cost(price)
            count += 1
    assert run_seconds(run, SIZES, Steady()) == pytest.approx(100 * (steps + count * price))


def test_a_run_that_two_experiments_share_is_paid_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(trial, "Machine", Steady)

    def total(*names: str) -> str:
        content = tiny_params()
        own = content["study"][EXPERIMENT]
        del own["spectra"]
        own["figures"] = []
        content["study"] = {name: copy.deepcopy(own) for name in names}
        content["experiments"] = list(names)
        print_estimate(tiny_plan(content), Layout(), jobs=0)
        return capsys.readouterr().out.splitlines()[-1]

    assert total("one", "two") == total("one")


def test_costs_of_another_plan_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trial, "Machine", Steady)
    note_costs(tiny_plan())
    content = tiny_params()
    content["study"][EXPERIMENT]["steps"] = 7
    other = tiny_plan(content)
    note_costs(other)
    assert known_costs().keys() == {run.key for run in other.runs}


def test_costs_of_another_form_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".lrtransfer").mkdir()
    (tmp_path / ".lrtransfer/costs.json").write_text(json.dumps(["a"]))
    assert known_costs() == {}
