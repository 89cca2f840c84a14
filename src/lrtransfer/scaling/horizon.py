"""Batch and duration as axes: what becomes of rate, decay, ε and β when a run has more of either.

With m_B = B/B₀ and m_D = D/D₀, D all the samples (tokens) of a run, and r = m_B/m_D:

    sde         AdamW as a stochastic differential equation (Malladi et al. 2022, 2205.10287; with
                decay in Complete(d)P, 2512.22382): η and λ × √r, ε × 1/√r, 1 − β₁ and 1 − β₂ × r
    root_batch  nanochat's: η × √m_B, λ × √m_B/m_D; the other numbers stay
    hyper_p     of matrices of fixed norm η × √m_B·m_D^-0.32 (Ren et al. 2026, 2603.28743); of
                AdamW's beside them, without decay, Marin's η × √r, ε × 1/√r and β₂^m_B between
                0.9 and 0.9999

The first two keep τ = B/(ηλD), the time over which AdamW averages its updates, in shares of the
run. All hold below the critical batch.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

Group = dict[str, Any]
Rule = Literal["sde", "root_batch", "hyper_p"]
RULES: tuple[Rule, ...] = ("sde", "root_batch", "hyper_p")

_ADAM = frozenset({"adam", "adamw"})
_FIXED_NORM = frozenset({"muonh", "adamh"})
# The optimizers for which a rule has a source.
KNOWN: Mapping[str, frozenset[str]] = {
    "sde": _ADAM,
    "root_batch": _ADAM | {"muon"},
    "hyper_p": _ADAM | _FIXED_NORM,
}
_HYPER_P_DURATION = -0.32
_MARINS_BETA2 = (0.9, 0.9999)


@dataclass(frozen=True)
class Horizon:
    """Factors on one optimizer's numbers, and its β.

    Attributes:
        learning_rate: Factor on η.
        weight_decay: Factor on λ.
        epsilon: Factor on ε.
        betas: β₁ and β₂; None where they were not told.
        clipped: What a rule asked for that no β can be; empty where nothing was clipped.
    """

    learning_rate: float
    weight_decay: float = 1.0
    epsilon: float = 1.0
    betas: tuple[float, float] | None = None
    clipped: str = ""


def horizon(
    rule: Rule,
    optimizer: str,
    *,
    batch: float = 1.0,
    duration: float = 1.0,
    betas: tuple[float, float] | None = None,
) -> Horizon:
    """Return what a rule makes of an optimizer's numbers.

    Args:
        rule: One of `RULES`.
        optimizer: Its name, such as `adamw`.
        batch: m_B, of samples or tokens.
        duration: m_D, of all samples or tokens of the run, not of its steps.
        betas: β₁ and β₂ at the base.

    Raises:
        ValueError: A number is out of range, or no source tells the rule for this optimizer.

    Example:
        >>> from lrtransfer.scaling.horizon import horizon
        >>> found = horizon("sde", "adamw", batch=4.0, betas=(0.9, 0.95))
        >>> found.learning_rate, found.weight_decay, found.epsilon
        (2.0, 2.0, 0.5)
        >>> [round(beta, 4) for beta in found.betas]
        [0.6, 0.8]
    """
    if rule not in RULES:
        raise ValueError(f"rule is {rule!r}. Give one of {', '.join(RULES)}.")
    for name, value in (("batch", batch), ("duration", duration)):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} is {value}. Give a positive factor on that of the base.")
    if optimizer not in KNOWN[rule]:
        raise ValueError(
            f"no source tells the rule {rule} for {optimizer}. It is for "
            f"{', '.join(sorted(KNOWN[rule]))}."
        )
    ratio = batch / duration
    if rule == "root_batch":
        return Horizon(math.sqrt(batch), math.sqrt(batch) / duration, betas=betas)
    if optimizer in _FIXED_NORM:
        return Horizon(math.sqrt(batch) * duration**_HYPER_P_DURATION, betas=betas)
    root = math.sqrt(ratio)
    found = Horizon(root, 1.0 if rule == "hyper_p" else root, 1 / root, betas)
    if betas is None:
        return found
    if rule == "hyper_p":
        return _clip(found, (betas[0], betas[1] ** batch), ((0.0, 1.0), _MARINS_BETA2))
    slower = [1 - ratio * (1 - beta) for beta in betas]
    return _clip(found, (slower[0], slower[1]), ((0.0, 1.0), (0.0, 1.0)))


def rescale(
    groups: Iterable[Mapping[str, Any]],
    rule: Rule,
    *,
    batch: float = 1.0,
    duration: float = 1.0,
    betas: tuple[float, float] | None = None,
) -> list[Group]:
    """Return the groups of a run of another batch or duration than the one they were tuned at.

    Args:
        groups: What `lrtransfer.parameterize` returned; they stay as they are.
        rule: One of `RULES`; see `lrtransfer.scaling.horizon`.
        batch: m_B, the batch over that of the base.
        duration: m_D, all samples (tokens) of the run over those of the base.
        betas: β₁ and β₂ at the base, if a group has none; the rules `sde` and `hyper_p` scale them.

    Returns:
        Groups whose `lr`, `weight_decay`, `eps` and the relative numbers are scaled, with `betas`.

    Raises:
        ValueError: A number is out of range, no source tells the rule for a group's optimizer, or
            the rule scales β and none is told.

    Warns:
        UserWarning: A β was clipped.

    Example:
        >>> import lrtransfer as lt
        >>> group = {"params": [], "lr": 1e-3, "weight_decay": 0.1, "optimizer": "adamw"}
        >>> (found,) = lt.rescale([group], "root_batch", batch=4.0)
        >>> found["lr"], found["weight_decay"]
        (0.002, 0.2)
    """
    found = []
    for group in groups:
        own = group.get("betas", betas)
        kind = str(group.get("optimizer"))
        if own is None and rule != "root_batch" and kind in _ADAM:
            raise ValueError(f"the rule {rule} scales β₁ and β₂. Give betas=, those of the base.")
        if rule == "hyper_p" and group.get("weight_decay"):
            raise ValueError("hyper_p is without decay, and no source tells λ. Give 0.")
        scaled = horizon(rule, kind, batch=batch, duration=duration, betas=own)
        if scaled.clipped:
            warnings.warn(scaled.clipped, stacklevel=2)
        found.append(_scaled(dict(group), scaled))
    return found


def _clip(
    found: Horizon, asked: tuple[float, float], bounds: tuple[tuple[float, float], ...]
) -> Horizon:
    kept = [min(max(beta, low), high) for beta, (low, high) in zip(asked, bounds, strict=True)]
    said = [
        f"β{index} = {beta:.4g} is clipped to {own:g}"
        for index, (beta, own) in enumerate(zip(asked, kept, strict=True), 1)
        if beta != own
    ]
    told = f"the batch is too large for its duration: {', '.join(said)}" if said else ""
    return replace(found, betas=(kept[0], kept[1]), clipped=told)


def _scaled(group: Group, by: Horizon) -> Group:
    factors = {
        # With what a scheduler noted in the group, and would go back to.
        ("lr", "relative_rate", "initial_lr", "max_lr", "min_lr"): by.learning_rate,
        ("weight_decay", "relative_weight_decay"): by.weight_decay,
        ("eps", "relative_epsilon"): by.epsilon,
    }
    for keys, factor in factors.items():
        group |= {key: group[key] * factor for key in keys if key in group}
    return group | ({} if by.betas is None else {"betas": by.betas})
