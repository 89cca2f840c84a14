"""Sizes of coordinates against hand calculations in float64."""

from __future__ import annotations

import pytest
import torch

from lrtransfer.coordinates import measurement
from lrtransfer.coordinates.growth import growth
from lrtransfer.coordinates.measurement import STEPS, Coordinates, measure, observe, train
from lrtransfer.coordinates.problem import Sizes, problem

from .tables import rules


def rms(tensor: torch.Tensor) -> float:
    return tensor.square().mean().sqrt().item()


def test_sizes_of_a_linear_network_are_those_of_gradient_descent_by_hand() -> None:
    posed, rate = problem("two_layer_linear"), 0.1
    net = posed.network(rules("sp", "sgd"), 64, seed=3)
    first, second = (p.detach().clone() for p in net.model.parameters())
    x, signs = posed.inputs, posed.signs
    e, v = first, second
    for _ in range(STEPS):
        grad_e = -v.T @ signs.T @ x / len(x)
        grad_v = -signs.T @ (x @ e.T) / len(x)
        e, v = e - rate * grad_e, v - rate * grad_v
    hidden = x @ e.T
    found = train(net, posed, "sgd", rate)
    expected = {
        Coordinates("embed", "start"): rms(x @ first.T),
        Coordinates("embed", "own"): rms(x @ (e - first).T),
        Coordinates("embed", "change"): rms(x @ (e - first).T),
        Coordinates("readout", "start"): rms(x @ first.T @ second.T),
        Coordinates("readout", "own"): rms(hidden @ (v - second).T),
        Coordinates("readout", "change"): rms(hidden @ v.T - x @ first.T @ second.T),
    }
    assert found == pytest.approx(expected, rel=1e-9)


def test_the_own_update_of_a_gain_is_the_move_of_its_tensor() -> None:
    posed = problem("gpt", Sizes((16, 32), samples=2, options={"block_size": 4}))
    net = posed.network(rules("mup", "adam"), 16, seed=0)
    before = net.model.get_parameter("final_norm.gain.weight").detach().clone()
    found = train(net, posed, "adamw")
    moved = net.model.get_parameter("final_norm.gain.weight").detach() - before
    assert found[Coordinates("final_norm.gain", "own")] == pytest.approx(rms(moved), rel=1e-9)
    assert found[Coordinates("final_norm.gain", "change")] == pytest.approx(rms(moved), rel=1e-9)


def test_relative_rates_and_multipliers_count() -> None:
    """abc-symmetry: two forms of muP have the same coordinates at the base width but not rates."""
    posed = problem("residual_mlp", Sizes((16, 32)))
    third, ninth = (
        train(posed.network(rules(name, "sgd"), 32, seed=1), posed, "sgd")
        for name in ("mup_table3", "mup_table9")
    )
    assert third == pytest.approx(ninth, rel=1e-6)


def test_logits_own_no_tensor_and_are_measured() -> None:
    posed = problem("gpt", Sizes((16, 32), samples=2, options={"block_size": 4}))
    found = measure(posed, rules("mup", "sgd"), "sgd", seeds=(0, 1))
    logits = {place.quantity for place in found if place.module == "branches.0.1.logits"}
    assert logits == {"start", "change"}
    assert {values.shape for values in found.values()} == {(2, 2)}


def test_watching_leaves_no_hook_behind() -> None:
    posed = problem("two_layer_linear", Sizes((4, 8)))
    net = posed.network(rules("sp", "sgd"), 4, seed=0)
    observe(net, posed.inputs)
    assert all(not module._forward_hooks for module in net.model.modules())


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("name", ["mup", "sp"])
def test_exponents_do_not_depend_on_the_learning_rate(name: str, optimizer: str) -> None:
    column = "sgd" if optimizer == "sgd" else "adam"
    posed = problem("residual_mlp", Sizes((64, 128, 256), samples=4))
    table, own_rate = rules(name, column), measurement.LEARNING_RATES[column]
    low, high = (
        measure(posed, table, optimizer, seeds=(0, 1), learning_rate=factor * own_rate)
        for factor in (0.3, 3.0)
    )
    for place in low:
        slopes = [growth(sizes[place], posed.widths).value for sizes in (low, high)]
        assert slopes[0] == pytest.approx(slopes[1], abs=0.03), place


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_changes_are_far_above_rounding_and_far_below_the_features(optimizer: str) -> None:
    column = "sgd" if optimizer == "sgd" else "adam"
    posed = problem("residual_mlp", Sizes((64, 512)))
    for name in ("sp", "ntp", "mup"):
        for place, sizes in measure(posed, rules(name, column), optimizer, seeds=(0,)).items():
            if place.quantity != "start":
                assert sizes.min() > 1e-9 and sizes.max() < 0.2, (name, place)
