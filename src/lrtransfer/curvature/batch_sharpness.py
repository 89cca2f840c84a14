"""What mini-batch gradients feel of the curvature: batch sharpness, gradient-noise interaction."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lrtransfer.curvature.batches import Batch, Inputs, one_by_one
from lrtransfer.curvature.forward import Scale
from lrtransfer.curvature.hessian import HessianOperator, LossFunction
from lrtransfer.curvature.krylov import plain_arithmetic
from lrtransfer.curvature.linear_operator import NonFiniteCurvatureError

_LEAST_BATCHES = 8  # fewer give no useful error estimate


@dataclass(frozen=True)
class BatchAverage:
    """A mean over mini-batches, with its sampling error.

    Attributes:
        value: the mean.
        standard_error: of `value`, from the spread over mini-batches; NaN for one.
        ratio_of_means: numerators' mean over denominators' mean; equal to `value` where the
            denominator is the same for every mini-batch.
        batches: mini-batches measured.
        products: Hessian-vector products spent.
        converged: whether the standard error met the tolerance.
    """

    value: float
    standard_error: float
    ratio_of_means: float
    batches: int
    products: int
    converged: bool


def batch_sharpness(
    model: nn.Module,
    loss_fn: LossFunction,
    batches: Iterable[tuple[Inputs, Any]],
    *,
    scale: Scale | None = None,
    tolerance: float = 0.05,
    max_batches: int = 1000,
) -> BatchAverage:
    """Measure E_B[g_BᵀH_B g_B / ‖g_B‖²] with g_B and H_B those of a mini-batch B.

    The curvature that SGD meets along its own steps: at the edge of stochastic stability it
    hovers at 2/η while λ_max of the full batch lies below (Andreyev and Beneventano 2024). Each
    mini-batch draws its own dropout masks, as in training, from the random state before the call.
    `ratio_of_means` is the variant E[g_BᵀH_B g_B]/E‖g_B‖². With a `scale` D, g becomes D^½g and
    H D^½HD^½.

    Costs about 4 mini-batch gradient evaluations each, until the relative standard error meets
    `tolerance`; stopping there biases the mean by less than that error.

    Args:
        model: any module; measured in the mode it is in.
        loss_fn: (outputs, targets) -> mean over samples.
        batches: mini-batches of the size that SGD uses, such as `mini_batches(...)`; independent
            draws, for the standard error to hold.
        scale: diagonal of D by parameter name; None is the identity.
        tolerance: relative standard error to stop at; 0.005 in the paper.
        max_batches: budget.

    Raises:
        ValueError: an argument does not fit, or a mini-batch has zero gradient.
        NonFiniteCurvatureError: a loss or a product is NaN or infinite.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from lrtransfer.curvature import mini_batches
        >>> x, y = torch.eye(2).double(), torch.zeros(2, 1).double()
        >>> model, loss_fn = nn.Linear(2, 1, bias=False).double(), nn.MSELoss()
        >>> round(batch_sharpness(model, loss_fn, mini_batches((x, y), 1)).value, 6)
        2.0
    """
    fresh = _draws_of_its_own(model)

    def quotient(batch: tuple[Inputs, Any]) -> tuple[float, float]:
        with fresh():
            operator = HessianOperator(model, loss_fn, batch, scale=scale)
        gradient = operator.scaled_gradient
        return _curvature(operator, gradient), _square(gradient)

    return _average(quotient, batches, tolerance, max_batches)


def gradient_noise_interaction(
    model: nn.Module,
    loss_fn: LossFunction,
    batch: Batch,
    batches: Iterable[tuple[Inputs, Any]],
    *,
    scale: Scale | None = None,
    tolerance: float = 0.05,
    max_batches: int = 1000,
) -> BatchAverage:
    """Measure E_B[g_BᵀH g_B] / ‖g‖² with g and H those of the full batch.

    It compares the loss's second-order rise under SGD's noisy step with its first-order fall: the
    expected loss rises on the quadratic model iff it exceeds 2/η (Andreyev and Beneventano 2024).
    Without noise it is the directional sharpness of the gradient; noise adds tr(HΣ)/‖g‖², with Σ
    the gradient's covariance, which diverges near a minimum. Dropout masks are drawn anew for each
    mini-batch and once for the full batch.

    Costs one mini-batch gradient and one full-batch product for each mini-batch.

    Args:
        model: any module; measured in the mode it is in.
        loss_fn: (outputs, targets) -> mean over samples.
        batch: the full batch, (x, y) or an iterable of chunks.
        batches: mini-batches of the size that SGD uses.
        scale: diagonal of D by parameter name; None is the identity.
        tolerance: relative standard error to stop at.
        max_batches: budget.

    Raises:
        ValueError: an argument does not fit, or the full gradient is zero.
        NonFiniteCurvatureError: a loss or a product is NaN or infinite.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> x, y = torch.eye(2).double(), torch.zeros(2, 1).double()
        >>> model, loss_fn = nn.Linear(2, 1, bias=False).double(), nn.MSELoss()
        >>> round(gradient_noise_interaction(model, loss_fn, (x, y), [(x, y)] * 8).value, 6)
        1.0
    """
    full = HessianOperator(model, loss_fn, batch, scale=scale)
    square = _square(full.scaled_gradient)
    fresh = _draws_of_its_own(model)

    def quotient(item: tuple[Inputs, Any]) -> tuple[float, float]:
        with fresh():
            noisy = HessianOperator(model, loss_fn, item, scale=scale).scaled_gradient
        return _curvature(full, noisy), square

    return _average(quotient, batches, tolerance, max_batches)


def _draws_of_its_own(model: nn.Module) -> Callable[[], AbstractContextManager[None]]:
    """Return contexts of random states that differ; torch's own states stay as they are."""
    seeds = torch.Generator()
    seeds.set_state(torch.get_rng_state())
    devices = {p.device.index for p in model.parameters() if p.device.type == "cuda"}

    @contextmanager
    def fresh() -> Iterator[None]:
        with torch.random.fork_rng(devices=sorted(devices)):
            torch.manual_seed(int(torch.randint(2**63 - 1, (), generator=seeds)))
            yield

    return fresh


