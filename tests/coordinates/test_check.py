"""Whole checks: a representative dozen, and every combination of the package."""

from __future__ import annotations

import pytest

from lrtransfer.coordinates.check import Combination, check, combinations
from lrtransfer.coordinates.problem import Sizes, problem
from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.parameterizations import builtin

SMALL = {
    "residual_mlp": Sizes((32, 64, 128, 256), samples=8),
    "gpt": Sizes((32, 64, 128), samples=2, depth=2, options={"block_size": 8}),
    "mlp_mixer": Sizes(
        (32, 64, 128),
        samples=2,
        depth=2,
        options={"channels": 1, "image_size": 8, "patch": 4, "bias": True},
    ),
}
DOZEN = [
    ("two_layer_linear", "sp", "sgd", False),
    ("two_layer_linear", "ntp", "sgd", True),
    ("two_layer_linear", "mup", "sgd", True),
    ("residual_mlp", "sp", "sgd", False),
    ("residual_mlp", "sp", "adamw", False),
    ("residual_mlp", "ntp", "sgd", True),
    ("residual_mlp", "mup", "sgd", True),
    ("residual_mlp", "complete_p", "adamw", True),
    ("residual_mlp", "everett_sp_no_alignment", "adamw", False),
    ("gpt", "mup", "sgd", True),
    ("gpt", "u_mup", "adamw", True),
    ("mlp_mixer", "mup_table9", "adamw", True),
]


@pytest.mark.parametrize(("model", "name", "optimizer", "stable"), DOZEN)
def test_coordinates_grow_as_the_rule_says(
    model: str, name: str, optimizer: str, stable: bool
) -> None:
    found = check(Combination(model, name, optimizer), within=problem(model, SMALL.get(model)))
    assert found.as_predicted, found.worst
    assert found.stable == stable, found.fastest


@pytest.mark.long
@pytest.mark.parametrize("combination", combinations([], [], [], builtin()), ids=str)
def test_every_combination_grows_as_its_rule_says(combination: Combination) -> None:
    found = check(combination)
    assert found.as_predicted, found.worst
    if all(judged.predicted.high <= 0 for judged in found.coordinates):
        assert found.stable, found.fastest
    if any(judged.predicted.low > 0 for judged in found.coordinates):
        assert not found.stable, found.fastest


def test_every_combination_that_a_table_has_is_checked() -> None:
    found = combinations([], [], [], builtin())
    columns = sum(len(spec.families) for spec in builtin().values())
    assert len(found) == len(catalog.names("models")) * columns
    assert len(set(found)) == len(found)


def test_a_table_without_the_optimizers_column_is_left_out() -> None:
    found = combinations(["gpt"], ["mup", "u_mup"], ["sgd"], builtin())
    assert found == [Combination("gpt", "mup", "sgd")]
    with pytest.raises(ValueError, match="u_mup has a column for sgd"):
        combinations(["gpt"], ["u_mup"], ["sgd"], builtin())


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ((["gtp"], [], []), "model is 'gtp'.*gpt"),
        (([], ["mupp"], []), "parameterization is 'mupp'.*mup"),
        (([], [], ["sdg"]), "optimizer is 'sdg'.*sgd"),
    ],
)
def test_an_unknown_name_is_told_with_those_there_are(
    asked: tuple[list[str], list[str], list[str]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        combinations(*asked, builtin())
