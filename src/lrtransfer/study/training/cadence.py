"""When a run is measured: at steps fixed beforehand, or as often as a share of its work allows.

Both count in steps and gradient evaluations, never by the clock, so that a run is the same on
every machine, and after a resume.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lrtransfer.study.plan.run_config import MeasureConfig


class Cadence:
    """Says at which steps to measure, and keeps the account of what measuring cost.

    With `steps` in the configuration those are measured, whatever they cost. With `share` the
    first and the last step are, and any step by which the measurements so far and one more, at the
    price of the latest, come to at most that share of the training done.

    Prices are in gradient evaluations of a training batch. Untrained (step 0) a network is
    measured on credit: the next measurement waits until training has paid for it.

    Args:
        measure: The run's `measure` section, or None: never.
        steps: Length of the run.
        batch_size: Samples of an update.
    """

    def __init__(self, measure: MeasureConfig | None, steps: int, batch_size: int) -> None:
        self.spent = 0.0
        self._latest = 0.0
        self._last = steps
        self._fixed = frozenset(measure.steps) if measure and measure.steps is not None else None
        self._share = (measure and measure.share) or 0.0
        self._batches = measure.samples / batch_size if measure else 0.0
        self._never = measure is None

    def due(self, step: int) -> bool:
        """Return whether the network is measured after `step` updates."""
        if self._never:
            return False
        if self._fixed is not None:
            return step in self._fixed
        return step in (0, self._last) or self.spent + self._latest <= self._share * step

    def record_cost(self, gradients: float) -> None:
        """Enter a measurement that cost `gradients` gradient evaluations of the subset."""
        self._latest = gradients * self._batches
        self.spent += self._latest

    def state(self) -> dict[str, float]:
        """Return the account."""
        return {"spent": self.spent, "latest": self._latest}

    def load_state(self, state: dict[str, float]) -> None:
        """Go on with an account."""
        self.spent, self._latest = state["spent"], state["latest"]
