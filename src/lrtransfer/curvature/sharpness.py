"""Sharpness: the largest eigenvalue of the training loss Hessian, or its like in another norm."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

import torch
import torch.distributed as dist
from torch import Tensor, nn

from lrtransfer.curvature.batches import Batch
from lrtransfer.curvature.distributed import SampledOperator, SummedOperator
from lrtransfer.curvature.finite_difference import FiniteDifferenceOperator
from lrtransfer.curvature.forward import Scale
from lrtransfer.curvature.generalised import Ball, Norm, maximum
from lrtransfer.curvature.hessian import HessianOperator
from lrtransfer.curvature.krylov import default_generator, plain_arithmetic
from lrtransfer.curvature.lanczos import Eigenpairs, eigenvalues
from lrtransfer.curvature.objective import Loss
from lrtransfer.curvature.rates import ParameterGroups, diagonal
from lrtransfer.curvature.selection import Patterns

Method: TypeAlias = Literal["exact", "finite_difference"]
"""Products by double backward, or by differences of gradients."""

_AGREED = 0.03  # products at two steps, and their values to a tenth of it: beyond, a new step
_DISAGREEMENT = 0.1  # beyond, a difference is no derivative
_ROUNDS = 4
_SLACK = 3.0  # of a fresh product's residual over the tolerance, where products have noise


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
        loss: mean loss over the samples (nats for cross-entropy), of all processes if the model
            is sharded over them or a `process_group` is given.
        difference_error: by finite differences, how far `value` moves when the step doubles: above
            the error of the third derivatives (a third of it) and of the order of rounding's. 0
            for exact products.
        dual_norm: of the gradient, with `norm`: steps of a fixed length η (sign descent, Muon) have
            their edge at value/dual_norm = 2/η. NaN without `norm`.

    With `norm`, `value` is the largest dᵀHd over ‖d‖ = 1 that was found and `converged` says
    whether it is the maximum: False is a lower bound. `eigenvector` is d over the rates,
    `residual` what a further step would gain to first order, `smallest` NaN.
    """

    value: float
    smallest: float
    residual: float
    products: int
    converged: bool
    eigenvector: Tensor
    loss: float
    difference_error: float = 0.0
    dual_norm: float = math.nan

    @property
    def normalised(self) -> float:
        """value/dual_norm; NaN at a stationary point."""
        return self.value / self.dual_norm if self.dual_norm else math.nan


