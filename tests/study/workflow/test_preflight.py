"""What only torch can judge is refused before a job starts, by arm and with the remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lrtransfer.study.data.described import described
from lrtransfer.study.plan.catalog import load
from lrtransfer.study.plan.expand import Plan, plan
from lrtransfer.study.plan.load import parse_study
from lrtransfer.study.plan.yaml_file import StudyError
from lrtransfer.study.storage import paths
from lrtransfer.study.workflow import preflight
from lrtransfer.study.workflow.preflight import check_runs, check_samples, decay_lines
from tests.study.plan.package_copy import forget
from tests.tiny import EXPERIMENT, real_params, tiny_grid, tiny_params, tiny_plan


def study_with(**changes: Any) -> Plan:
    content = tiny_params()
    content["study"][EXPERIMENT] |= changes
    return plan(parse_study(content))


@pytest.mark.slow
@pytest.mark.parametrize(
    "scale", ["smoke", "laptop", pytest.param("paper", marks=pytest.mark.long)]
)
def test_every_experiment_of_the_repository_passes(scale: str) -> None:
    content = real_params() | {"scale": scale, "experiments": "all"}
    check_runs(plan(parse_study(content)))


def test_a_size_that_the_model_refuses_is_named_with_its_arm() -> None:
    model = {"vit": {"patch": 7}}
    with pytest.raises(StudyError, match=r"arms\.mup \(width 4, depth 1\): depth is 1"):
        check_runs(study_with(model=model))


def test_a_network_of_a_million_layers_is_refused_before_it_is_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(preflight, "_MOST_TENSORS", 1000)
    model = {"residual_mlp": {"layers_per_branch": 10**6}}
    with pytest.raises(StudyError, match=r"arms\.mup .* more than 1,000 tensors\. Lower") as error:
        check_runs(study_with(model=model))
    assert len(str(error.value).splitlines()) == 1


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
        check_runs(study_with(optimizer={"sgd": {"momentum": -1.0}}))


@pytest.mark.parametrize("optimizer", ["muon", "muonh", "adamh"])
def test_optimizers_of_matrices_pass(optimizer: str) -> None:
    content = tiny_params()
    tiny_grid(content)["arms"]["mup"] |= {"optimizer": optimizer}
    check_runs(plan(parse_study(content)))


def test_a_warm_up_longer_than_the_run_is_reported() -> None:
    with pytest.raises(StudyError, match=r"warmup_steps is 7\. Give 0 to 6"):
        check_runs(study_with(schedule={"constant": {"warmup_steps": 7}}))


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


NUMBERS = """import numpy as np


def numbers(*, samples: int = 40):
    inputs = np.random.default_rng(0).normal(size=(samples, 5)).astype(np.float32)
    return {"train_inputs": inputs, "train_targets": np.arange(samples) % 3}


DATASET = numbers
"""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 41}, "batch_size is 41, but there are 40 samples"),
        ({"measure": {"samples": 41}}, "measure.samples is 41, but there are 40"),
        ({"augmentation": "crop_flip"}, r"holds samples of shape \(5,\), no images"),
        ({"dataset": "measured"}, "targets of 'measured' are numbers. Write loss: squared"),
    ],
)
def test_what_data_at_hand_cannot_give_is_reported_before_they_are_prepared(
    changes: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    Path("data/numbers.py").write_text(NUMBERS)
    forget()
    content = tiny_params()
    Path("data/measured.py").write_text(NUMBERS.replace("np.arange(samples) % 3", "inputs[:, :1]"))
    sources = {"mine": "numbers", "measured": "measured"}
    content["data"] = {n: {"source": s, "sha256": "0" * 64} for n, s in sources.items()}
    grid = tiny_grid(content)
    grid["measure"] |= changes.pop("measure", {})
    grid |= {"dataset": "mine", **changes}
    with pytest.raises(StudyError, match=message):
        check_runs(tiny_plan(content))
    forget()


def test_what_is_prepared_is_compared_with_what_its_runs_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = tiny_plan()
    _manifest(study, {"train_inputs": [7, 5], "train_targets": [7]})
    with pytest.raises(StudyError, match=r"arms\.mup: batch_size is 8, but there are 7 samples"):
        check_samples(study, study.datasets[0])


def test_shards_of_text_and_files_of_images_are_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = tiny_plan()
    (dataset,) = study.datasets
    _manifest(study, {"train_paths": [40, 9], "train_targets": [40]})
    check_samples(study, dataset)
    assert described(dataset).shape == (3, 16, 16), "of 3 · 16² ≤ 784 numbers"
    text = {"test_tokens": [10], "vocabulary": [1]}
    paths.manifest(dataset.id).unlink()
    paths.manifest(dataset.id).parent.rmdir()
    _manifest(study, text, [{"tokens": 60}, {"tokens": 5}])
    assert (described(dataset).count, described(dataset).shape) == (65, None)


def test_a_warm_up_of_less_than_an_update_is_reported() -> None:
    content = tiny_params()
    experiment = content["study"][EXPERIMENT]
    experiment["optimizer"] = {"adamw": {"weight_decay": 0.1}}
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


def _manifest(
    study: Plan, shapes: dict[str, list[int]], shards: list[dict[str, int]] | None = None
) -> None:
    place = paths.manifest(study.datasets[0].id)
    place.parent.mkdir(parents=True)
    arrays = {name: {"dtype": "float32", "shape": shape} for name, shape in shapes.items()}
    told = {"arrays": arrays, "sha256": "", "options": {}}
    place.write_text(json.dumps(told | {"shards": shards or []}), encoding="utf-8")


def test_an_option_that_the_tuner_refuses_is_reported() -> None:
    with pytest.raises(StudyError, match=r"sigma is -1\.0"):
        check_runs(study_with(tuner={"cdat": {"sigma": -1.0}}))


DECAY = "weight_decay"


def said(changes: dict[str, Any], options: dict[str, Any] | None = None) -> list[str]:
    content = real_params() | {"scale": "laptop", "experiments": [DECAY]}
    experiment = content["study"][DECAY]
    experiment |= changes
    experiment["optimizer"]["adamw"] |= options or {}
    found = plan(parse_study(content))
    return list(decay_lines(found.part(DECAY), _sizes(found)))


def _sizes(found: Plan) -> dict[str, tuple[int, int]]:
    return {d.id: load("data", d.spec.source)(**d.spec.options).sizes for d in found.datasets}


def test_the_laptop_s_experiment_meets_its_conditions() -> None:
    first, *notes = said({})
    assert "16 samples per input of the widest net" in first
    assert "sum to 4.38" in first
    assert len(notes) == 1 and "Under standard weight decay" in notes[0]


def test_a_smaller_batch_and_less_decay_are_noted_with_the_remedy() -> None:
    _, *notes = said({"batch_size": 32}, {"weight_decay": 0.1})
    assert any("Raise the batch to 2048 samples" in note for note in notes)
    assert any("Set weight_decay to" in note for note in notes)


@pytest.mark.parametrize("changes", [{"steps": 448}])
def test_the_sum_is_over_the_schedule(changes: dict[str, Any]) -> None:
    first, *_ = said(changes)
    assert "sum to 8.7" in first


def test_an_experiment_without_rules_has_no_line() -> None:
    found = tiny_plan()
    assert list(decay_lines(found.part("width_transfer_vision"), _sizes(found))) == []
