"""Sharpness: the largest eigenvalue of the training loss Hessian."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lrtransfer.curvature.batches import Batch
from lrtransfer.curvature.forward import Scale
from lrtransfer.curvature.hessian import HessianOperator, LossFunction
from lrtransfer.curvature.lanczos import eigenvalues


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
    tolerance: float = 0.01,
    start: Tensor | None = None,
    generator: torch.Generator | None = None,
    max_products: int | None = None,
) -> Sharpness:
    """Measure the sharpness of `model` on `batch`, leaving both as they are.

    Args:
        model: any module; measured in the train/eval mode it is in.
        loss_fn: (outputs, targets) -> mean over samples.
        batch: (x, y) or an iterable of such chunks, weighted by their samples.
        scale: learning rate of each trainable parameter over the global one, by name.
        tolerance: relative residual to stop at; 0.01 leaves an error of about 1e-4.
        start: eigenvector of an earlier measurement, shape (dim,).
        generator: source of random vectors; None is one with seed 0.
        max_products: budget of Hessian-vector products; None is 300.

    Raises:
        ValueError: an argument does not fit; see `HessianOperator` and `eigenvalues`.
        RuntimeError: the loss carries no graph to the parameters.
        NonFiniteCurvatureError: the loss or a product is NaN or infinite.
    """
    operator = HessianOperator(model, loss_fn, batch, scale=scale)
    top = eigenvalues(
        operator,
        tolerance=tolerance,
        max_products=max_products,
        start=start,
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
