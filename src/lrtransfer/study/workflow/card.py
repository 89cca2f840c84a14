"""How long an update takes on a GPU that is not here: FLOPs counted, its speed as stated.

A large network's update takes its FLOPs at a share of the card's peak; a small one's takes the
host's time to start its kernels, during which other jobs may have the card.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch.utils._python_dispatch import TorchDispatchMode

from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.run_config import ModelConfig, RunConfig
from lrtransfer.study.workflow.trial import Sizes, count, pass_counted

if TYPE_CHECKING:
    from lrtransfer.study.plan.schema import Card as Stated

# Kernels of an update over those of a forward pass, and those of an optimizer for each tensor.
_PASSES = 3
_OF_A_TENSOR = 8


class Card:
    """Seconds of a GPU; the same questions as of `trial.Machine`.

    Args:
        stated: The card, from `resources.card`.
        shared: Whether other jobs have the card while this one's kernels are started.
    """

    def __init__(self, stated: Stated, *, shared: bool = True) -> None:
        self._stated, self._jobs = stated, stated.jobs if shared else 1
        self._counts: dict[str, tuple[float, int]] = {}

    def update(self, config: RunConfig, sizes: Sizes) -> float:
        """Return the time of one update of a run; arguments as of `trial.Machine.update`."""
        flops, kernels = self._count(config.model, sizes)
        # Runs that train as one share their kernels, as jobs do a card.
        waiting = kernels * self._stated.kernel_us * 1e-6 / (config.batched or 1)
        gradient = max(config.batch_size * flops / self._peak(config), waiting / self._jobs)
        price = catalog.constant("optim/tuners", config.tuner.name, "PRICE") if config.tuner else 1
        return float(gradient * price)

    def idles(self, config: RunConfig, sizes: Sizes) -> bool:
        """Return whether an update leaves most of the card idle, waiting for its kernels."""
        flops, kernels = self._count(config.model, sizes)
        waiting = kernels * self._stated.kernel_us * 1e-6 / (config.batched or 1)
        return config.batch_size * flops / self._peak(config) * self._stated.jobs < waiting

    def gradient(self, config: RunConfig, sizes: Sizes, samples: int) -> float:
        """Return the time of one gradient of a run's loss on some samples, where it is measured."""
        masters = "float32" if config.precision == "bfloat16" else config.precision
        bare = replace(config, batch_size=samples, tuner=None, precision=masters, batched=None)
        return self.update(bare, sizes)

    def _peak(self, config: RunConfig) -> float:
        """Return what a run reaches, in FLOP a second."""
        return self._stated.teraflops[config.precision] * 1e12 * self._stated.utilisation

    def _count(self, model: ModelConfig, sizes: Sizes) -> tuple[float, int]:
        """Return the FLOP of one sample's gradient, and the kernels of an update."""
        name = repr((model, sizes))
        if name not in self._counts:
            flops, _ = count(model, sizes)
            self._counts[name] = flops, _kernels(model, sizes)
        return self._counts[name]


class _Kernels(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operations that compute something."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count: int = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not func.is_view
        return func(*args, **(kwargs or {}))


def _kernels(model: ModelConfig, sizes: Sizes) -> int:
    kernels = _Kernels()
    network = pass_counted(model, sizes, kernels)
    tensors = sum(1 for _ in network.parameters())
    return int(_PASSES * kernels.count + _OF_A_TENSOR * tensors)
