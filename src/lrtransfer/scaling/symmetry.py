"""abc-symmetry: forms of a parameterization that train the same function (2011.14522).

A tensor enters the network as m·W. With m larger by c and W smaller by c the function is the same.
It stays the same over training if the optimizer moves W by 1/c of what it did: the gradient of W
is larger by c, so SGD (with or without momentum) needs 1/c² of the learning rate, and Adam and
RMSProp, which do not see the gradient's size, 1/c, with an ε that is c times larger. The share of
W that weight decay takes away in a step is learning rate times λ and must stay what it was. (Decay
that Adam or RMSProp adds to the gradient before normalising it, unlike AdamW's, would need c²·λ: no
form here is equivalent under it.)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from lrtransfer.scaling.rules import Scaled

Family = Literal["sgd", "adam", "norm"]


def family_of(column: str, role: str) -> Family:
    """Return how the update of a tensor scales, under a column of the table.

    Only a hidden matrix of fixed norm moves by a share of itself, whatever its size.

    Example:
        >>> from lrtransfer.scaling.symmetry import family_of
        >>> family_of("muon", "hidden"), family_of("fixed_norm", "hidden")
        ('adam', 'norm')
    """
    if column == "sgd":
        return "sgd"
    return "norm" if column == "fixed_norm" and role == "hidden" else "adam"


def moved(scaled: Scaled, factor: float, family: Family) -> Scaled:
    """Return the equivalent numbers whose multiplier is `factor` times larger.

    Args:
        scaled: The numbers of one tensor.
        factor: c, positive.
        family: Whether updates are proportional to the gradient (`sgd`), normalised by its
            size (`adam`), or to the tensor (`norm`).

    Raises:
        ValueError: `factor` is not positive.

    Example:
        >>> from lrtransfer.scaling.symmetry import moved
        >>> from lrtransfer.scaling.rules import Scaled
        >>> found = moved(Scaled(init=1.0, multiplier=1.0, learning_rate=1.0), 4.0, "adam")
        >>> found.multiplier, found.init, found.learning_rate, found.weight_decay
        (4.0, 0.25, 0.25, 4.0)
    """
    if not factor > 0:
        raise ValueError(f"factor is {factor}. Give a positive number.")
    rate = {"sgd": factor**2, "adam": factor, "norm": 1.0}[family]
    return replace(
        scaled,
        multiplier=scaled.multiplier * factor,
        init=scaled.init / factor,
        mean=scaled.mean / factor,
        learning_rate=scaled.learning_rate / rate,
        weight_decay=scaled.weight_decay * rate,
        epsilon=scaled.epsilon * (1.0 if family == "sgd" else factor),
    )


def absorbed(scaled: Scaled, family: Family) -> Scaled:
    """Return the equivalent numbers with a multiplier of one, so that no hook is needed.

    Raises:
        ValueError: The multiplier is not positive.

    Example:
        >>> from lrtransfer.scaling.symmetry import absorbed
        >>> from lrtransfer.scaling.rules import Scaled
        >>> absorbed(Scaled(init=1.0, multiplier=0.5, learning_rate=1.0), "sgd").learning_rate
        0.25
    """
    if not scaled.multiplier > 0:
        raise ValueError(f"the multiplier is {scaled.multiplier}; only a positive one has a form.")
    return replace(moved(scaled, 1 / scaled.multiplier, family), multiplier=1.0)