def sharpness(
    model: nn.Module,
    loss_fn: Loss = None,
    batch: Batch | None = None,
    *,
    parameters: Patterns | None = None,
    norm: Norm | None = None,
    restarts: int = 5,
    method: Method = "exact",
    step: float | None = None,
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
        loss_fn: (outputs, targets) -> mean over samples; without `batch` a closure that calls the
            model and returns the loss with its graph; None for a model that returns its loss.
        batch: (x, y), a mapping with labels if `loss_fn` is None, or an iterable of such chunks,
            weighted by what their means run over: labels that are not -100, tokens that an
            attention mask keeps, or samples. A mapping is passed as keywords if the model's
            `forward` takes them.
        parameters: patterns of parameter names such as "*.mlp.*": the Hessian's block of those.
        norm: "linf" for sign descent, "spectral" for orthogonalised updates of matrices, in place
            of the Euclidean norm; `scale` holds the radii then, the rates themselves. Exact by
            enumeration for "linf" of up to 16 coordinates whose curvature is nowhere negative,
            else a lower bound. Weights other than matrices and (out, in, k, k) have no spectral
            norm.
        restarts: starts of the search with `norm`: `start`, the gradient, random ones.
        method: "exact" products, or "finite_difference" of gradients where double backward does
            not pass (fused kernels, FSDP2, 16-bit weights); see `FiniteDifferenceOperator`.
        step: of the differences; None chooses it. See `FiniteDifferenceOperator`.
        scale: learning rate of each trainable parameter over the global one, by name, or what
            `preconditioner` returns.
        groups: optimizer parameter groups to take those rates from, in place of `scale`.
        lr: the global learning rate that the edge 2/lr refers to; None is the largest of the
            groups. See `relative_rates`.
        tolerance: relative residual to stop at; 0.01 leaves an error of about 1e-4.
        start: eigenvector of an earlier measurement, shape (dim,).
        warm_products: least number of products after a `start`, 2 or more;
            docs/curvature-price.md has the prices and the errors of fewer.
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
    if method not in get_args(Method) or (step is not None and method == "exact"):
        raise ValueError(
            f"method is {method!r} and step {step}; choose one of {', '.join(get_args(Method))}, "
            "and a step for differences only"
        )
    if method != "exact" and process_group is not None:
        raise ValueError(
            "finite differences take no process_group; shard the model with FSDP2, whose gradients "
            "are means over the processes already"
        )
    rates = diagonal(model, scale, groups, lr)
    if norm is not None:
        if method != "exact" or process_group is not None:
            raise ValueError("norm takes exact products of one process; leave out the other")
        return _in_norm(
            norm,
            HessianOperator(model, loss_fn, batch, scale=_squared(rates), parameters=parameters),
            start=start,
            restarts=restarts,
            tolerance=tolerance,
            max_products=max_products,
            generator=generator,
        )

    def build() -> SampledOperator:
        if method == "exact":
            return HessianOperator(model, loss_fn, batch, scale=rates, parameters=parameters)
        return FiniteDifferenceOperator(
            model, loss_fn, batch, scale=rates, parameters=parameters, step=step
        )

    operator = build() if process_group is None else SummedOperator(model, build, process_group)

    def search(start: Tensor | None) -> Eigenpairs:
        return eigenvalues(
            operator,
            tolerance=tolerance,
            max_products=max_products,
            start=start,
            warm_products=warm_products,
            generator=generator,
        )

    top, error = search(start), 0.0
    if isinstance(operator, FiniteDifferenceOperator):
        top, error = _settled(operator, top, search, tolerance, fixed=step is not None)
    return Sharpness(
        value=top.values[0].item(),
        smallest=top.smallest,
        residual=top.residuals[0].item(),
        products=top.products,
        converged=top.converged,
        eigenvector=top.vectors[0],
        loss=operator.loss,
        difference_error=error,
    )


def _in_norm(
    norm: Norm,
    operator: HessianOperator,
    *,
    start: Tensor | None,
    restarts: int,
    tolerance: float,
    max_products: int | None,
    generator: torch.Generator | None,
) -> Sharpness:
    """Return the sharpness in a norm whose ball has radius 1 in the operator's coordinates."""
    if norm not in get_args(Norm):
        raise ValueError(f"norm is {norm!r}; choose one of {', '.join(get_args(Norm))}, or None")
    if restarts < 1 or not tolerance > 0 or (max_products is not None and max_products < 1):
        raise ValueError("restarts and max_products must be at least 1, and tolerance positive")
    ball = Ball(norm, operator.shapes)
    gradient = operator.scaled_gradient
    found = maximum(
        operator,
        ball,
        [gradient] if start is None else [start, gradient],
        restarts=restarts,
        tolerance=tolerance,
        max_products=max_products,
        generator=default_generator(generator),
    )
    return Sharpness(
        value=found.value,
        smallest=math.nan,
        residual=found.gap,
        products=operator.products,
        converged=found.exact,
        eigenvector=found.direction,
        loss=operator.loss,
        dual_norm=ball.dual(gradient),
    )


def _squared(rates: Scale | None) -> Scale | None:
    """Return D of the operator whose coordinates are the parameters over their `rates`."""
    if rates is None:
        return None
    if any(isinstance(rate, Tensor) for rate in rates.values()):
        raise ValueError("norm takes one rate for each parameter; scale holds a tensor")
    return {name: float(rate) ** 2 for name, rate in rates.items()}


def _settled(
    operator: FiniteDifferenceOperator,
    top: Eigenpairs,
    search: Callable[[Tensor | None], Eigenpairs],
    tolerance: float,
    *,
    fixed: bool,
) -> tuple[Eigenpairs, float]:
    """Return the pair at a step that suits it, judged anew, and how far twice it moves the value.

    The step that suited the gradient may be far too long for an eigenvector on a few small entries.
    """
    for round_ in range(_ROUNDS):
        vector = top.vectors[0]
        with plain_arithmetic(operator):
            once = operator(vector).double()
            change = operator(vector, step=2 * operator.step).double() - once
            moved = float(torch.linalg.vector_norm(change) / torch.linalg.vector_norm(once))
            along = vector.double()
            error = abs(float(along @ change))
            good = moved <= _AGREED and error <= _AGREED / 10 * abs(float(along @ once))
            before = operator.step
            if fixed or good or round_ == _ROUNDS - 1:
                break
            operator.choose_step(vector)
        if operator.step == before:
            break
        top = search(vector)
    _warn(operator, moved)
    value = float(top.values[0])
    residual = float(torch.linalg.vector_norm(once - value * along))
    return replace(
        top,
        residuals=torch.tensor([max(residual, float(top.residuals[0]))]),
        products=operator.products,
        converged=top.converged and residual <= _SLACK * tolerance * abs(value),
    ), error


def _warn(operator: FiniteDifferenceOperator, moved: float) -> None:
    """Warn of kinks, and of products that depend on the step."""
    if operator.kinks:
        warnings.warn(
            f"the loss has kinks ({', '.join(operator.kinks)}): a difference of gradients counts "
            "their jumps, which exact products do not, and may lie far above; its value depends on "
            f"the step (the product moves by {moved:.0%} as it doubles)",
            stacklevel=4,
        )
    elif not moved <= _DISAGREEMENT:
        warnings.warn(
            f"the product moves by {moved:.0%} as the step doubles: rounding or third derivatives "
            "outweigh the curvature; try another step, or float32 weights",
            stacklevel=4,
        )
