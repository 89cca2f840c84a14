"""The role of each tensor of a model, from what the family says and the shared blocks' names."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

_SHARED = {".gain.weight": "norm_gain", ".bias.weight": "bias"}


def tensor_roles(model: nn.Module, own: Mapping[str, str]) -> dict[str, str]:
    """Return parameter name -> role for every parameter of `model`.

    Args:
        model: The network.
        own: Beginning of a parameter's name, up to a dot -> role; the first that fits counts.
            Trained gains and biases have their own roles wherever they are, what is left is
            `hidden`.
    """
    return {name: _role(name, own) for name, _ in model.named_parameters()}


def _role(name: str, own: Mapping[str, str]) -> str:
    for ending, role in _SHARED.items():
        if f".{name}".endswith(ending):
            return role
    return next((role for start, role in own.items() if name.startswith(f"{start}.")), "hidden")
