"""Predicted exponents against those of the papers, written out by hand."""

from __future__ import annotations

import pytest

from lrtransfer.coordinates.measurement import Coordinates
from lrtransfer.coordinates.prediction import NOTHING, Exponent, UnpredictableError, predict
from lrtransfer.coordinates.problem import problem
from lrtransfer.study.plan.parameterizations import builtin

from .tables import changed, rules

MLP = ("embed", "branches.0.1", "readout")


def exponents(family: str, name: str, column: str, quantity: str) -> dict[str, Exponent]:
    found = predict(problem(family), rules(name, column), column)
    return {place.module: e for place, e in found.items() if place.quantity == quantity}


@pytest.mark.parametrize(
    ("name", "column", "own", "output_at_start"),
    [
        ("mup", "sgd", (0, 0, 0), -0.5),
        ("mup", "adam", (0, 0, 0), -0.5),
        ("mup_table3", "sgd", (0, 0, 0), -0.5),
        ("mup_table9", "adam", (0, 0, 0), -0.5),
        ("mean_field", "sgd", (0, 0, 0), -0.5),
        ("complete_p", "adam", (0, 0, 0), -0.5),
        ("ntp", "sgd", (-0.5, -0.5, 0), 0),
        ("ntp", "adam", (0, 0.5, 0.5), 0),
        ("sp", "sgd", (-0.5, 0.5, 1), 0),
        ("sp", "adam", (0, 1, 1), 0),
        ("u_mup", "adam", (-0.5, 0, 0), -0.5),
        ("everett_sp", "adam", (0, 0, 0), 0),
        ("everett_mean_field_no_alignment", "adam", (0, 0.5, 0.5), -0.5),
    ],
)
def test_own_updates_and_the_output_at_the_start_are_the_papers(
    name: str, column: str, own: tuple[float, ...], output_at_start: float
) -> None:
    found = exponents("residual_mlp", name, column, "own")
    assert [found[module] for module in MLP] == [(e, e) for e in own]
    start = exponents("residual_mlp", name, column, "start")
    assert [start[module].high for module in MLP] == [0, 0, output_at_start]


@pytest.mark.parametrize("name", ["mup", "depth_mup", "inverse_depth", "mean_field", "mup_table8"])
@pytest.mark.parametrize("column", ["sgd", "adam"])
def test_under_mup_every_feature_changes_by_order_one(name: str, column: str) -> None:
    found = exponents("residual_mlp", name, column, "change")
    assert [found[module] for module in MLP[:-1]] == [(0, 0), (0, 0)]
    assert found["readout"].high == 0


def test_under_ntp_features_change_by_the_root_less_and_the_output_by_order_one() -> None:
    found = exponents("residual_mlp", "ntp", "sgd", "change")
    assert [found[module] for module in MLP[:-1]] == [(-0.5, -0.5), (-0.5, -0.5)]
    assert found["readout"].high == 0


@pytest.mark.parametrize(("name", "high"), [("everett_sp", 0.5), ("everett_mup", 0.0)])
def test_a_readout_of_root_size_grows_by_the_features_it_is_aligned_with(
    name: str, high: float
) -> None:
    assert exponents("residual_mlp", name, "adam", "change")["readout"].high == high


@pytest.mark.parametrize(
    ("name", "column", "queries", "logits_at_start", "logits_change"),
    [
        ("mup", "sgd", -0.5, -0.5, (-1, -0.5)),
        ("mup", "adam", 0, -0.5, (-0.5, 0)),
        ("ntp", "sgd", -0.5, 0, (-0.5, 0)),
        ("sp", "adam", 1, 0, (1, 1.5)),
    ],
)
def test_queries_and_logits(
    name: str,
    column: str,
    queries: float,
    logits_at_start: float,
    logits_change: tuple[float, float],
) -> None:
    assert exponents("gpt", name, column, "own")["branches.0.1.query"].high == queries
    logits = "branches.0.1.logits"
    assert exponents("gpt", name, column, "start")[logits].high == logits_at_start
    assert exponents("gpt", name, column, "change")[logits] == logits_change


def test_values_do_not_see_the_logits_of_their_own_attention() -> None:
    found = exponents("gpt", "ntp", "adam", "change")
    assert found["branches.0.1.value"] == (0, 0.5)
    assert found["branches.0.1.projection"] == (0.5, 1)


def test_the_gradient_of_token_mixing_is_a_sum_of_independent_products() -> None:
    own = exponents("mlp_mixer", "mup", "sgd", "own")
    assert own["branches.0.1.mix.expand.map"].high == -0.5
    assert own["branches.0.1.mix.expand.bias"].high == -0.5
    assert own["branches.1.1.expand.map"].high == 0
    assert exponents("mlp_mixer", "mup", "adam", "own")["branches.0.1.mix.expand.map"].high == 0


def test_a_bias_starts_at_zero_and_one_without_a_gradient_is_not_judged() -> None:
    found = predict(problem("mlp_mixer"), rules("mup", "sgd"), "sgd")
    assert found[Coordinates("embed.bias", "start")] == (NOTHING, NOTHING)
    assert Coordinates("embed.bias", "own") in found
    assert Coordinates("branches.0.1.mix.contract.bias", "own") not in found


@pytest.mark.parametrize("family", ["gpt", "mlp_mixer", "residual_convnet"])
@pytest.mark.parametrize("name", builtin())
def test_every_table_has_a_prediction(family: str, name: str) -> None:
    for column in builtin()[name].families:
        assert predict(problem(family), rules(name, column), column)


def test_rules_whose_features_grow_are_refused_by_role() -> None:
    table = changed(rules("sp", "sgd"), "hidden", "init", factor=1.0)
    with pytest.raises(UnpredictableError, match=r"width\^0\.5.*role hidden"):
        predict(problem("residual_mlp"), table, "sgd")
