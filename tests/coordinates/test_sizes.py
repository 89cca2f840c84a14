"""Sizes of coordinates against hand calculations in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from lrtransfer.coordinates.growth import growth
from lrtransfer.coordinates.networks import LEARNING_RATES, STEPS, Network, Problem
from lrtransfer.coordinates.sizes import Coordinates, measure, observe, train
from lrtransfer.scaling.hooks import MultiplyArgument
from lrtransfer.scaling.symmetry import Family

from .nets import INPUTS, MLP, OUTPUTS, Transformer, problem, rules

RATE = 0.1


def rms(tensor: Tensor) -> float:
    return tensor.square().mean().sqrt().item()


def posed(make_model: Callable[[], nn.Module], inputs: Tensor) -> Problem:
    """Return a problem of one plain network, stepped by torch's SGD."""

    def network(width: int, seed: int) -> Network:
        torch.manual_seed(seed)
        model = make_model().double()
        return Network(model, [{"params": list(model.parameters()), "lr": RATE}])

    signs = torch.randn(network(1, 0).model(inputs).shape, dtype=torch.float64).sign()
    return Problem((1,), network, torch.optim.SGD, inputs, signs)


def test_sizes_of_a_linear_network_are_those_of_gradient_descent_by_hand() -> None:
    x = torch.randn(8, INPUTS, dtype=torch.float64)
    two = posed(
        lambda: nn.Sequential(
            nn.Linear(INPUTS, 64, bias=False), nn.Linear(64, OUTPUTS, bias=False)
        ),
        x,
    )
    net = two.network(1, 3)
    first, second = (p.detach().clone() for p in net.model.parameters())
    e, v = first, second
    for _ in range(STEPS):
        grad_e = -v.T @ two.signs.T @ x / len(x)
        grad_v = -two.signs.T @ (x @ e.T) / len(x)
        e, v = e - RATE * grad_e, v - RATE * grad_v
    hidden = x @ e.T
    expected = {
        Coordinates("0", "start"): rms(x @ first.T),
        Coordinates("0", "own"): rms(x @ (e - first).T),
        Coordinates("0", "change"): rms(x @ (e - first).T),
        Coordinates("1", "start"): rms(x @ first.T @ second.T),
        Coordinates("1", "own"): rms(hidden @ (v - second).T),
        Coordinates("1", "change"): rms(hidden @ v.T - x @ first.T @ second.T),
    }
    assert train(net, two) == pytest.approx(expected, rel=1e-9)


class Gained(nn.Module):
    """A map whose outputs the model itself multiplies by a gain."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(OUTPUTS))
        self.map = nn.Linear(INPUTS, OUTPUTS)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.map(inputs) * self.gain
        return outputs


def test_a_tensor_of_the_model_itself_and_a_bias_beside_its_matrix_are_measured() -> None:
    x = torch.randn(4, INPUTS, dtype=torch.float64)
    gained = posed(Gained, x)
    net = gained.network(1, 0)
    weight, bias = (p.detach().clone() for p in net.model.get_submodule("map").parameters())
    found = train(net, gained)
    after = {name: p.detach() for name, p in net.model.named_parameters()}
    mapped = x @ after["map.weight"].T + after["map.bias"]
    assert found[Coordinates("", "own")] == pytest.approx(rms(mapped * (after["gain"] - 1)))
    own = x @ (after["map.weight"] - weight).T + after["map.bias"] - bias
    assert found[Coordinates("map", "own")] == pytest.approx(rms(own))


def test_a_multiplier_of_an_argument_acts_once_when_a_module_is_called_again() -> None:
    x = torch.randn(4, INPUTS, dtype=torch.float64)

    def doubled() -> nn.Module:
        layer = nn.Linear(INPUTS, OUTPUTS, bias=False)
        hook = MultiplyArgument(2.0, "output", 0, "input")
        layer.register_forward_pre_hook(hook, with_kwargs=True)
        return layer

    found = train(posed(doubled, x).network(1, 0), posed(doubled, x))
    assert found[Coordinates("", "own")] == pytest.approx(found[Coordinates("", "change")])


class Recurrent(nn.Module):
    """A layer that returns a tuple, called by keyword."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.GRU(INPUTS, OUTPUTS, batch_first=True)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.layer(input=inputs)[0]
        return outputs


def test_a_layer_that_returns_a_tuple_is_measured_by_its_first_entry() -> None:
    x = torch.randn(2, 3, INPUTS, dtype=torch.float64)
    recurrent = posed(Recurrent, x)
    start = rms(recurrent.network(1, 0).model(x).detach())
    found = train(recurrent.network(1, 0), recurrent)
    assert found[Coordinates("layer", "start")] == pytest.approx(start)
    assert found[Coordinates("layer", "own")] == pytest.approx(
        found[Coordinates("layer", "change")]
    )


def test_relative_rates_and_multipliers_count() -> None:
    """abc-symmetry: two forms of muP have the same coordinates at the base width but not rates."""
    third, ninth = (
        problem(MLP, rules(name, "sgd"), "sgd") for name in ("mup_table3", "mup_table9")
    )
    first, second = (train(one.network(128, 1), one) for one in (third, ninth))
    assert first == pytest.approx(second, rel=1e-6)


def test_logits_own_no_tensor_and_are_measured() -> None:
    found = measure(problem(Transformer, rules("mup", "sgd"), "sgd", widths=(16, 32)), seeds=(0, 1))
    logits = {place.quantity for place in found if place.module == "attention.logits"}
    assert logits == {"start", "change"}
    assert {values.shape for values in found.values()} == {(2, 2)}


def test_watching_leaves_no_hook_behind() -> None:
    plain = posed(lambda: nn.Linear(INPUTS, OUTPUTS), torch.randn(4, INPUTS, dtype=torch.float64))
    net = plain.network(1, 0)
    observe(net, plain.inputs)
    for module in net.model.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks


@pytest.mark.parametrize("family", ["sgd", "adam"])
@pytest.mark.parametrize("name", ["mup", "sp"])
def test_exponents_do_not_depend_on_the_learning_rate(name: str, family: Family) -> None:
    table = rules(name, family)
    low, high = (
        measure(
            problem(MLP, table, family, learning_rate=factor * LEARNING_RATES[family]),
            seeds=(0, 1),
        )
        for factor in (0.3, 3.0)
    )
    widths = problem(MLP, table, family).widths
    for place in low:
        slopes = [growth(sizes[place], widths).value for sizes in (low, high)]
        assert slopes[0] == pytest.approx(slopes[1], abs=0.03), place


@pytest.mark.parametrize("family", ["sgd", "adam"])
@pytest.mark.parametrize("name", ["sp", "ntp", "mup"])
def test_changes_are_far_above_rounding_and_far_below_the_features(
    name: str, family: Family
) -> None:
    wide = replace(problem(MLP, rules(name, family), family), widths=(64, 512))
    for place, sizes in measure(wide, seeds=(0,)).items():
        if place.quantity != "start":
            assert sizes.min() > 1e-9 and sizes.max() < 0.2, place
