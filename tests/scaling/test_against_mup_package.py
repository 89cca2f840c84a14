"""The entry ``mup_table8`` against microsoft/mup 1.0.0: tensor by tensor, and step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mup  # type: ignore[import-untyped]
import pytest
import torch
from torch import Tensor, nn

from lrtransfer.scaling.apply import apply
from lrtransfer.scaling.multiplier import multiply_output
from lrtransfer.scaling.rules import Constants, Scaled

from .nets import column, rules, squared, train
from .package_nets import MLP, Net, Transformer, batch, with_base_shapes

WIDTH, BASE = 24, 4
RATIO = WIDTH / BASE
STEPS = 20
RATE = 0.02
Package = Callable[..., torch.optim.Optimizer]
# The package's optimizer, ours, and the options of both.
OPTIMIZERS: list[tuple[Package, str, dict[str, Any]]] = [
    (mup.MuSGD, "sgd", {}),
    (mup.MuSGD, "sgd", {"momentum": 0.9, "weight_decay": 0.05}),
    (mup.MuAdam, "adam", {}),
    (mup.MuAdamW, "adamw", {}),
    (mup.MuAdamW, "adamw", {"weight_decay": 0.3}),
]
every_net = pytest.mark.parametrize("kind", [MLP, Transformer])
every_optimizer = pytest.mark.parametrize(("theirs", "ours", "options"), OPTIMIZERS)


def twins(kind: type[Net], ours: str, *, output_mult: float = 1.0) -> tuple[Net, Net, Any]:
    """Return the package's net, ours of the same weights, and the numbers of our tensors."""
    package = with_base_shapes(kind, WIDTH, BASE, output_mult=output_mult)
    twin = kind(WIDTH, package=False).double()
    table = rules("mup_table8", column(ours))
    random = torch.Generator().manual_seed(0)
    constants = Constants(base_width=BASE)
    scaled = apply(twin, twin.roles, table, constants, width=WIDTH, depth=1, generator=random)
    package.load_state_dict(twin.state_dict())
    return package, twin, scaled


def by_name(net: nn.Module, optimizer: torch.optim.Optimizer, number: str) -> dict[str, float]:
    """Return a number of the parameter group of each tensor."""
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    return {
        names[id(parameter)]: group[number]
        for group in optimizer.param_groups
        for parameter in group["params"]
    }


@every_net
@every_optimizer
def test_learning_rates_are_the_package_s(
    kind: type[Net],
    theirs: Callable[..., torch.optim.Optimizer],
    ours: str,
    options: dict[str, Any],
) -> None:
    package, _, scaled = twins(kind, ours)
    rates = by_name(package, theirs(package.parameters(), lr=RATE, **options), "lr")
    assert rates == pytest.approx({n: RATE * s.learning_rate for n, s in scaled.items()})
    assert len(set(rates.values())) == 2, "the comparison sees tensors that scale and that do not"


@every_net
def test_weight_decay_is_the_package_s_but_for_hidden_layers_under_adam(kind: type[Net]) -> None:
    """The package keeps rate × decay of hidden layers; the table keeps the decay as it is."""
    for theirs, ours in ((mup.MuSGD, "sgd"), (mup.MuAdamW, "adamw")):
        package, twin, scaled = twins(kind, ours)
        decays = by_name(
            package, theirs(package.parameters(), lr=1.0, weight_decay=1.0), "weight_decay"
        )
        for name, decay in decays.items():
            hidden = ours == "adamw" and twin.roles.tensors[name] == "hidden"
            factor = RATIO if hidden else 1.0
            assert decay == pytest.approx(factor * scaled[name].weight_decay), name


@every_net
def test_initial_deviations_are_the_package_s(kind: type[Net]) -> None:
    """The package's initialisers draw what plain ones draw with the table's deviation."""
    package, twin, scaled = twins(kind, "sgd")
    for name, parameter in package.named_parameters():
        role = twin.roles.tensors[name]
        if role in {"bias", "norm_gain"}:
            continue
        fan_in = {"embedding": 1, "positional": 1}.get(role, parameter.shape[-1])
        base = fan_in if role in {"input", "embedding", "positional"} else fan_in * BASE / WIDTH
        torch.manual_seed(1)
        mup.normal_(parameter, std=base**-0.5)
        torch.manual_seed(1)
        plain = nn.init.normal_(torch.empty_like(parameter), std=scaled[name].init)
        torch.testing.assert_close(parameter.detach(), plain, rtol=1e-14, atol=0, msg=name)
        if role in {"input", "hidden", "output"}:
            torch.manual_seed(1)
            mup.kaiming_normal_(parameter, nonlinearity="linear")
            torch.testing.assert_close(parameter.detach(), plain, rtol=1e-14, atol=0, msg=name)


@every_net
def test_only_the_readout_has_a_multiplier_and_it_is_the_package_s(kind: type[Net]) -> None:
    package, _, scaled = twins(kind, "adam")
    assert {name for name, s in scaled.items() if s.multiplier != 1.0} == {"readout.weight"}
    assert scaled["readout.weight"].multiplier == 1 / package.readout.width_mult()  # type: ignore[operator]


@every_net
def test_the_package_s_default_readout_is_that_of_its_base_width(kind: type[Net]) -> None:
    """``set_base_shapes`` multiplies torch's own U(±1/√N) by √(N/N₀): no width is left in it."""
    readouts = []
    for width in (BASE, WIDTH):
        torch.manual_seed(2)
        net = with_base_shapes(kind, width, BASE, output_mult=1.0)
        readouts.append(net.readout.weight)
    bound = BASE**-0.5
    for weight in readouts:
        assert bound / 2 < weight.abs().max() <= bound  # type: ignore[operator, union-attr]


@every_net
@every_optimizer
def test_training_is_the_package_s_step_by_step(
    kind: type[Net],
    theirs: Callable[..., torch.optim.Optimizer],
    ours: str,
    options: dict[str, Any],
) -> None:
    package, twin, scaled = twins(kind, ours)
    if ours == "adamw":
        scaled = {n: _decaying_as_the_package(twin, n, s) for n, s in scaled.items()}
    inputs, targets = batch(package)
    expected = trained(package, theirs(package.parameters(), lr=RATE, **options), inputs, targets)
    found = train(twin, scaled, RATE, STEPS, batch=(inputs, targets), name=ours, **options)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    assert (expected[-1] - expected[0]).abs().max() > 0.05
    for name, parameter in package.named_parameters():
        torch.testing.assert_close(twin.get_parameter(name), parameter, rtol=1e-9, atol=1e-10)


@every_net
def test_output_mult_is_one_more_multiplier(kind: type[Net]) -> None:
    package, twin, scaled = twins(kind, "adam", output_mult=3.0)
    multiply_output(twin.readout, 3.0)
    inputs, targets = batch(package)
    expected = trained(package, mup.MuAdam(package.parameters(), lr=RATE), inputs, targets)
    found = train(twin, scaled, RATE, STEPS, batch=(inputs, targets), name="adam")
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def trained(net: Net, optimizer: torch.optim.Optimizer, inputs: Tensor, targets: Tensor) -> Tensor:
    """Return the outputs before every update and after the last, shape (STEPS + 1, …)."""
    outputs = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        outputs.append(net(inputs))
        squared(outputs[-1], targets).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return torch.stack([*outputs, net(inputs)]).detach()


def _decaying_as_the_package(net: Net, name: str, scaled: Scaled) -> Scaled:
    hidden = net.roles.tensors[name] == "hidden"
    return replace(scaled, weight_decay=scaled.weight_decay * (RATIO if hidden else 1.0))
