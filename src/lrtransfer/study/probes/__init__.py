"""Enter by `sharpness.SharpnessProbe`: what is logged while training, one file per quantity.

A probe is the file `probes/<name>.py` with a class named by `PROBE`. It measures without
changing the run: no weight, gradient, buffer or random state differs afterwards. `PRICE` is about
what a measurement costs, in gradient evaluations of the subset, for estimates of time; `COLUMNS`
says of each column (and so of `<column>/<tensor>`) what the evidence makes of it:

- `curvature`: how it changes over training, and with the size;
- `compared`: whether it follows the same curve at every size;
- `phases`: its slope in the size at the first update and late in training;
- `predictor`: whether its slope in the size says where the optimum goes; if also `times_rate`,
  a tuner's rate times it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch
    import torch.distributed as dist
    from torch import Tensor, nn


@dataclass(frozen=True)
class Update:
    """The last update of a run.

    Attributes:
        previous: Trained parameters by name, as they were before it.
        inputs: The inputs of its batch, as the model took them.
    """

    previous: Mapping[str, Tensor]
    inputs: Tensor


@dataclass(frozen=True)
class Measurement:
    """What a probe sees at one step.

    Attributes:
        model: The network.
        loss: (outputs, targets) -> mean over samples.
        inputs: The fixed training subset, the same at every step of every run.
        targets: Its targets.
        tolerance: Relative residual at which an iterative probe stops.
        relative_rates: Trained parameter -> learning rate over the global one (the D of D^½HD^½).
        optimizer: Its state after the last update; one group per parameter, with its `name`.
        generator: Random numbers of this step of this run, for the probe alone.
        update: The last update, where a probe has `needs_update`; None before the first.
        batch_size: Samples of an update.
        process_group: The processes that have the rest of the subset, for a probe that `sums`;
            None where this one has all of it.
    """

    model: nn.Module
    loss: Callable[[Tensor, Tensor], Tensor]
    inputs: Tensor
    targets: Tensor
    tolerance: float
    relative_rates: Mapping[str, float]
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    update: Update | None = None
    batch_size: int = 1
    process_group: dist.ProcessGroup | None = None

    def subset_loss(self) -> Tensor:
        """Return the loss on the subset, with its graph."""
        return self.loss(self.model(self.inputs), self.targets)


class Probe(Protocol):
    """One logged quantity; `state` is what resuming needs to stay bit-equal.

    Attributes:
        needs_update: Whether it measures the last update.
        sums: Whether it takes the mean over `Measurement.process_group`.
        gradients: Price of the last measurement in gradient evaluations of the subset, by
            counting matrix products: 2 for a product with the Hessian, 4/3 with the Gauss-Newton
            matrix or the NTK, 1/3 for a forward pass.
    """

    needs_update: bool
    sums: bool
    gradients: float

    def measure(self, at: Measurement) -> dict[str, float]:
        """Return column -> value; NaN where the network has diverged."""

    def state(self) -> dict[str, Tensor]:
        """Return the tensors that the next measurement starts from."""

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Continue from what `state` returned."""
