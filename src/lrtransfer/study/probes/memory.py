"""What probes remember between measurements."""

from __future__ import annotations

from torch import Tensor

from lrtransfer.curvature.linear_operator import AsymmetricProductsError, NonFiniteCurvatureError


class Base:
    """What a probe is unless it says otherwise.

    Attributes:
        needs_update: Whether it measures the last update (`Measurement.update`).
        sums: Whether it takes the mean over `Measurement.process_group`.
        gradients: Price of the last measurement in gradient evaluations of the subset.
    """

    needs_update: bool = False
    sums: bool = False
    gradients: float = 0.0


class Stateless(Base):
    """A probe that starts afresh at every measurement."""

    def state(self) -> dict[str, Tensor]:
        """Return nothing to keep."""
        return {}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take nothing up."""


class WarmStart(Base):
    """A probe that starts from the eigenvectors of its last measurement, kept by name."""

    def __init__(self) -> None:
        self.eigenvectors: dict[str, Tensor] = {}

    def nan_at(self, name: str, *others: type[Exception]) -> tuple[type[Exception], ...]:
        """Return the errors that mean NaN where an eigenvector was, or was not, found before.

        Products that were those of a symmetric matrix, and are not, have drowned in the rounding of
        a saturated loss; at a first measurement the derivatives may be wrong, and the error counts.
        """
        known = name in self.eigenvectors
        return (NonFiniteCurvatureError, *others, *([AsymmetricProductsError] if known else []))

    def state(self) -> dict[str, Tensor]:
        """Return the last eigenvectors, as far as there are any."""
        return dict(self.eigenvectors)

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take up the last eigenvectors."""
        self.eigenvectors = dict(state)
