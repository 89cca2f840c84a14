"""The form without multipliers trains the network of the table."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import lrtransfer as lt
from lrtransfer.scaling import table
from lrtransfer.scaling.apply import apply
from lrtransfer.scaling.first_pass import FirstPass
from lrtransfer.scaling.hooks import MultiplyOutput
from lrtransfer.scaling.roles import Roles
from lrtransfer.scaling.rules import Constants

from .outsiders import MLP, numbers, trajectory
from .small_families import build, decays, inputs_of

# Name -> class, options, whether the decay is decoupled or linear in the gradient.
OPTIMIZERS: dict[str, tuple[Any, dict[str, Any], float]] = {
    "sgd": (torch.optim.SGD, {}, 0.05),
    "momentum": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}, 0.05),
    "adam": (torch.optim.Adam, {"betas": (0.8, 0.9)}, 0.0),
    "adamw": (torch.optim.AdamW, {}, 0.05),
    "rmsprop": (torch.optim.RMSprop, {"momentum": 0.5}, 0.0),
}


ALPHA = {"depth_mup", "inverse_depth", "u_mup"}  # their exponents are fixed


RATES = {"sgd": 0.05, "momentum": 0.01}


def follows(name: str, optimizer: str, family: str) -> None:
    """Check 20 steps of the two forms: multipliers outside, and absorbed ones."""
    kind, options, decay = OPTIMIZERS[optimizer]
    rate = RATES.get(optimizer, 0.01)
    column: Any = "sgd" if optimizer in RATES else "adam"
    hooked, own = build(family, 8), build(family, 8)
    roles: Roles = hooked.roles()  # type: ignore[operator]
    depth = len(roles.branches)
    alpha = None if name in ALPHA else 0.7
    gamma0 = 0.8 if table.depends(table.rules(name, column).values(), "gamma0", 0.0) else 1.0
    scaled = apply(
        hooked,
        roles,
        table.rules(name, column),
        Constants(alpha or 0.0, gamma0, 4, 3),
        width=8,
        depth=depth,
        generator=torch.Generator().manual_seed(1),
    )
    reference = [
        {
            "params": [parameter],
            "lr": rate * scaled[tensor].learning_rate,
            "weight_decay": decay * scaled[tensor].weight_decay * decays(roles.tensors[tensor]),
        }
        | ({"eps": 1e-9 * scaled[tensor].epsilon} if column == "adam" else {})
        for tensor, parameter in hooked.named_parameters()
    ]
    groups = lt.parameterize(
        own,
        name,
        base=build(family, 4),
        optimizer=optimizer,
        lr=rate,
        weight_decay=decay,
        eps=1e-9,
        layout=lt.Layout(
            branches="branches.*",
            attention={"branches.*.1.logits": 4} if family == "gpt" else None,
        ),
        base_depth=3,
        branch_exponent=alpha,
        gamma0=gamma0,
        seed=1,
    )
    left = [h for m in own.modules() for h in m._forward_hooks.values()]
    assert all(isinstance(h, FirstPass) or (isinstance(h, MultiplyOutput) and h.role) for h in left)
    batch = inputs_of(family)
    # The default of the optimizer would show where a group lacks its own.
    expected = trajectory(hooked, kind(reference, lr=1e9, **options), batch)
    found = trajectory(own, kind(groups, lr=1e9, **options), batch)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    assert (expected[-1] - expected[0]).abs().max() > 1e-3


def has(name: str, optimizer: str) -> bool:
    column: Any = "sgd" if optimizer in RATES else "adam"
    try:
        table.rules(name, column)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [(n, o) for n in table.names() for o in ("sgd", "adamw") if has(n, o)],
)
def test_it_trains_the_network_of_the_table(name: str, optimizer: str) -> None:
    follows(name, optimizer, "residual_mlp")


@pytest.mark.parametrize("optimizer", sorted(set(OPTIMIZERS) - {"sgd", "adamw"}))
def test_it_does_under_every_optimizer(optimizer: str) -> None:
    follows("mup", optimizer, "residual_mlp")


@pytest.mark.parametrize(
    ("name", "optimizer", "family"),
    [
        ("mup", "sgd", "gpt"),
        ("complete_p", "adamw", "gpt"),
        ("mup_table9", "adamw", "gpt"),
        ("u_mup", "adamw", "mlp_mixer"),
        ("ntp", "momentum", "mlp_mixer"),
    ],
)
def test_it_does_with_norms_biases_embeddings_and_attention(
    name: str, optimizer: str, family: str
) -> None:
    follows(name, optimizer, family)


def test_an_outsider_s_biases_and_weights_share_a_module_without_harm() -> None:
    """μP of an MLP of nn.Linear, written out by hand with multipliers in the forward pass."""
    width, base_width, rate = 8, 4, 0.05
    own = MLP(width).double()
    groups = lt.parameterize(
        own, "mup", base=MLP(base_width), optimizer=torch.optim.SGD, lr=rate, seed=0
    )
    random = torch.Generator().manual_seed(0)
    shapes = [p.shape for p in own.parameters()]
    w1, b1, w2, b2, w3, b3 = (
        torch.randn(s, generator=random, dtype=torch.float64).mul(len(s) > 1).requires_grad_()
        for s in shapes
    )

    def forward(inputs: torch.Tensor) -> torch.Tensor:
        hidden = torch.tanh(inputs @ w1.T / 5**0.5 + b1)
        hidden = torch.tanh(hidden @ w2.T / width**0.5 + b2)
        outputs: torch.Tensor = hidden @ w3.T / (width * width / base_width) ** 0.5 + b3
        return outputs

    growth = width / base_width
    reference = [
        {"params": [w1, b1, w2, b2, w3], "lr": rate * growth},
        {"params": [b3], "lr": rate},
    ]
    expected = trajectory(own, torch.optim.SGD(reference), numbers(), forward=forward)
    found = trajectory(own, torch.optim.SGD(groups), numbers())
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    assert not any(module._forward_hooks for module in own.modules())
