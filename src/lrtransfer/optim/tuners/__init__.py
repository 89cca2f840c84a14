"""Learning-rate tuners: optimizers that choose their own learning rate, found by file name.

A tuner wraps any optimizer of torch, whose update at learning rate 1 is the direction u; the
tuner decides how far to go along it. It is the file ``optim/tuners/<name>.py`` with a class named
by ``TUNER``; its keyword-only arguments are its options. ``PRICE`` says about how many gradient
evaluations a step costs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from lrtransfer.optim.tuners.tuner import Tuner


def build(name: str, base: torch.optim.Optimizer, **options: Any) -> Tuner:
    """Return the tuner ``name`` around ``base``.

    Raises:
        ModuleNotFoundError: There is no such tuner.
    """
    made: Tuner = import_module(f"{__name__}.{name}").TUNER(base, **options)
    return made
