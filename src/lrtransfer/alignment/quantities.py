"""The quantities of one layer and one update, from a few sums of squares and products."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Alignment:
    """Squared Frobenius norms and inner products of a layer Y = WX and its update ΔW.

    A quantity whose denominator vanishes is NaN, and so is one of a network that has diverged.

    Attributes:
        fan_in: C, the inputs of each of the layer's outputs.
        samples: B, the columns of X: tokens, or patches of images, over all calls of the layer.
        entries: Number of W's entries.
        inputs: ‖X‖².
        weight: ‖W‖², before the update.
        update: ‖ΔW‖².
        weight_dot_update: ⟨W, ΔW⟩.
        output: ‖WX‖².
        change: ‖ΔWX‖².
        output_dot_change: ⟨WX, ΔWX⟩.
    """

    fan_in: int
    samples: int
    entries: int
    inputs: float
    weight: float
    update: float
    weight_dot_update: float
    output: float
    change: float
    output_dot_change: float

    @property
    def weight_alignment(self) -> float:
        """α_W, in [0, 1]; C^-½ for weights that know nothing of the inputs."""
        return _root(self.output, self.weight * self.inputs)

    @property
    def update_alignment(self) -> float:
        """α_ΔW, in [0, 1]."""
        return _root(self.change, self.update * self.inputs)

    @property
    def alignment_ratio(self) -> float:
        """α_ΔW/α_W; μP's learning rates take it to grow as √C."""
        return _root(self.change * self.weight, self.output * self.update)

    @property
    def relative_update(self) -> float:
        """‖ΔW‖/‖W‖."""
        return _root(self.update, self.weight)

    @property
    def relative_change(self) -> float:
        """‖ΔWX‖/‖WX‖, the relative representation change."""
        return _root(self.change, self.output)

    @property
    def weight_rms(self) -> float:
        """Root mean square of W's entries, before the update."""
        return _root(self.weight, self.entries)

    def without_decay(self, share: float) -> Alignment:
        """Return what is left of the update when its weight decay, −share·W, is taken out.

        Args:
            share: Learning rate times λ of the step (`decay_shares`).
        """
        return replace(
            self,
            update=_plus(self.update, self.weight_dot_update, self.weight, share),
            weight_dot_update=self.weight_dot_update + share * self.weight,
            change=_plus(self.change, self.output_dot_change, self.output, share),
            output_dot_change=self.output_dot_change + share * self.output,
        )


def _plus(moved: float, dot: float, still: float, share: float) -> float:
    """Return ‖M + share·S‖² from ‖M‖², ⟨M, S⟩ and ‖S‖²; rounding does not make it negative."""
    total = moved + 2 * share * dot + share**2 * still
    return total if math.isnan(total) else max(0.0, total)


def _root(numerator: float, denominator: float) -> float:
    if not (denominator > 0 and numerator >= 0):
        return math.nan
    return math.sqrt(numerator / denominator)
