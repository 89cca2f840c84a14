"""What a probe sees of a run that the test steps by itself."""

from __future__ import annotations

import torch

from lrtransfer.study.probes import Measurement
from lrtransfer.study.training.run import TrainingRun


def seen(run: TrainingRun, *, seed: int = 0, batch_size: int | None = None) -> Measurement:
    """Return the measurement of a run as it stands, without its last update.

    Args:
        run: The run.
        seed: Of the probe's generator.
        batch_size: Samples of an update; None is what the run takes.
    """
    inputs, targets = run.subset
    return Measurement(
        model=run.network.model,
        loss=run.loss,
        inputs=inputs,
        targets=targets,
        tolerance=run.tolerance,
        relative_rates=run.network.relative_rates,
        optimizer=run.optimizer,
        generator=torch.Generator().manual_seed(seed),
        batch_size=run.config.batch_size if batch_size is None else batch_size,
    )
