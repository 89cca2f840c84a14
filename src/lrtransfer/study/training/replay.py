"""A run forced to the effective learning rates of another one, which is trained beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lrtransfer.alignment.effective_rate import effective_rates, force_effective_rates
from lrtransfer.study.data import Arrays
from lrtransfer.study.training.run import State, TrainingRun

if TYPE_CHECKING:
    from lrtransfer.study.plan.run_config import RunConfig


class Replay:
    """The other run: it differs in the optimizer alone, and shares weights and batches at first.

    Before every update the norm of each matrix becomes η over the other's effective rate of that
    update (Liu et al. 2026, 2608.24814). Where losses then agree, effective rates are what counts.

    Args:
        config: Of the run that is forced; `replay` is the other's optimizer.
        arrays: The prepared data set.
        device: Where to compute.

    Raises:
        UnknownEffectiveRateError: The effective rate of an optimizer is not known.
    """

    def __init__(self, config: RunConfig, arrays: Arrays, device: torch.device) -> None:
        assert config.replay is not None  # noqa: S101 - who asks for this part has it
        other = replace(config, optimizer=config.replay, replay=None, measure=None)
        self.other = TrainingRun(other, arrays, device)

    def force(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Rescale the matrices of `model` for its next update, and take the other's update.

        Args:
            model: Of the forced run, which has taken as many updates as the other.
            optimizer: Its own, with the rates of the next update.
        """
        self.other.set_rates()
        rates = effective_rates(self.other.network.model, self.other.optimizer)
        force_effective_rates(model, optimizer, rates)
        self.other.update_once()

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return numbers and tensors by name: all that resuming needs."""
        held = self.other.state()
        return held.numbers, held.tensors

    def load_state(self, step: int, numbers: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Go on from what `state` returned after `step` updates."""
        self.other.load_state(State(step, {}, numbers, tensors))
