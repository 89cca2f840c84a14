"""The exponents in width that a parameterization's own table implies for the check.

The algebra is that of a first step (Yang and Hu 2021, App. C; Everett et al. 2024, §3) for
networks whose features start at order one. Write N^x for the growth of a quantity, A for the
entries of the readout (its multiplier times its initial deviation), e for a tensor's effective
learning rate (SGD: rate · multiplier², Adam: rate · multiplier), f = 1 if its fan-in grows with N.

* The gradient with respect to a feature is that of the readout's entries: G = A.
* A tensor's own update moves its output by N^own. Adam's entries have size N^e and the sum over
  the fan-in is aligned: own = e + f. SGD's entries also carry the gradient: own = e + G + f, and
  e + 1 in the readout, where the gradient is that of the loss.
* SGD only: where the gradient is itself an inner product over N of a feature and an independent
  gradient, it is N^½ smaller than aligned: G + ½ for token mixing and its biases, and
  G + ½ + c for queries and keys, with N^c the factor of the logits.
* What a change r of the features does: a hidden matrix passes it on as r; the readout, whose
  entries the change was made of, as A + 1 + r, and what is independent of them as A + ½ + r.
* Logits start at c + ½ and change between c + ½ + r (as for independent vectors) and c + 1 + r
  (aligned ones). Their change and that of token mixing are sums of features with few random
  factors: they reach the features at the same exponent, the readout as A + ½ + r.

Where contributions of several exponents add up, finite widths show a slope between them. The
prediction is then an interval: from the smallest, though at most ½ below the largest, to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from lrtransfer.coordinates.measurement import Coordinates
from lrtransfer.coordinates.problem import OUTPUTS, Problem
from lrtransfer.coordinates.structure import Module, modules
from lrtransfer.scaling.apply import scale_modules, scale_tensors, tensor_shape
from lrtransfer.scaling.roles import Roles
from lrtransfer.scaling.rules import Constants
from lrtransfer.study import models

NOTHING = -math.inf
# A contribution whose exponent is smaller by more than this does not show at the check's widths.
_BLUR = 0.5


class Exponent(NamedTuple):
    """An exponent in width, known up to an interval; ``NOTHING`` for what is zero."""

    low: float
    high: float


class _Scaling(NamedTuple):
    """Exponents of one tensor: entries at the start, effective rate, fan-in."""

    entries: float
    rate: float
    fan_in: float


class UnpredictableError(ValueError):
    """A table whose features do not start at order one, which the algebra assumes."""


def predict(problem: Problem, rules: Mapping[str, Any], family: str) -> dict[Coordinates, Exponent]:
    """Return the exponent of every coordinate that :func:`measure` measures.

    Left out are the ``own`` and the ``change`` of tensors without a gradient.

    Args:
        problem: The networks.
        rules: Role -> exponents.
        family: ``sgd`` or ``adam``, the column that ``rules`` are of.

    Raises:
        UnpredictableError: Under these rules a feature does not start at order one.
    """
    scalings, logits = _scalings(problem, rules, family)
    found: dict[Coordinates, Exponent] = {}
    layers = modules(problem, rules)
    output = next(m for m in layers if m.role == "output")
    flow = _Flow(family, scalings, logits, scalings[output.tensor or ""].entries)
    for module in layers:
        start, own, change = flow.through(module)
        found[Coordinates(module.name, "start")] = start
        if module.has_gradient:
            found[Coordinates(module.name, "change")] = change
            if module.tensor:
                found[Coordinates(module.name, "own")] = own
    return found


class _Flow:
    """Carries the change of the features from module to module, in the order of their calls."""

    def __init__(
        self, family: str, scalings: Mapping[str, _Scaling], logits: float, readout: float
    ) -> None:
        self.family, self.scalings = family, scalings
        self.logits = logits  # c
        self.readout = readout  # A
        self.direct: list[float] = []  # r of what each update did to the features by itself
        self.mixed: list[float] = []  # r of what came through logits and token mixing
        self.queries: list[float] = []  # own of queries and keys since the last logits
        self.given: dict[str, tuple[list[float], list[float]]] = {}  # source -> (direct, mixed)

    def through(self, module: Module) -> tuple[Exponent, Exponent, Exponent]:
        """Return (start, own, change) of the next module and take in what it adds."""
        if module.tensor is None:
            return self._attention_logits()
        scaling = self.scalings[module.tensor]
        start = scaling.entries + scaling.fan_in / 2
        if module.role != "output" and start not in (0.0, NOTHING):
            raise UnpredictableError(
                f"{module.name} starts as width^{start:g} under these rules; exponents are "
                f"predicted where features start at order one. Change init or multiplier of the "
                f"role {module.role}."
            )
        own = self._own(module, scaling)
        change = _sum([own, *self._passed_on(module)])
        self._take_in(module, own)
        return Exponent(start, start), Exponent(own, own), change

    def _passed_on(self, module: Module) -> list[float]:
        if module.source is None:
            return []
        now = ([*self.direct], [*self.mixed])
        direct, mixed = self.given.setdefault(module.source, now)
        if module.role != "output":
            return direct + mixed
        aligned = [self.readout + 1 + r for r in direct]
        return aligned + [self.readout + 0.5 + r for r in direct + mixed]

    def _own(self, module: Module, scaling: _Scaling) -> float:
        if self.family == "adam":
            return scaling.rate + scaling.fan_in
        return scaling.rate + scaling.fan_in + self._gradient(module)

    def _gradient(self, module: Module) -> float:
        if module.role == "output":
            return 0.0
        if module.through_logits:
            return self.readout + 0.5 + self.logits
        if module.role in {"scalar", "scalar_bias"}:
            return self.readout + 0.5
        return self.readout

    def _take_in(self, module: Module, own: float) -> None:
        if not module.has_gradient:
            return
        if module.through_logits:
            self.queries.append(own)
        elif module.role in {"scalar", "scalar_bias"}:
            self.mixed.append(own)
        else:
            self.direct.append(own)

    def _attention_logits(self) -> tuple[Exponent, Exponent, Exponent]:
        c, start = self.logits, self.logits + 0.5
        passed = [start + r for r in self.direct + self.mixed]
        # Of a change passed on, the share N^(c + ½) goes back through the logits and is aligned.
        passed += [start + 1 + c + r for r in self.direct]
        own = [start + share + r for r in self.queries for share in (0.0, 0.5)]
        change = _sum(passed + own)
        self.mixed.append(change.high)
        self.queries = []
        return Exponent(start, start), Exponent(NOTHING, NOTHING), change


def _sum(exponents: list[float]) -> Exponent:
    """Return what a sum of contributions shows at finite widths."""
    return Exponent(max(min(exponents), max(exponents) - _BLUR), max(exponents))


def _scalings(
    problem: Problem, rules: Mapping[str, Any], family: str
) -> tuple[dict[str, _Scaling], float]:
    """Return the exponents of every tensor, and of the factor of attention logits.

    They are the slopes between the two smallest widths: every number of a table is a power of the
    width, so that any two widths give the same.
    """
    narrow, wide = (_numbers(problem, rules, family, width) for width in problem.widths[:2])
    octaves = math.log2(problem.widths[1] / problem.widths[0])

    def slope(small: float, large: float) -> float:
        # Rounded, since the exponents of tables are simple fractions and these their float images.
        return round(math.log2(large / small) / octaves, 9) if small else NOTHING

    scalings = {
        name: _Scaling(*map(slope, numbers, wide[0][name])) for name, numbers in narrow[0].items()
    }
    return scalings, slope(narrow[1], wide[1])


def _numbers(
    problem: Problem, rules: Mapping[str, Any], family: str, width: int
) -> tuple[dict[str, tuple[float, float, float]], float]:
    """Return each tensor's (entries, effective rate, fan-in), and the factor of the logits."""
    with torch.device("meta"):
        model = models.build(
            problem.family,
            in_features=problem.in_features,
            out_features=OUTPUTS,
            width=width,
            depth=problem.depth,
            **problem.options,
        )
    roles: Roles = model.roles()  # type: ignore[operator]
    base = Constants(base_width=problem.widths[0], base_depth=problem.depth)
    sizes = {"width": width, "depth": problem.depth}
    shapes = {name: p.shape for name, p in model.named_parameters()}
    power = 2 if family == "sgd" else 1
    numbers = {}
    for name, scaled in scale_tensors(model, roles, rules, base, **sizes):
        numbers[name] = (
            max(scaled.init, abs(scaled.mean)) * scaled.multiplier,
            scaled.learning_rate * scaled.multiplier**power,
            float(tensor_shape(shapes[name], roles.tensors[name], **sizes).fan_in),
        )
    factor = 1.0
    for name, scaled in scale_modules(roles, rules, base, **sizes):
        if name in roles.attention_logits:
            factor = scaled.multiplier / math.sqrt(roles.attention_logits[name])
    return numbers, factor
