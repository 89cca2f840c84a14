"""The linear regression of the theory as a data set."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest

from lrtransfer.study.data import prepare
from lrtransfer.study.plan.catalog import load

MEMBERS = {"inputs": (5, 5), "targets": (5, 1)}
SHA256 = "f36a826e7aeea1a4d5dccc0534295ec3c3554b7df01798c8f5b6aa14cc3ac7d9"


def test_the_recipe_has_one_checksum_for_all_options() -> None:
    for options in ({}, {"dimension": 3, "target": -2.0}):
        made = load("data", "linear_target")(**options)
        assert hashlib.sha256(made.read()).hexdigest() == SHA256


def test_the_mean_squared_loss_is_half_the_squared_distance_of_the_weights() -> None:
    made = load("data", "linear_target")(dimension=16, target=-0.75)
    found = made.arrays(made.read())
    w = np.random.default_rng(0).normal(size=16)
    errors = found["train_inputs"].astype(np.float64) @ w[:, None] - found["train_targets"]
    loss = (0.5 * errors**2).sum(axis=1).mean()
    assert loss == pytest.approx(0.5 * np.sum((w + 0.75) ** 2), rel=1e-14)


def test_the_default_is_the_papers_size() -> None:
    made = load("data", "linear_target")()
    found = made.arrays(made.read())
    assert made.sizes == (100, 1)
    assert np.array_equal(found["train_inputs"], 10 * np.eye(100))
    assert np.array_equal(found["train_targets"], np.full((100, 1), 10.0))


def test_train_and_test_are_equal_float32_arrays() -> None:
    made = load("data", "linear_target")(dimension=5)
    found = made.arrays(made.read())
    assert set(found) == {f"{part}_{of}" for part in ("train", "test") for of in MEMBERS}
    for of, shape in MEMBERS.items():
        assert found[f"train_{of}"].shape == shape
        assert found[f"train_{of}"].dtype == np.float32
        assert np.array_equal(found[f"train_{of}"], found[f"test_{of}"])
        assert not np.shares_memory(found[f"train_{of}"], found[f"test_{of}"])


def test_it_is_prepared_under_its_pinned_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    prepare.prepare("toy", "linear_target", SHA256, {"dimension": 4})
    loaded = prepare.load_arrays("toy")
    assert np.array_equal(loaded["train_inputs"], 2 * np.eye(4))
    assert np.array_equal(loaded["test_targets"], np.full((4, 1), 2.0))


@pytest.mark.parametrize("dimension", [0, -1])
def test_an_impossible_dimension_is_refused(dimension: int) -> None:
    with pytest.raises(ValueError, match=rf"dimension is {dimension}\. Give a whole number"):
        load("data", "linear_target")(dimension=dimension)


@pytest.mark.parametrize("target", [math.nan, math.inf])
def test_a_target_that_is_not_finite_is_refused(target: float) -> None:
    with pytest.raises(ValueError, match=r"target is (nan|inf)\. Give a finite number"):
        load("data", "linear_target")(target=target)


def test_another_recipe_is_refused() -> None:
    with pytest.raises(ValueError, match="not the recipe of linear_target"):
        load("data", "linear_target")().arrays(b"{}")
