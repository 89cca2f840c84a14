"""Other packages' largest Hessian eigenvalue with their own defaults, where they are installed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

Run = Callable[[], float]


def versions() -> dict[str, str]:
    """Return the versions of the peers that are installed."""
    found = {}
    for name in ("PyHessian", "hessian-eigenthings"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def installed(
    model: nn.Module, loss: Callable[[Any, Any], Tensor], batch: tuple[Tensor, Tensor]
) -> dict[str, Run]:
    """Return a run of each installed peer; each returns its λ."""
    runs: dict[str, Run] = {}
    if find_spec("pyhessian"):
        runs["pyhessian"] = lambda: _pyhessian(model, loss, batch)
    if find_spec("hessian_eigenthings"):
        runs["eigenthings_power"] = lambda: _eigenthings(model, loss, batch)
    return runs


def _pyhessian(
    model: nn.Module, loss: Callable[[Any, Any], Tensor], batch: tuple[Tensor, Tensor]
) -> float:
    from pyhessian import hessian  # type: ignore[import-not-found]

    torch.manual_seed(0)
    copied = copy.deepcopy(model)  # it leaves gradients with graphs and another mode behind
    found = hessian(copied, loss, data=batch, cuda=batch[0].is_cuda)
    return float(found.eigenvalues(top_n=1)[0][0])


def _eigenthings(
    model: nn.Module, loss: Callable[[Any, Any], Tensor], batch: tuple[Tensor, Tensor]
) -> float:
    import hessian_eigenthings as peer  # type: ignore[import-not-found]

    operator = peer.HessianOperator(model, [batch], peer.supervised_loss(loss), method="autograd")
    return float(peer.power_iteration_one(operator, seed=0)[0])
