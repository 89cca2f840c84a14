"""Dense curvature of a run at its current weights: the oracle of what probes and spectra log."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lrtransfer.study.training.run import TrainingRun


def flat_map(run: TrainingRun, outputs_only: bool) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """Return weights (dim,) -> subset loss, or -> outputs (n·C,), and the weights as they are."""
    named = dict(run.network.model.named_parameters())
    sizes = [p.numel() for p in named.values()]
    inputs, targets = run.subset

    def of(weights: Tensor) -> Tensor:
        pieces = weights.split(sizes)  # type: ignore[no-untyped-call]
        shaped = {n: w.view_as(p) for (n, p), w in zip(named.items(), pieces, strict=True)}
        outputs = torch.func.functional_call(run.network.model, shaped, (inputs,))
        return outputs.flatten() if outputs_only else run.loss(outputs, targets)

    return of, torch.cat([p.detach().flatten() for p in named.values()])


def rates(run: TrainingRun) -> Tensor:
    """Return the diagonal of D, shape (dim,)."""
    named = run.network.model.named_parameters()
    pieces = [torch.full_like(p, run.network.relative_rates[name]).flatten() for name, p in named]
    return torch.cat(pieces).detach()


def hessian_spectrum(run: TrainingRun) -> Tensor:
    """Return the eigenvalues of D^½HD^½, ascending, shape (dim,)."""
    loss, weights = flat_map(run, outputs_only=False)
    root = rates(run).sqrt()
    return torch.linalg.eigvalsh(  # type: ignore[no-any-return]
        root[:, None] * torch.func.jacrev(torch.func.grad(loss))(weights) * root
    )


def ntk_spectrum(run: TrainingRun) -> Tensor:
    """Return the eigenvalues of (1/n) J D Jᵀ, ascending, shape (n·C,)."""
    outputs, weights = flat_map(run, outputs_only=True)
    jacobian = torch.func.jacrev(outputs)(weights)
    return torch.linalg.eigvalsh(jacobian * rates(run) @ jacobian.T / len(run.subset[0]))  # type: ignore[no-any-return]
