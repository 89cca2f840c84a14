"""Sharpness: the largest eigenvalue of the training loss Hessian."""

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from lrtransfer.curvature.batches import Batch
from lrtransfer.curvature.distributed import SampledOperator, SummedOperator
from lrtransfer.curvature.forward import Scale
from lrtransfer.curvature.hessian import HessianOperator, LossFunction
from lrtransfer.curvature.lanczos import eigenvalues
from lrtransfer.curvature.rates import ParameterGroups, diagonal


@dataclass(frozen=True)
class Sharpness:
    """Sharpness of a loss and how well it is known.

    Attributes:
        value: algebraic λ_max of D^½HD^½; gradient descent's edge of stability is 2/η.
        smallest: lowest Ritz value of the same run, an upper bound of λ_min. It comes free, is
            not converged, and may exceed `value` in modulus at initialisation.
        residual: ‖A v − θ v‖ of the pair; an eigenvalue lies within it of `value`.
        products: Hessian-vector products spent.
        converged: whether the residual met the tolerance.
        eigenvector: unit vector, shape (dim,), in the coordinates D^{-½}θ; pass it as `start`
            to the next measurement.
        loss: mean loss over the samples (nats for cross-entropy).
    """

    value: float
    smallest: float
    residual: float
    products: int
    converged: bool
    eigenvector: Tensor
    loss: float


def sharpness(
    model: nn.Module,
    loss_fn: LossFunction,
    batch: Batch,
    *,
    scale: Scale | None = None,
    groups: ParameterGroups | None = None,
    lr: float | None = None,
    tolerance: float = 0.01,
    start: Tensor | None = None,
    warm_products: int = 6,
    generator: torch.Generator | None = None,
    max_products: int | None = None,
    process_group: dist.ProcessGroup | None = None,
) -> Sharpness:
    """Measure the sharpness of `model` on `batch`, leaving both as they are.

    Args:
        model: any module; measured in the train/eval mode it is in.
        loss_fn: (outputs, targets) -> mean over samples.
        batch: (x, y) or an iterable of such chunks, weighted by their samples.
        scale: learning rate of each trainable parameter over the global one, by name, or what
            `preconditioner` returns.
        groups: optimizer parameter groups to take those rates from, in place of `scale`.
        lr: the global learning rate that the edge 2/lr refers to; None is the largest of the
            groups. See `relative_rates`.
        tolerance: relative residual to stop at; 0.01 leaves an error of about 1e-4.
        start: eigenvector of an earlier measurement, shape (dim,).
        warm_products: least number of products after a `start`, 2 or more; docs/curvature.md has
            the prices and the errors of fewer.
        generator: source of random vectors; None is one with seed 0.
        max_products: budget of Hessian-vector products; None is 300.
        process_group: processes to take the mean over, each with its own samples; None is this
            process alone.

    Raises:
        ValueError: an argument does not fit; see `HessianOperator` and `eigenvalues`.
        RuntimeError: the loss carries no graph to the parameters.
        NonFiniteCurvatureError: the loss or a product is NaN or infinite.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> x, y = torch.eye(2).double(), torch.zeros(2, 1).double()
        >>> model, loss_fn = nn.Linear(2, 1, bias=False).double(), nn.MSELoss()
        >>> round(sharpness(model, loss_fn, (x, y)).value, 6)  # H = 2 xᵀx/n
        1.0
    """
    rates = diagonal(model, scale, groups, lr)

    def build() -> SampledOperator:
        return HessianOperator(model, loss_fn, batch, scale=rates)

    operator = build() if process_group is None else SummedOperator(model, build, process_group)
    top = eigenvalues(
        operator,
        tolerance=tolerance,
        max_products=max_products,
        start=start,
        warm_products=warm_products,
        generator=generator,
    )
    return Sharpness(
        value=top.values[0].item(),
        smallest=top.smallest,
        residual=top.residuals[0].item(),
        products=top.products,
        converged=top.converged,
        eigenvector=top.vectors[0],
        loss=operator.loss,
    )
