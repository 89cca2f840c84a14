"""Activation functions by name, shared by the model families."""

from __future__ import annotations

from torch import nn

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "linear": nn.Identity,
}


def activation(name: str) -> nn.Module:
    """Return a new module of the activation `name`.

    Raises:
        ValueError: There is no such activation.
    """
    if name not in _ACTIVATIONS:
        raise ValueError(f"activation is {name!r}. Give one of {', '.join(_ACTIVATIONS)}.")
    return _ACTIVATIONS[name]()
