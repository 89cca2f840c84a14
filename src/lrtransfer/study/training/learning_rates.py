"""The learning rate of a run, and of each of its tensors, at every step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrtransfer.optim import Schedule
from lrtransfer.study.plan.parts import load
from lrtransfer.study.training.network import Network

if TYPE_CHECKING:
    from lrtransfer.study.plan.run_config import RunConfig


class LearningRates:
    """All learning rates of one run.

    Args:
        config: The run's configuration.
        network: Its network, with the numbers of each tensor.
    """

    def __init__(self, config: RunConfig, network: Network) -> None:
        self._config = config
        self._schedule: Schedule = load("schedule", config.schedule)
        self._relative = network.relative_rates
        self._warmup = network.warmup

    def of_run(self, step: int) -> float:
        """Return η(t) = η · schedule(t) of update t = `step` (0-based), which all tensors share.

        η is the run's point on its arm's axis (`lr` in params.yaml), schedule(t) a share of it
        (`optim/schedules`). Under a tuner η(t) is a factor on the rate that the tuner chooses.
        """
        factor = self._schedule(step, self._config.steps, **self._config.schedule.options)
        return self._config.learning_rate * factor

    def of_tensor(self, name: str, step: int) -> float:
        """Return η_tensor(t) = η(t) · r · w(t), what the optimizer's group of a tensor holds.

        r is the tensor's relative rate: what the parameterization's table gives its role at this
        width and depth (`scaling/parameterizations.yaml`), as the decay rule leaves it
        (`scaling/decay.py`: a tensor may go unscaled, or faster). w(t) is the warm-up of a tensor
        that goes unscaled (`training/group_warmup.py`), and 1 otherwise.
        """
        rate = self.of_run(step) * self._relative[name]
        return rate if self._warmup is None else rate * self._warmup(name, step)
