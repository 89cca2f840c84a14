"""The table of parts: what it says is in a run's key is what the run is trained with."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import lrtransfer.study.training
from lrtransfer.study.plan import fingerprint, parts
from lrtransfer.study.plan.run_config import RunConfig
from lrtransfer.study.training.run import TrainingRun
from tests.study.training.configs import changed, configured, images, rules
from tests.tiny import blobs

from .package_copy import PackageCopy, package_copy

PLAIN = configured("adamw", probes=["norms"])
_RULE = {"rule": "standard", "power": None, "unscaled": ["hidden"], "faster": [], "undecayed": []}
_HORIZON = {"rule": "sde", "batch": 2.0, "duration": 0.5}
_WARMUP = {"name": "exponential", "fraction": 0.5}
_CONVNET = {
    "family": "residual_convnet",
    "width": 3,
    "depth": 3,
    "options": {"image_size": 8, "stride": 1, "activation": "tanh", "norm": "layer"},
}

# Part -> a configuration that asks for another one than `PLAIN` does, and the file of that one.
OTHERS: dict[str, tuple[Callable[[], RunConfig], str]] = {
    "model": (lambda: changed(PLAIN, model=_CONVNET), "study/models/residual_convnet.py"),
    "loss": (lambda: changed(PLAIN, loss="squared"), "study/losses/squared.py"),
    "optimizer": (
        lambda: changed(PLAIN, optimizer={"name": "rmsprop", "options": {}}),
        "optim/rmsprop.py",
    ),
    "schedule": (
        lambda: changed(PLAIN, schedule={"name": "cosine", "options": {}}),
        "optim/schedules/cosine.py",
    ),
    "probe": (
        lambda: changed(PLAIN, measure={"probes": ["norms", "ntk"]}),
        "study/probes/ntk.py",
    ),
    "tuner": (
        lambda: changed(PLAIN, tuner={"name": "polyak", "options": {}}),
        "optim/tuners/polyak.py",
    ),
    "tuned_updates": (
        lambda: changed(PLAIN, tuner={"name": "polyak", "options": {}}),
        "study/training/tuned_updates.py",
    ),
    "outside": (
        lambda: changed(PLAIN, parameterization={"outside": "adam"}),
        "study/training/outside.py",
    ),
    "decay": (lambda: changed(PLAIN, decay=_RULE), "study/training/width_rule.py"),
    "group_warmup": (
        lambda: changed(PLAIN, decay=_RULE, group_warmup=_WARMUP),
        "study/training/group_warmup.py",
    ),
    "replay": (
        lambda: changed(PLAIN, replay={"name": PLAIN.optimizer.name, "options": {}}),
        "study/training/replay.py",
    ),
    "horizon": (lambda: changed(PLAIN, horizon=_HORIZON), "study/training/horizon.py"),
    "bfloat16": (
        lambda: changed(PLAIN, precision="bfloat16"),
        "study/training/mixed_precision.py",
    ),
    "micro_batch": (
        lambda: changed(PLAIN, micro_batch=2),
        "study/training/micro_batches.py",
    ),
    "fused": (lambda: changed(PLAIN, fused=True), "study/training/fused.py"),
    "batched": (lambda: changed(PLAIN, batched=8), "study/training/batched.py"),
    "augmentation": (
        lambda: changed(PLAIN, augmentation="crop_flip"),
        "study/training/augmentation.py",
    ),
    "train_samples": (
        lambda: changed(PLAIN, train_samples=20),
        "study/training/fewer_examples.py",
    ),
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageCopy]:
    with package_copy(tmp_path, monkeypatch) as copy:
        yield copy


def trainable() -> RunConfig:
    """Return a configuration that asks for every part there is."""
    return changed(
        PLAIN,
        model=_CONVNET,
        parameterization={"rules": rules("mup_table3", "adamw")},
        decay=_RULE,
        group_warmup=_WARMUP,
        horizon=_HORIZON,
        augmentation="crop_flip",
        train_samples=20,
        tuner={"name": "constant", "options": {"learning_rate": 1.0}},
    )


def test_every_part_has_a_case_here() -> None:
    assert OTHERS.keys() == parts.TABLE.keys()


@pytest.mark.parametrize("part", OTHERS)
def test_an_edit_of_a_part_s_file_changes_the_keys_of_runs_that_have_it_alone(
    package: PackageCopy, part: str
) -> None:
    make, file = OTHERS[part]
    has, goes_without = make(), PLAIN
    before = [parts.run_code(config) for config in (has, goes_without)]
    assert file in before[0] and file not in before[1]
    package.append(file, "X = 1\n")
    after = [parts.run_code(config) for config in (has, goes_without)]
    assert {name for name in after[0] if after[0][name] != before[0].get(name)} == {file}
    assert after[1] == before[1]


def test_no_run_has_a_part_for_which_it_did_not_ask() -> None:
    shared = fingerprint.code("study/training/run.py")
    assert not {file for _, file in OTHERS.values()} & set(shared)


# That of `batched` is the job's: it lies around trainers (`training/test_batched_sweep.py`).
@pytest.mark.parametrize("part", sorted(OTHERS.keys() - {"batched"}))
def test_the_trainer_refuses_to_go_without_a_part_that_the_table_lacks(
    monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    config = trainable()
    TrainingRun(config, images(), torch.device("cpu"))
    monkeypatch.delitem(parts.TABLE, part)
    with pytest.raises(LookupError, match=rf"the part '{part}', .*study/plan/parts\.py"):
        TrainingRun(config, images(), torch.device("cpu"))


def test_a_part_that_is_not_asked_for_is_none_and_is_not_imported() -> None:
    assert parts.load("tuner", None) is None
    assert parts.load("augmentation", "crop_flip").__name__ == "crop_flip"


def test_a_member_that_is_not_there_is_named_with_those_there_are() -> None:
    config = replace(PLAIN, loss="hinge")
    with pytest.raises(LookupError, match=r"hinge.*cross_entropy, squared"):
        TrainingRun(config, blobs(), torch.device("cpu"))


def test_the_trainer_imports_nothing_by_string() -> None:
    for path in Path(lrtransfer.study.training.__path__[0]).rglob("*.py"):
        names = {node.id for node in ast.walk(ast.parse(path.read_text())) if hasattr(node, "id")}
        assert not names & {"import_module", "__import__"}, path
