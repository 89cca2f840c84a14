"""Roles from names."""

from __future__ import annotations

from torch import nn

from lrtransfer.scaling.role_names import tensor_roles
from lrtransfer.study.models.norms import layer_norm


def test_what_the_family_names_has_its_role_gains_and_biases_theirs_the_rest_is_hidden() -> None:
    model = nn.ModuleDict(
        {
            "embed": nn.Linear(2, 3, bias=False),
            "embedder": nn.Linear(3, 3, bias=False),
            "norm": layer_norm(3, bias=True),
        }
    )
    assert tensor_roles(model, {"embed": "input", "norm": "output"}) == {
        "embed.weight": "input",
        "embedder.weight": "hidden",
        "norm.gain.weight": "norm_gain",
        "norm.bias.weight": "bias",
    }
