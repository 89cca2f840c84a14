"""Optimizers of the package pytorch-optimizer, imported when one is asked for."""

from __future__ import annotations

from importlib import import_module

import torch


def of_package(name: str) -> type[torch.optim.Optimizer]:
    """Return a class of pytorch-optimizer.

    Args:
        name: Its name there, such as `Lion`.

    Raises:
        ImportError: The package is not installed; the message names the extra.
    """
    try:
        package = import_module("pytorch_optimizer")
    except ModuleNotFoundError as error:
        if error.name != "pytorch_optimizer":
            raise
        raise ImportError(
            f"{name} is taken from pytorch-optimizer, which is not installed. "
            'pip install "lrtransfer[optimizers]"'
        ) from None
    found: type[torch.optim.Optimizer] = getattr(package, name)
    return found