def _curvature(operator: HessianOperator, vector: Tensor) -> float:
    with plain_arithmetic(operator):
        value = float(vector.double() @ operator(vector).double())
    if not math.isfinite(value):
        raise NonFiniteCurvatureError("the product with a gradient holds NaN or infinity")
    return value


def _square(vector: Tensor) -> float:
    return float(torch.linalg.vector_norm(vector, dtype=torch.float64) ** 2)


def _average(
    quotient: Callable[[tuple[Inputs, Any]], tuple[float, float]],
    batches: Iterable[tuple[Inputs, Any]],
    tolerance: float,
    max_batches: int,
) -> BatchAverage:
    if not tolerance > 0 or max_batches < 1:
        raise ValueError("tolerance must be positive and max_batches at least 1")
    pairs: list[tuple[float, float]] = []
    error = math.nan
    converged = False
    for batch in one_by_one(batches):
        above, below = quotient(batch)
        if below == 0:
            raise ValueError(f"the gradient of mini-batch {len(pairs)} is zero")
        pairs.append((above, below))
        if len(pairs) > 1:
            values = np.array([above / below for above, below in pairs])
            error = float(values.std(ddof=1) / math.sqrt(len(values)))
            converged = error <= tolerance * abs(float(values.mean()))
        if len(pairs) == max_batches or (converged and len(pairs) >= _LEAST_BATCHES):
            break
    if not pairs:
        raise ValueError("batches is empty; give at least one mini-batch")
    above_mean, below_mean = np.array(pairs).mean(axis=0)
    return BatchAverage(
        value=float(np.mean([above / below for above, below in pairs])),
        standard_error=error,
        ratio_of_means=float(above_mean / below_mean),
        batches=len(pairs),
        products=len(pairs),
        converged=converged and len(pairs) >= _LEAST_BATCHES,
    )
