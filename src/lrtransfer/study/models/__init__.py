"""Model families: plain ``nn.Module``s, one file each, that know nothing of scaling rules.

A family is the file ``models/<family>.py`` with a class named by ``MODEL``; it is found by that
name, so that adding a file adds a family. Its constructor's keyword arguments are the family's
hyperparameters; ``in_features``, ``out_features``, ``width`` and ``depth`` are filled in from the
data set and the grid.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


def build(family: str, **hyperparameters: Any) -> nn.Module:
    """Return an untrained model of ``family``; raise ``ModuleNotFoundError`` for an unknown one."""
    model: nn.Module = import_module(f"{__name__}.{family}").MODEL(**hyperparameters)
    return model
