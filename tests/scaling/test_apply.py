"""A parameterization applied to a net: weights, multipliers, rates."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn

from lrtransfer.scaling.apply import UnknownRoleError, apply, scale_tensors, tensor_shape
from lrtransfer.scaling.roles import Roles
from lrtransfer.scaling.rules import Constants
from lrtransfer.scaling.symmetry import moved
from lrtransfer.study.models.gpt import GPT
from lrtransfer.study.models.residual_mlp import ResidualMLP

from .nets import data, rules, scaled_model, scaled_net, train


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("gamma0", [0.5, 1.0])
@pytest.mark.parametrize(("name", "exponent"), [("mup", 0.5), ("ntp", 0.0)])
def test_the_forward_pass_is_the_printed_equation(
    name: str, exponent: float, gamma0: float, alpha: float
) -> None:
    width, depth = 6, 3
    constants = Constants(alpha, gamma0, 2, 1)
    model, _ = scaled_net(name, width=width, depth=depth, constants=constants)
    weights = {tensor: p.detach() for tensor, p in model.named_parameters()}
    inputs, _ = data()
    hidden = 5**-0.5 * inputs @ weights["embed.weight"].T
    for layer in range(depth):
        branch = torch.tanh(hidden) @ weights[f"branches.{layer}.1.weight"].T
        hidden = hidden + width**-0.5 * depth**-alpha * branch
    gamma = gamma0 * (width / 2) ** exponent
    expected = torch.tanh(hidden) @ weights["readout.weight"].T / (gamma * width**0.5)
    torch.testing.assert_close(model(inputs).detach(), expected, rtol=1e-13, atol=1e-13)


def test_with_two_layers_each_has_its_width_factor_and_the_branch_one_depth_factor() -> None:
    model, _ = scaled_net("mup", width=6, depth=2, layers_per_branch=2)
    weights = {tensor: p.detach() for tensor, p in model.named_parameters()}
    inputs, _ = data()
    hidden = 5**-0.5 * inputs @ weights["embed.weight"].T
    for layer in range(2):
        branch = hidden
        for place in (1, 3):
            weight = weights[f"branches.{layer}.{place}.weight"]
            branch = 6**-0.5 * torch.tanh(branch) @ weight.T
        hidden = hidden + 2**-0.5 * branch
    expected = torch.tanh(hidden) @ weights["readout.weight"].T / 6
    torch.testing.assert_close(model(inputs).detach(), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", ["mup", "ntp", "sp"])
def test_weights_have_the_table_s_deviation(name: str) -> None:
    model, _ = scaled_net(name, width=400, depth=1)
    for tensor, parameter in model.named_parameters():
        deviation = parameter.shape[1] ** -0.5 if name == "sp" else 1.0
        # The deviation of n Gaussian numbers scatters by 1/√(2n).
        tolerance = 5 / (2 * parameter.numel()) ** 0.5
        assert parameter.std().item() == pytest.approx(deviation, rel=tolerance), tensor
        assert abs(parameter.mean().item()) < 5 * deviation / parameter.numel() ** 0.5


def test_a_seed_means_the_same_weights_in_every_precision() -> None:
    double, _ = scaled_net("sp")
    model = ResidualMLP(in_features=5, out_features=3, width=8, depth=2)
    random = torch.Generator().manual_seed(0)
    apply(model, model.roles(), rules("sp"), Constants(), width=8, depth=2, generator=random)
    for ours, exact in zip(model.parameters(), double.parameters(), strict=True):
        assert torch.equal(ours, exact.float())


def feature_change(name: str, width: int, learning_rate: float) -> float:
    """Return the RMS change of the last hidden features over 5 steps, mean of 4 seeds."""
    inputs, _ = data()
    total = 0.0
    for seed in range(4):
        model, scaled = scaled_net(name, width=width, depth=2, seed=seed)
        seen: list[torch.Tensor] = []
        model.activation.register_forward_hook(
            lambda module, given, output, kept=seen: kept.append(given[0].detach().clone())
        )
        model(inputs)
        train(model, scaled, learning_rate, 5)
        total += (seen[-1] - seen[0]).square().mean().sqrt().item() / 4
    return total


def test_coordinate_check_of_mup_is_flat_in_width() -> None:
    changes = [feature_change("mup", width, 0.5) for width in (64, 256, 1024)]
    mean = sum(changes) / 3
    assert all(abs(change / mean - 1) < 0.15 for change in changes), changes
    assert mean > 0.05


@pytest.mark.parametrize(("name", "learning_rate", "sign"), [("ntp", 0.5, -1), ("sp", 0.001, 1)])
def test_coordinate_check_of_ntp_falls_and_of_sp_grows(
    name: str, learning_rate: float, sign: int
) -> None:
    narrow, wide = (feature_change(name, width, learning_rate) for width in (64, 1024))
    exponent = torch.tensor(wide / narrow).log2().item() / 4
    assert sign * exponent > 0.3, exponent


def test_every_tensor_s_numbers_come_back_by_name() -> None:
    model, scaled = scaled_net("mup", width=8, depth=2, constants=Constants(0.5, 1.0, 2, 1))
    assert list(scaled) == [name for name, _ in model.named_parameters()]
    assert scaled["readout.weight"].multiplier == pytest.approx((8 * 4) ** -0.5)
    assert {numbers.learning_rate for numbers in scaled.values()} == {4.0}


def test_gains_start_at_their_mean_and_biases_at_zero() -> None:
    model = GPT(in_features=0, out_features=5, width=8, heads=2, bias=True, block_size=3)
    table = rules("mup_table9", "adam")
    scaled = scaled_model(model, table, Constants(base_width=2), width=8, depth=4)
    for name, parameter in model.named_parameters():
        if name.endswith("gain.weight"):
            assert (parameter == 1).all(), name
        elif name.endswith("bias.weight"):
            assert (parameter == 0).all(), name
        else:
            assert parameter.std() > 0, name
            assert scaled[name].mean == 0.0


def test_a_form_changes_weights_multipliers_and_numbers_together() -> None:
    plain, _ = scaled_net("mup")
    model = ResidualMLP(in_features=5, out_features=3, width=8, depth=2, activation="tanh")
    scaled = scaled_model(
        model,
        rules("mup"),
        Constants(0.5),
        width=8,
        depth=2,
        form=lambda numbers: moved(numbers, 4.0, "sgd"),
    )
    for (name, ours), table in zip(model.named_parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours, table / 4), name
    assert scaled["embed.weight"].learning_rate == 8 / 16
    assert torch.equal(model(data()[0]), plain(data()[0]))


def test_the_rule_of_attention_logits_multiplies_them_before_the_softmax() -> None:
    model = GPT(in_features=0, out_features=5, width=8, heads=2, block_size=3)
    scaled_model(model, rules("mup"), Constants(), width=8, depth=4)
    for name, head in model.roles().attention_logits.items():
        ones = torch.ones(1, head, dtype=torch.float64)
        logits = model.get_submodule(name)(ones, ones)
        assert logits.item() == pytest.approx(1.0), "q·k/d"
    assert list(model.roles().attention_logits.values()) == [4, 4]


def test_a_tensor_is_in_a_branch_if_its_module_is() -> None:
    """Depth-μP's in-branch rate under Adam falls with L^-½; a like-named neighbour's does not."""
    model = nn.Sequential()
    for name in ("block", "blocker"):
        model.add_module(name, nn.Sequential(nn.Linear(4, 4, bias=False)))
    roles = Roles({"block.0.weight": "hidden", "blocker.0.weight": "hidden"}, branches=["block"])
    table = rules("depth_mup", "adam")
    scaled = dict(scale_tensors(model, roles, table, Constants(), width=4, depth=16))
    rates = {name: numbers.learning_rate for name, numbers in scaled.items()}
    assert rates == {"block.0.weight": 4**-0.5 / 4, "blocker.0.weight": 4**-0.5}


def test_what_each_tensor_s_inputs_and_outputs_are() -> None:
    shapes = {
        "input": ((16, 5), (5, 16)),
        "hidden": ((16, 8, 3, 3), (72, 144)),
        "scalar": ((7, 4), (4, 7)),
        "embedding": ((50, 8), (1, 8)),
        "positional": ((6, 8), (1, 1)),
        "bias": ((8,), (1, 1)),
        "norm_gain": ((8, 1, 1), (1, 1)),
        "scalar_bias": ((4,), (1, 1)),
    }
    for role, (shape, fans) in shapes.items():
        found = tensor_shape(torch.Size(shape), role, width=8, depth=2)
        assert (found.fan_in, found.fan_out) == fans, role


def test_a_missing_rule_of_branches_or_logits_is_named() -> None:
    model = GPT(in_features=0, out_features=5, width=8, heads=2, block_size=3)
    for role, module in (("branch", "branches.0"), ("attention_logits", r"branches\.0\.1\.logits")):
        table = {name: rule for name, rule in rules("mup").items() if name != role}
        with pytest.raises(UnknownRoleError, match=rf"'{module}' has the role '{role}'"):
            scaled_model(model, table, Constants(), width=8, depth=4)


def test_an_unknown_role_is_named_with_its_tensor() -> None:
    model = ResidualMLP(in_features=5, out_features=3, width=8)
    known = model.roles()
    roles = Roles({**known.tensors, "readout.weight": "unembedding"}, known.branches)
    with pytest.raises(
        UnknownRoleError, match=r"'readout\.weight' has the role 'unembedding'.*Add"
    ):
        apply(
            model, roles, rules("mup"), Constants(), width=8, depth=3, generator=torch.Generator()
        )


def test_a_tensor_without_a_role_is_named() -> None:
    model = ResidualMLP(in_features=5, out_features=3, width=8)
    with pytest.raises(UnknownRoleError, match=r"embed\.weight"):
        apply(
            model,
            Roles({}),
            rules("mup"),
            Constants(),
            width=8,
            depth=3,
            generator=torch.Generator(),
        )


def test_multipliers_survive_copies() -> None:
    model, _ = scaled_net("mup")
    inputs, _ = data()
    expected = model(inputs)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(twin(inputs), expected)
    other, _ = scaled_net("mup", seed=1)
    assert not torch.equal(other(inputs), expected)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(inputs), expected)


def test_multipliers_hold_in_functional_calls_and_leave_the_state_dict_alone() -> None:
    model, _ = scaled_net("mup")
    inputs, _ = data()
    plain = ResidualMLP(in_features=5, out_features=3, width=8, depth=2)
    assert model.state_dict().keys() == plain.state_dict().keys()
    weights: dict[str, torch.Tensor] = dict(model.named_parameters())
    called = torch.func.functional_call(model, weights, (inputs,))
    assert torch.equal(called, model(inputs))
    doubled = {name: 2 * p if name == "readout.weight" else p for name, p in weights.items()}
    scaled = torch.func.functional_call(model, doubled, (inputs,))
    torch.testing.assert_close(scaled, 2 * called)
