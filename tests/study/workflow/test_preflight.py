"""What only torch can judge is refused before a job starts, by arm and with the remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lrtransfer.study.plan import Plan, StudyError, parse_study, plan
from lrtransfer.study.storage import paths
from lrtransfer.study.workflow.preflight import check_runs
from tests.tiny import EXPERIMENT, real_params, tiny_grid, tiny_params, tiny_plan


def study_with(**changes: Any) -> Plan:
    content = tiny_params()
    content["study"][EXPERIMENT] |= changes
    return plan(parse_study(content))


@pytest.mark.parametrize("scale", ["smoke", "laptop", "paper"])
def test_every_experiment_of_the_repository_passes(scale: str) -> None:
    content = real_params() | {"scale": scale, "experiments": "all"}
    check_runs(plan(parse_study(content)))


def test_a_size_that_the_model_refuses_is_named_with_its_arm() -> None:
    model = {"family": "vit", "options": {"patch": 7}}
    with pytest.raises(StudyError, match=r"arms\.mup \(width 4, depth 1\): depth is 1"):
        check_runs(study_with(model=model))


def test_a_role_that_a_table_lacks_is_named_with_its_tensor() -> None:
    content = tiny_params()
    own = {
        "description": "lacks the readout",
        "source": "a test",
        "families": {"sgd": {"input": {}, "hidden": {}, "branch": {}}},
    }
    content["parameterizations"] = {"own": own}
    content["study"][EXPERIMENT]["arms"]["mup"]["parameterization"] = "own"
    with pytest.raises(StudyError, match=r"tensor 'readout\.weight' has the role 'output'"):
        check_runs(plan(parse_study(content)))


def test_an_option_that_the_optimizer_refuses_is_reported() -> None:
    with pytest.raises(StudyError, match=r"momentum"):
        check_runs(study_with(optimizer={"name": "sgd", "options": {"momentum": -1.0}}))


def test_a_warm_up_longer_than_the_run_is_reported() -> None:
    with pytest.raises(StudyError, match=r"warmup_steps is 7\. Give 0 to 6"):
        check_runs(study_with(schedule={"name": "constant", "options": {"warmup_steps": 7}}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"batch_size": 41}, "batch_size is 41"), ({"samples": 41}, "measure.samples is 41")],
)
def test_more_samples_than_the_prepared_data_hold_are_reported(
    changes: dict[str, int], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = tiny_params()
    grid = tiny_grid(content)
    grid["batch_size"] = changes.get("batch_size", grid["batch_size"])
    grid["measure"]["samples"] = changes.get("samples", grid["measure"]["samples"])
    _manifest(tiny_plan(content), {"train_inputs": [40, 5], "train_targets": [40]})
    with pytest.raises(StudyError, match=message):
        check_runs(tiny_plan(content))


def test_a_warm_up_of_less_than_an_update_is_reported() -> None:
    content = tiny_params()
    experiment = content["study"][EXPERIMENT]
    experiment["optimizer"] = {"name": "adamw", "options": {"weight_decay": 0.1}}
    experiment["arms"]["mup"] |= {
        "decay": {"rule": "independent", "unscaled": ["hidden"]},
        "group_warmup": {"name": "exponential", "fraction": 0.05},
    }
    with pytest.raises(StudyError, match=r"arms\.mup .*of 6 steps is less than one"):
        check_runs(plan(parse_study(content)))


def test_more_than_one_pass_is_reported_where_one_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = tiny_params()
    content["study"][EXPERIMENT]["one_pass"] = True
    found = plan(parse_study(content))
    _manifest(found, {"train_inputs": [40, 5], "train_targets": [40]})
    with pytest.raises(StudyError, match=r"6 steps of 8 need 48 samples for one pass"):
        check_runs(found)


def test_text_for_a_model_of_images_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _manifest(tiny_plan(), {"train_tokens": [1000]})
    with pytest.raises(StudyError, match=r"needs images\. Choose another data set or model"):
        check_runs(tiny_plan())


def _manifest(study: Plan, shapes: dict[str, list[int]]) -> None:
    place = paths.manifest(study.datasets[0].id)
    place.parent.mkdir(parents=True)
    arrays = {name: {"dtype": "float32", "shape": shape} for name, shape in shapes.items()}
    place.write_text(json.dumps({"arrays": arrays}), encoding="utf-8")


def test_an_option_that_the_tuner_refuses_is_reported() -> None:
    with pytest.raises(StudyError, match=r"sigma is -1\.0"):
        check_runs(study_with(tuner={"name": "cdat", "options": {"sigma": -1.0}}))
