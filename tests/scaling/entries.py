"""Numbers of the shipped table's entries, by name, role and size."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from lrtransfer.scaling.rules import Constants, Scaled, Shape, scale
from lrtransfer.scaling.symmetry import Family
from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.exponents import Column
from lrtransfer.study.plan.parameterizations import builtin

from .nets import rules

INPUTS, HEAD = 5, 16  # D and d


cached_rules = cache(rules)


FAMILIES: tuple[Family, Family] = ("sgd", "adam")


Size = tuple[int, int, Constants]


# (N, L, constants): one at the base sizes, the others away from them.
SIZES: list[Size] = [
    (64, 6, Constants(0.5, 1.0, 64, 6)),
    (256, 6, Constants(1.0, 1.0, 64, 6)),
    (96, 24, Constants(0.5, 0.7, 12, 3)),
    (512, 3, Constants(1.0, 2.0, 1, 1)),
]


every_size = pytest.mark.parametrize("size", SIZES, ids=["base", "wide", "both", "no-base"])


ALL_ROLES = {
    role for model in catalog.families() for role in catalog.constant("models", model, "ROLES")
}


TENSORS = ALL_ROLES - {"branch", "attention_logits"}


VECTORS = ("embedding", "positional", "bias", "norm_gain")


# Roles whose tensors lie in residual branches.
INSIDE = ("hidden", "scalar", "bias", "scalar_bias", "norm_gain")


FANS: dict[str, Callable[[int], tuple[int, int]]] = {  # (in, out) in a network of width N
    "input": lambda n: (INPUTS, n),
    "hidden": lambda n: (n, 2 * n),
    "output": lambda n: (n, 3),
    "embedding": lambda n: (1, n),
    "scalar": lambda n: (7, 9),
    "attention_logits": lambda n: (HEAD, 1),
    "branch": lambda n: (n, 1),
}


def numbers(
    name: str, family: Column | Family, role: str, size: Size, *, in_branch: bool = False
) -> Scaled:
    """Return the numbers of a tensor of ``role``; a hidden one is (2N, N)."""
    width, depth, constants = size
    fan_in, fan_out = FANS[role](width) if role in FANS else (1, 1)
    shape = Shape(fan_in, width, depth, fan_out=fan_out, in_branch=in_branch)
    return scale(cached_rules(name, family)[role], shape, constants)


def assert_has(found: Scaled, **hand: float) -> None:
    """Check the numbers that are told."""
    for name, value in hand.items():
        assert vars(found)[name] == pytest.approx(value, rel=1e-12), name


def columns() -> list[tuple[str, Column]]:
    """Return every entry with every family of optimizers that it has."""
    return [(name, family) for name, entry in builtin().items() for family in entry.families]
