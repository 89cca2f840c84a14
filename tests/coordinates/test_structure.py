"""What is read off a network for its prediction."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lrtransfer.coordinates.networks import Network
from lrtransfer.coordinates.structure import Module, modules
from lrtransfer.scaling.roles import Roles

from .nets import INPUTS, MLP, OUTPUTS, Make, Transformer, problem, rules


def layers(make_model: Make) -> list[Module]:
    posed = problem(make_model, rules("mup", "sgd"), "sgd", widths=(16, 32))
    net = posed.network(16, 0)
    assert net.roles
    return modules(net, net.roles, posed.inputs)


def test_queries_and_keys_are_seen_through_logits_alone() -> None:
    through = {layer.name for layer in layers(Transformer) if layer.through_logits}
    assert through == {"attention.query", "attention.key"}


def test_modules_come_in_the_order_of_their_calls() -> None:
    assert [layer.name for layer in layers(MLP)] == ["embed", "branches.0", "branches.1", "readout"]
    names = [layer.name for layer in layers(Transformer)]
    assert names[0] == "embed"
    assert names[-3:] == ["attention.logits", "attention.projection", "readout"]


def test_queries_keys_and_values_have_one_source() -> None:
    by_name = {layer.name: layer for layer in layers(Transformer)}
    sources = [by_name[f"attention.{part}"].source for part in ("query", "key", "value")]
    assert sources == ["attention.query"] * 3
    assert by_name["attention.projection"].source == "attention.projection"


def test_roles_are_told_and_logits_own_no_tensor() -> None:
    by_name = {layer.name: layer for layer in layers(Transformer)}
    assert by_name["readout"].role == "output"
    assert by_name["attention.logits"].role == "attention_logits"
    assert by_name["attention.logits"].tensor is None


def test_a_tensor_that_the_loss_does_not_see_has_no_gradient() -> None:
    model = nn.Sequential(nn.Linear(INPUTS, 8, bias=False), nn.Linear(8, OUTPUTS, bias=False))
    nn.init.zeros_(model.get_parameter("1.weight"))
    roles = Roles({"0.weight": "input", "1.weight": "output"})
    first, last = modules(Network(model, [], roles), roles, torch.randn(4, INPUTS))
    assert not first.has_gradient
    assert last.has_gradient


def test_a_module_with_two_tensors_is_refused_by_name() -> None:
    model = nn.Linear(INPUTS, OUTPUTS)
    roles = Roles({"weight": "output", "bias": "bias"})
    with pytest.raises(ValueError, match=r"owns weight, bias.*module of its own"):
        modules(Network(model, [], roles), roles, torch.randn(4, INPUTS))
