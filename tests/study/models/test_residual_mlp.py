"""The residual MLP of Noci et al. (2024), §2, against the printed equation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from lrtransfer.study.models.residual_mlp import ResidualMLP
from lrtransfer.study.plan.catalog import load

ACTIVATIONS = {
    "relu": lambda z: z.clamp(min=0),
    "tanh": torch.tanh,
    "gelu": lambda z: z * 0.5 * (1 + torch.erf(z / 2**0.5)),
    "linear": lambda z: z,
}


def net(**changes: Any) -> ResidualMLP:
    """Return a small float64 net with weights that depend on their place alone."""
    sizes: dict[str, Any] = {"in_features": 3, "out_features": 2, "width": 4, "depth": 2} | changes
    model = ResidualMLP(**sizes).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.arange(parameter.numel()).view_as(parameter).double().sin())
    return model


def inputs() -> Tensor:
    return torch.linspace(-1, 1, 6, dtype=torch.float64).view(2, 3)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("skip", [0.0, 0.5, 1.0])
def test_the_output_is_the_printed_equation(activation: str, skip: float) -> None:
    model, act = net(activation=activation, skip=skip), ACTIVATIONS[activation]
    weights = dict(model.named_parameters())
    hidden = inputs() @ weights["embed.weight"].T
    for name in ("branches.0.1.weight", "branches.1.1.weight"):
        hidden = skip * hidden + act(hidden) @ weights[name].T  # type: ignore[no-untyped-call]
    expected = act(hidden) @ weights["readout.weight"].T  # type: ignore[no-untyped-call]
    torch.testing.assert_close(model(inputs()), expected, rtol=1e-14, atol=1e-14)


def test_one_forward_value_stays() -> None:
    assert net()(inputs())[0].tolist() == pytest.approx(
        [0.3238274934175854, 0.20467798170801033], rel=1e-12
    )


def test_two_layers_per_branch_apply_activation_and_map_twice() -> None:
    model = net(layers_per_branch=2, depth=1, activation="tanh")
    weights = dict(model.named_parameters())
    stream = inputs() @ weights["embed.weight"].T
    inner = torch.tanh(stream) @ weights["branches.0.1.weight"].T
    hidden = stream + torch.tanh(inner) @ weights["branches.0.3.weight"].T
    expected = torch.tanh(hidden) @ weights["readout.weight"].T
    torch.testing.assert_close(model(inputs()), expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize(("layers", "depth"), [(1, 3), (2, 3), (1, 1)])
def test_the_number_of_parameters_is_that_of_bias_free_maps(layers: int, depth: int) -> None:
    model = net(width=7, depth=depth, layers_per_branch=layers)
    assert sum(p.numel() for p in model.parameters()) == 3 * 7 + depth * layers * 49 + 7 * 2


@pytest.mark.parametrize("layers", [1, 2])
def test_every_parameter_has_a_role_and_every_branch_is_named(layers: int) -> None:
    model = net(depth=3, layers_per_branch=layers)
    roles = model.roles()
    assert list(roles.tensors) != []
    assert roles.tensors.keys() == dict(model.named_parameters()).keys()
    counts = [list(roles.tensors.values()).count(r) for r in ("input", "hidden", "output")]
    assert counts == [1, 3 * layers, 1]
    assert list(roles.branches) == ["branches.0", "branches.1", "branches.2"]
    assert all(isinstance(model.get_submodule(name), torch.nn.Module) for name in roles.branches)


def test_images_are_flattened() -> None:
    flat = torch.randn(5, 12, dtype=torch.float64)
    model = net(in_features=12)
    torch.testing.assert_close(model(flat.view(5, 1, 3, 4)), model(flat))


def test_a_family_is_found_by_its_file_name() -> None:
    made = load("models", "residual_mlp")(in_features=2, out_features=1, width=3)
    assert isinstance(made, ResidualMLP)
    with pytest.raises(LookupError, match="no_such_family"):
        load("models", "no_such_family")()


def test_a_branch_without_layers_is_refused() -> None:
    with pytest.raises(ValueError, match=r"layers_per_branch is 0\. Give 1 or more\."):
        net(layers_per_branch=0)
