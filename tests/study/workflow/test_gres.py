"""What of a card a training job asks Slurm for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.workflow import cost
from lrtransfer.study.workflow.targets import Targets
from tests.tiny import tiny_plan


def test_a_job_of_small_nets_alone_asks_for_a_part_of_a_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost, "_SMALL", tmp_path / "small.json")
    plan = tiny_plan()
    small, large = (run.key for run in plan.runs[:2])
    targets = Targets(plan, Layout(), None, "gpu:1", "shard:1")
    assert targets.gres_of([small]) == "gpu:1"  # nothing was priced
    (tmp_path / "small.json").write_text(json.dumps([small]))
    targets = Targets(plan, Layout(), None, "gpu:1", "shard:1")
    assert targets.gres_of([small]) == "shard:1"
    assert targets.gres_of([small, large]) == "gpu:1"
    assert Targets(plan, Layout(), None, "gpu:1").gres_of([small]) == "gpu:1"
    assert Targets(plan, Layout()).gres_of([small]) == ""
