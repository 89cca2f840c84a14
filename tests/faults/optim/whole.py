"""A network with everything that a tuner's step can change, and its state to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.backends import cuda
from torch.nn.modules import module as modules

from lrtransfer.optim.tuners.tuner import Tuner
from lrtransfer.study.plan import catalog

BASES: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=1.0, momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p, lr=1.0, weight_decay=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=1.0, weight_decay=0.1),
}
# Tuner and options: nine ways to the rate.
TUNERS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in catalog.names("optim/tuners")},
    "cdat by finite differences": (
        "cdat",
        {"curvature": "finite_difference", "max_learning_rate": 1.0},
    ),
}


class Trial:
    """A small classifier with BatchNorm and dropout under a tuner that has made two steps."""

    def __init__(self, name: str = "cdat", base: str = "adam", **options: Any) -> None:
        tuner, own = TUNERS[name]
        torch.manual_seed(0)
        self.model = nn.Sequential(
            nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Dropout(0.2), nn.Linear(6, 3)
        )
        self.inputs, self.targets = torch.randn(12, 4), torch.randint(3, (12,))
        self.tuner: Tuner = catalog.load("optim/tuners", tuner)(
            BASES[base](self.model.parameters()), **own, **options
        )
        for _ in range(2):
            self.tuner.step(self.loss)

    def loss(self) -> Tensor:
        """Return the loss."""
        return nn.functional.cross_entropy(self.model(self.inputs), self.targets)

    def state(self) -> list[Any]:
        """Return all that a step may change, in comparable form."""
        base = self.tuner.base
        parameters = list(self.model.parameters())
        places = {id(p): place for place, p in enumerate(parameters)}
        told = [_plain(p) for p in parameters]
        grads = [None if p.grad is None else _plain(p.grad) for p in parameters]
        buffers = [_plain(b) for b in self.model.buffers()]
        states = [
            {name: _plain(value) for name, value in base.state[p].items()}
            if p in base.state
            else None
            for p in parameters
        ]
        groups = [
            {**group, "params": [places.get(id(p)) for p in group["params"]]}
            for group in base.param_groups
        ]
        memory = {name: _plain(value) for name, value in self.tuner.memory.items()}
        switches = (
            torch.is_grad_enabled(),
            cuda.flash_sdp_enabled(),
            cuda.mem_efficient_sdp_enabled(),
            cuda.math_sdp_enabled(),
        )
        hooks = len(modules._global_forward_pre_hooks)
        random = _plain(torch.get_rng_state())
        last = [_plain(u) for u in self.tuner.last_update or []]
        return [
            told, grads, buffers, states, len(base.state), groups, memory, switches, hooks, random,
            last,
        ]  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().numpy().tobytes()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return repr(value)
