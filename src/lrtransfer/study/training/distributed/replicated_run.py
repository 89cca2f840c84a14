"""One run trained by several processes: each takes a part of every batch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lrtransfer.study.data import Arrays
from lrtransfer.study.probes import Measurement, Probe
from lrtransfer.study.training.distributed.replicas import Sharing
from lrtransfer.study.training.run import TrainingRun

if TYPE_CHECKING:
    from lrtransfer.study.plan.run_config import RunConfig


class ReplicatedRun(TrainingRun):
    """A process's copy of a run that several processes train, with the numbers of one process.

    All draw the same batches, each differentiates the loss of its part, and
    DistributedDataParallel averages the gradients. So all take the same updates, to the bit; that
    they are those of one process holds up to the order of summation.

    Args:
        config: A resolved run configuration.
        arrays: The prepared data set, whole.
        device: Where this process computes.
        replicas: The processes.

    Raises:
        ValueError: The run cannot be split, see `check_settings` and `check_model`; and as
            `TrainingRun`.
    """

    def __init__(
        self,
        config: RunConfig,
        arrays: Arrays,
        device: torch.device,
        replicas: Sharing,
    ) -> None:
        check_settings(config, replicas.count)
        super().__init__(config, arrays, device)
        check_model(self.network.model, replicas.count)
        self.replicas = replicas
        self.replicated = DistributedDataParallel(
            self.network.model,
            device_ids=[device] if device.type == "cuda" else None,
            process_group=replicas.group,
            gradient_as_bucket_view=True,
        )
        self.forward = self._passes(self.replicated)
        self._settle()
        self.probes = {name: _Shared(probe, replicas) for name, probe in self.probes.items()}

    def _settle(self) -> None:
        """Take one gradient and forget it.

        After the first one DistributedDataParallel sums in another order, with other rounding; a
        resumed run has to sum as the uninterrupted one did.
        """
        loss = self._objective(*self.examples.batch(torch.zeros(1, dtype=torch.long)))
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.zero_grad()

    def _descend(self, inputs: Tensor, targets: Tensor) -> Tensor:
        part = self.replicas.part(len(inputs))
        share = (part.stop - part.start) / len(inputs)
        loss = self._objective(inputs[part], targets[part])
        self.optimizer.zero_grad()
        # The gradients are averaged as if all parts were equal.
        (loss * (share * self.replicas.count)).backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return self.replicas.total(loss * share)


class _Shared:
    """A probe of all processes, which answer alike: the leading one's answer counts.

    A probe that `sums` measures in every process, on a part of the subset; another one in the
    leading process alone.
    """

    def __init__(self, probe: Probe, replicas: Sharing) -> None:
        self.probe, self.replicas = probe, replicas
        self.gradients = 0.0
        self.needs_update, self.sums = probe.needs_update, probe.sums

    def measure(self, at: Measurement) -> dict[str, float]:
        """Measure, and share the answer."""
        if self.sums:
            part = self.replicas.part(len(at.inputs))
            own = replace(
                at,
                inputs=at.inputs[part],
                targets=at.targets[part],
                process_group=self.replicas.group,
            )
            row = self.probe.measure(own)
            answer = self.replicas.broadcast(lambda: (row, self.probe.gradients))
        else:
            answer = self.replicas.broadcast(lambda: (self.probe.measure(at), self.probe.gradients))
        row, self.gradients = answer
        return row

    def state(self) -> dict[str, Tensor]:
        """Return the probe's, which is whole in the leading process."""
        return self.probe.state()

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Hand it on."""
        self.probe.load_state(state)


def check_settings(config: RunConfig, processes: int) -> None:
    """Refuse a run whose settings do not allow it to be split.

    Raises:
        ValueError: It has a tuner or micro-batches, is to train as one with others, or has fewer
            samples in a batch or the subset than processes.
    """
    setting = f"resources.processes_per_run is {processes}"
    if config.batched is not None:
        raise ValueError(
            f"batched is {config.batched}, but {setting}. Remove one: runs that train as one do "
            "so in one process."
        )
    if config.micro_batch is not None:
        raise ValueError(
            f"micro_batch is {config.micro_batch}, but {setting}. Remove it: every process takes "
            "its part of a batch at once."
        )
    if config.tuner is not None:
        raise ValueError(
            f"tuner is {config.tuner.name!r}, which needs the whole batch in one process, "
            f"but {setting}. Set it to 1, or train without a tuner."
        )
    counts = {"batch_size": config.batch_size}
    if config.measure is not None:
        counts["measure.samples"] = config.measure.samples
    for name, count in counts.items():
        if count < processes:
            raise ValueError(f"{name} is {count}, but {setting}. Every process needs a sample.")


def check_model(model: nn.Module, processes: int) -> None:
    """Refuse a model whose samples depend on each other.

    Raises:
        ValueError: It has batch norm.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            raise ValueError(
                f"the model has batch norm ({name}), whose statistics are those of a whole batch, "
                f"but resources.processes_per_run is {processes}. Set it to 1, or give the model "
                "norm: layer or group."
            )
