"""What probes remember between measurements."""

from __future__ import annotations

from torch import Tensor


class Stateless:
    """A probe that starts afresh at every measurement."""

    gradients: float

    def state(self) -> dict[str, Tensor]:
        """Return nothing to keep."""
        return {}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take nothing up."""


class WarmStart:
    """A probe that starts from the eigenvector of its last measurement."""

    def __init__(self) -> None:
        self.eigenvector: Tensor | None = None
        self.gradients = 0.0

    def state(self) -> dict[str, Tensor]:
        """Return the last eigenvector, if there is one."""
        return {} if self.eigenvector is None else {"eigenvector": self.eigenvector}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take up the last eigenvector."""
        self.eigenvector = state.get("eigenvector")
