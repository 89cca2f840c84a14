"""Weight-decay rules over widths, by what each keeps, for a tensor in any equivalent form.

A step shrinks a tensor by the share s = learning rate × λ. Moving a factor between a tensor and
its multiplier (`lrtransfer.scaling.symmetry`) changes both but not s, nor the rate r at which
the tensor moves in the form without a multiplier. So each rule is a law for s, told relative to the
same tensor at the base width, where all rules agree; with m = r_base/r (μP's width multiplier in
hidden layers under Adam, 1 for gains and biases):

    standard        λ as it is where there is no multiplier: (η/m, λ), s = s_base/m
    independent     (η/m, mλ), s = s_base; what microsoft/mup's MuAdamW does
    power           (η/m, m^p·λ), s = s_base·m^(p−1); p = ½ is the rule of Fan et al. (2025)
    lr_independent  a step shrinks by λ times the schedule, at every peak learning rate
    none            λ = 0

The first two are those of Kosson et al. (2025, 2510.19093). Their "independent" still depends on
the learning rate; `lr_independent` is that of Wortsman et al. (2024) and of unit-scaling.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import nn

from lrtransfer.scaling.apply import tensor_shape
from lrtransfer.scaling.roles import Roles
from lrtransfer.scaling.rules import Constants, Scaled, Shape, scale
from lrtransfer.scaling.symmetry import Family

Decay = Literal["standard", "independent", "power", "lr_independent", "none"]
_POWERS: Mapping[Decay, float] = {"standard": 0.0, "independent": 1.0}
_DECAYS = ("standard", "independent", "power", "lr_independent", "none")

_FAN_IN_GROWS = frozenset({"hidden", "output"})
_FAN_OUT_GROWS = frozenset({"input", "embedding", "hidden"})


@dataclass(frozen=True)
class WidthRule:
    """What becomes of a tensor's learning rate and weight decay, in place of the table's.

    Attributes:
        decay: One of the rules above. A tensor to which the table gives no decay gets none.
        power: p of `power`.
        peak: The global peak learning rate η, for `lr_independent`.
        unscaled: Roles whose learning rate does not change with the width. With them decay does
            not either under any rule: m is 1, Kosson et al.'s "no muP scaling" (η, λ).
        faster: Roles whose learning rate is multiplied by the width over the base width; with
            `embedding` under `sp` the control of Kalra and Barkeshli (2026, 2605.21486).
        undecayed: Roles without weight decay.

    Raises:
        ValueError: `decay` is another one, `power` or `peak` is missing or told to a rule
            that has none, or a role is both unscaled and faster.
    """

    decay: Decay = "standard"
    power: float | None = None
    peak: float | None = None
    unscaled: frozenset[str] = frozenset()
    faster: frozenset[str] = frozenset()
    undecayed: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.decay not in _DECAYS:
            raise ValueError(f"decay is {self.decay!r}. Give one of {', '.join(_DECAYS)}.")
        for name, rule in (("power", "power"), ("peak", "lr_independent")):
            value = getattr(self, name)
            if (value is None) == (self.decay == rule):
                raise ValueError(
                    f"decay is {self.decay} and {name} is {value}. Give {name} with "
                    f"decay={rule!r}, and with no other."
                )
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{name} is {value}. Give a finite number.")
        if self.peak is not None and not self.peak > 0:
            raise ValueError(f"peak is {self.peak}. Give a positive learning rate.")
        if both := self.unscaled & self.faster:
            raise ValueError(f"{', '.join(sorted(both))} is unscaled and faster. Choose one.")

    def __call__(
        self, scaled: Scaled, base: Scaled, role: str, family: Family, width_multiplier: float
    ) -> Scaled:
        """Return the numbers of one tensor; its initial weights and multiplier stay.

        Args:
            scaled: Its numbers in the table, in any equivalent form.
            base: The same tensor's at the base width and the same depth, in any equivalent form
                (`base_numbers`).
            role: Its role.
            family: The optimizer's family.
            width_multiplier: The network's width over the base width.

        Raises:
            ValueError: A learning rate or multiplier is not positive.
        """
        if role in self.unscaled:
            scaled = with_rate(scaled, rate_multiplier(scaled, base, family))
        if role in self.faster:
            scaled = with_rate(scaled, width_multiplier)
        share = 0.0 if role in self.undecayed else self._share(scaled, base, family)
        return replace(scaled, weight_decay=share / scaled.learning_rate)

    def _share(self, scaled: Scaled, base: Scaled, family: Family) -> float:
        """Return s over the global ηλ."""
        multiplier = rate_multiplier(scaled, base, family)
        if self.decay == "none" or scaled.weight_decay == 0:
            return 0.0
        if self.peak is not None:
            return 1 / self.peak
        power = self.power if self.power is not None else _POWERS[self.decay]
        return float(base.learning_rate * base.weight_decay * multiplier ** (power - 1))


def rate_multiplier(scaled: Scaled, base: Scaled, family: Family) -> float:
    """Return m: by how much slower a tensor moves than at the base width, without multipliers.

    It is the m of a warm-up that replaces the scaling of the tensor's learning rate
    (`lrtransfer.optim.implicit_warmup`).

    Args:
        scaled: The tensor's numbers, in any equivalent form.
        base: Those at the base width, in any equivalent form.
        family: The optimizer's family.

    Raises:
        ValueError: A learning rate or multiplier is not positive.

    Example:
        >>> from lrtransfer.scaling.decay import rate_multiplier
        >>> from lrtransfer.scaling.rules import Scaled
        >>> wide, base = Scaled(1.0, 1.0, learning_rate=0.25), Scaled(1.0, 1.0, learning_rate=1.0)
        >>> rate_multiplier(wide, base, "adam")
        4.0
    """
    return _plain_rate(base, family) / _plain_rate(scaled, family)


def with_rate(scaled: Scaled, factor: float) -> Scaled:
    """Return the numbers with `factor` times the learning rate, and λ as it was.

    Example:
        >>> from lrtransfer.scaling.decay import with_rate
        >>> from lrtransfer.scaling.rules import Scaled
        >>> with_rate(Scaled(1.0, 1.0, learning_rate=0.5), factor=4.0).learning_rate
        2.0
    """
    return replace(scaled, learning_rate=scaled.learning_rate * factor)


def base_numbers(
    model: nn.Module,
    roles: Roles,
    rules: Mapping[str, Any],
    constants: Constants,
    *,
    width: int,
    depth: int,
) -> dict[str, Scaled]:
    """Return what the table gives each tensor of `model` at the base width, at its own depth.

    Args:
        model: The network at width N.
        roles: The role of each tensor; they tell which dimensions grow with the width.
        rules: Role -> exponents.
        constants: The parameterization's constants, the base width among them.
        width: N.
        depth: L.

    Raises:
        ValueError: A dimension that grows with the width is no whole number at the base width.
        KeyError: The roles or the rules lack a tensor.
    """
    found = {}
    for name, parameter in model.named_parameters():
        role = roles.tensors[name]
        shape = tensor_shape(parameter.shape, role, width=width, depth=depth)
        inside = any(name.startswith(f"{branch}.") for branch in roles.branches)
        at_base = _base_shape(name, replace(shape, in_branch=inside), role, constants.base_width)
        found[name] = scale(rules[role], at_base, constants)
    return found


def _base_shape(name: str, shape: Shape, role: str, base_width: int) -> Shape:
    def at_base(size: int, grows: bool) -> int:
        if not grows or size == 1:
            return size
        whole, rest = divmod(size * base_width, shape.width)
        if rest:
            raise ValueError(
                f"{name!r} has a dimension of {size} at width {shape.width}: no whole number at "
                f"the base width {base_width}. Choose a base width that divides it."
            )
        return whole

    return replace(
        shape,
        fan_in=at_base(shape.fan_in, role in _FAN_IN_GROWS),
        fan_out=at_base(shape.fan_out, role in _FAN_OUT_GROWS),
        width=base_width,
    )


def _plain_rate(scaled: Scaled, family: Family) -> float:
    """Return the learning rate in the form without a multiplier."""
    if not (scaled.learning_rate > 0 and scaled.multiplier > 0):
        raise ValueError(
            f"the learning rate is {scaled.learning_rate} and the multiplier {scaled.multiplier}; "
            "only a tensor with positive ones has a rule for its decay. Leave it out."
        )
    return scaled.learning_rate * scaled.multiplier ** (2 if family == "sgd" else 1)
