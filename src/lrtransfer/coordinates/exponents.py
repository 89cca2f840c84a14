"""The exponents in width that a parameterization's own table implies for the check.

The algebra is that of a first step (Yang and Hu 2021, App. C; Everett et al. 2024, §3) for
networks whose features start at order one. Write N^x for the growth of a quantity, A for the
entries of the readout (its multiplier times its initial deviation), e for a tensor's effective
learning rate (SGD: rate · multiplier², Adam: rate · multiplier), f = 1 if its fan-in grows with N.

* The gradient with respect to a feature is that of the readout's entries: G = A.
* A tensor's own update moves its output by N^own. Adam's entries have size N^e and the sum over
  the fan-in is aligned: own = e + f. SGD's entries also carry the gradient: own = e + G + f, and
  e + 1 in the readout, where the gradient is that of the loss.
* Of the families of matrices, hidden ones: Muon's update has the spectral norm √(out/in) of its
  factor, own = e; Shampoo's and SOAP's 1, own = e + (in − out)/2. A matrix of fixed norm moves by a
  share of that norm, which a small batch puts into few singular values: own = e + ½.
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
from typing import NamedTuple

from lrtransfer.coordinates.networks import Network, Problem
from lrtransfer.coordinates.sizes import Coordinates
from lrtransfer.coordinates.structure import Module, modules
from lrtransfer.scaling.apply import tensor_shape
from lrtransfer.scaling.roles import Roles
from lrtransfer.scaling.symmetry import Family

NOTHING = -math.inf
# Own change of a hidden matrix at an effective rate of N^0, both of its fans being ∝ N.
_OF_MATRICES = {"muon": 0.0, "shampoo": 0.0, "soap": 0.0, "fixed_norm": 0.5}
# A contribution whose exponent is smaller by more than this does not show at the check's widths.
_BLUR = 0.5


class Exponent(NamedTuple):
    """An exponent in width, known up to an interval; `NOTHING` for what is zero."""

    low: float
    high: float

    def __str__(self) -> str:
        """Return `zero`, the exponent, or the two ends."""
        if not math.isfinite(self.high):
            return "zero"
        return f"{self.low:+g}" if self.low == self.high else f"{self.low:+g} to {self.high:+g}"


class _Scaling(NamedTuple):
    """Exponents of one tensor: entries at the start, effective rate, fan-in."""

    entries: float
    rate: float
    fan_in: float


class UnpredictableError(ValueError):
    """A table whose features do not start at order one, which the algebra assumes."""


def predict(problem: Problem, column: str) -> dict[Coordinates, Exponent]:
    """Return the exponent of every coordinate that `measure` measures.

    Left out are the `own` and the `change` of tensors without a gradient.

    Args:
        problem: Networks whose roles are known.
        column: The family of the problem's optimizer, as the table names it.

    Raises:
        UnpredictableError: A feature does not start at order one.
        ValueError: The networks' roles are not known, or a module owns more than one tensor.
    """
    narrow, wide = (problem.network(width, 0) for width in problem.widths[:2])
    if narrow.roles is None or wide.roles is None:
        raise ValueError("the networks have no roles. Give them, as scaled_network does.")
    family: Family = "sgd" if column == "sgd" else "adam"
    octaves = math.log2(problem.widths[1] / problem.widths[0])

    def slope(small: float, large: float) -> float:
        # Rounded, since the exponents of tables are simple fractions and these their float images.
        return round(math.log2(large / small) / octaves, 9) if small else NOTHING

    # Every number of a table is a power of the width, so that any two widths give its exponent.
    wider = _numbers(wide, wide.roles, family)
    scalings = {
        name: _Scaling(*map(slope, numbers, wider[name]))
        for name, numbers in _numbers(narrow, narrow.roles, family).items()
    }
    logits = slope(_logits_factor(narrow, narrow.roles), _logits_factor(wide, wide.roles))
    found: dict[Coordinates, Exponent] = {}
    layers = modules(narrow, narrow.roles, problem.inputs)
    output = next(m for m in layers if m.role == "output")
    flow = _Flow(column, scalings, logits, scalings[output.tensor or ""].entries)
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
        self, column: str, scalings: Mapping[str, _Scaling], logits: float, readout: float
    ) -> None:
        self.column, self.scalings = column, scalings
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
        if module.role == "hidden" and self.column in _OF_MATRICES:
            return scaling.rate + _OF_MATRICES[self.column]
        if self.column != "sgd":
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


def _numbers(net: Network, roles: Roles, family: Family) -> dict[str, tuple[float, float, float]]:
    """Return each tensor's entries at the start, effective rate and fan-in."""
    power = 2 if family == "sgd" else 1
    numbers = {}
    for name, tensor in net.model.named_parameters():
        scaled = net.scaled[name]
        numbers[name] = (
            max(scaled.init, abs(scaled.mean)) * scaled.multiplier,
            scaled.learning_rate * scaled.multiplier**power,
            float(tensor_shape(tensor.shape, roles.tensors[name], width=1, depth=1).fan_in),
        )
    return numbers


def _logits_factor(net: Network, roles: Roles) -> float:
    """Return what attention logits are multiplied by, the root of the head's dimension included."""
    for name, head in roles.attention_logits.items():
        return net.scaled[name].multiplier / math.sqrt(head)
    return 1.0
