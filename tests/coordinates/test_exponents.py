"""Predicted exponents against those of the papers, written out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lrtransfer.coordinates.exponents import Exponent, UnpredictableError, predict
from lrtransfer.coordinates.networks import Network, Problem
from lrtransfer.scaling.symmetry import Family

from .nets import MLP, Make, Transformer, changed, problem, rules

LAYERS = ("embed", "branches.0", "readout")


def exponents(
    name: str, family: Family, quantity: str, make_model: Make = MLP
) -> dict[str, Exponent]:
    found = predict(problem(make_model, rules(name, family), family, widths=(16, 32)), family)
    return {place.module: e for place, e in found.items() if place.quantity == quantity}


@pytest.mark.parametrize(
    ("name", "family", "own", "output_at_start"),
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
    name: str, family: Family, own: tuple[float, ...], output_at_start: float
) -> None:
    found = exponents(name, family, "own")
    assert [found[module] for module in LAYERS] == [(e, e) for e in own]
    start = exponents(name, family, "start")
    assert [start[module].high for module in LAYERS] == [0, 0, output_at_start]


@pytest.mark.parametrize("name", ["mup", "depth_mup", "inverse_depth", "mean_field", "mup_table8"])
@pytest.mark.parametrize("family", ["sgd", "adam"])
def test_under_mup_every_feature_changes_by_order_one(name: str, family: Family) -> None:
    found = exponents(name, family, "change")
    assert [found[module] for module in LAYERS[:-1]] == [(0, 0), (0, 0)]
    assert found["readout"].high == 0


def test_under_ntp_features_change_by_the_root_less_and_the_output_by_order_one() -> None:
    found = exponents("ntp", "sgd", "change")
    assert [found[module] for module in LAYERS[:-1]] == [(-0.5, -0.5), (-0.5, -0.5)]
    assert found["readout"].high == 0


@pytest.mark.parametrize(("name", "high"), [("everett_sp", 0.5), ("everett_mup", 0.0)])
def test_a_readout_of_root_size_grows_by_the_features_it_is_aligned_with(
    name: str, high: float
) -> None:
    assert exponents(name, "adam", "change")["readout"].high == high


@pytest.mark.parametrize(
    ("name", "family", "queries", "logits_at_start", "logits_change"),
    [
        ("mup", "sgd", -0.5, -0.5, (-1, -0.5)),
        ("mup", "adam", 0, -0.5, (-0.5, 0)),
        ("ntp", "sgd", -0.5, 0, (-0.5, 0)),
        ("sp", "adam", 1, 0, (1, 1.5)),
    ],
)
def test_queries_and_logits(
    name: str,
    family: Family,
    queries: float,
    logits_at_start: float,
    logits_change: tuple[float, float],
) -> None:
    own = exponents(name, family, "own", Transformer)
    assert own["attention.query"].high == own["attention.key"].high == queries
    start = exponents(name, family, "start", Transformer)
    assert start["attention.logits"].high == logits_at_start
    change = exponents(name, family, "change", Transformer)
    assert change["attention.logits"] == logits_change


def test_values_do_not_see_the_logits_of_their_own_attention() -> None:
    found = exponents("ntp", "adam", "change", Transformer)
    assert found["attention.value"] == (0, 0.5)
    assert found["attention.projection"] == (0.5, 1)


def test_rules_whose_features_grow_are_refused_by_role() -> None:
    table = changed(rules("sp", "sgd"), "hidden", "init", factor=1.0)
    with pytest.raises(UnpredictableError, match=r"width\^0\.5.*role hidden"):
        predict(problem(MLP, table, "sgd"), "sgd")


def test_networks_without_roles_are_refused() -> None:
    def network(width: int, seed: int) -> Network:
        return Network(nn.Linear(2, width), [])

    posed = Problem((2, 4), network, torch.optim.SGD, torch.ones(1, 2), torch.ones(1, 2))
    with pytest.raises(ValueError, match="no roles"):
        predict(posed, "sgd")
