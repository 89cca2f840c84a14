"""Directional sharpness: the curvature along one direction, by one Hessian product."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lrtransfer.curvature.batches import Batch
from lrtransfer.curvature.directions import Direction, flat_direction
from lrtransfer.curvature.forward import FrozenForward, Scale
from lrtransfer.curvature.hessian import HessianOperator
from lrtransfer.curvature.krylov import plain_arithmetic, unit
from lrtransfer.curvature.linear_operator import NonFiniteCurvatureError
from lrtransfer.curvature.objective import Loss
from lrtransfer.curvature.selection import Patterns


@dataclass(frozen=True)
class DirectionalSharpness:
    """Curvature along a direction u, in the geometry of D.

    Attributes:
        value: uᵀHu / uᵀD⁻¹u, the Rayleigh quotient of D^½HD^½: at most λ_max, at least λ_min.
        step_sharpness: uᵀHu / (−gᵀu), g the gradient: of the quadratic model along u, the loss
            falls for steps below 2/`step_sharpness` and rises beyond (Roulet et al. 2024, eq. 7;
            λ_dir of Kalra et al. 2026). For u = −Dg it equals `value`. Negative for an ascent
            direction, infinite where u is orthogonal to g.
        residual: norm of D^½HD^½w − value·w for the unit vector w along D^{-½}u: some eigenvalue
            lies within it of `value`. It says how far u is from an eigenvector.
        products: Hessian-vector products spent: 1.
    """

    value: float
    step_sharpness: float
    residual: float
    products: int


def directional_sharpness(
    model: nn.Module,
    loss_fn: Loss = None,
    batch: Batch | None = None,
    direction: Direction | None = None,
    *,
    parameters: Patterns | None = None,
    scale: Scale | None = None,
) -> DirectionalSharpness:
    """Measure the curvature along `direction`, by default the gradient step u = −D∇L.

    Costs about 4 gradient evaluations: one that keeps its graph, and one product. It bounds λ_max
    from below; how closely depends on the direction's overlap with the top eigenvector, which at
    initialisation is small and at the edge of stability large.

    Args:
        model: any module; measured in the mode it is in.
        loss_fn: (outputs, targets) -> mean over samples; a closure without `batch`; None for a
            model that returns its loss.
        batch: (x, y), a mapping with labels, or an iterable of such, weighted as by `sharpness`.
        direction: u, for instance an optimizer's last update; its length does not matter to
            `value`.
        parameters: patterns of the names of those that `direction` moves; None is all.
        scale: diagonal of D by parameter name; None is the identity.

    Raises:
        ValueError: an argument does not fit, `direction` moves a parameter whose D is 0, or the
            gradient is zero and no direction is given.
        NonFiniteCurvatureError: the loss or the product is NaN or infinite.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> x, y = torch.eye(2).double(), torch.zeros(2, 1).double()
        >>> model, loss_fn = nn.Linear(2, 1, bias=False).double(), nn.MSELoss()
        >>> round(directional_sharpness(model, loss_fn, (x, y)).step_sharpness, 6)
        1.0
    """
    operator = HessianOperator(model, loss_fn, batch, scale=scale, parameters=parameters)
    forward = FrozenForward(model, scale, parameters=parameters)
    roots = _flat_roots(forward)
    with plain_arithmetic(operator):
        if direction is None:
            scaled = -operator.scaled_gradient
            if not bool((scaled != 0).any()):
                raise ValueError("the gradient is zero; give a direction")
        else:
            flat = flat_direction(forward, direction)
            if bool(((roots == 0) & (flat != 0)).any()):
                raise ValueError("direction moves a parameter whose scale is 0")
            scaled = torch.where(roots > 0, flat / roots, 0.0)
        along = unit(scaled)
        product = operator(along)
        value = float(along.double() @ product.double())
        residual = float(torch.linalg.vector_norm((product - value * along).double()))
        descent = -float(along.double() @ operator.scaled_gradient.double())
        length = float(torch.linalg.vector_norm(scaled.double()))
    if not torch.isfinite(product).all():
        raise NonFiniteCurvatureError("the product with the direction holds NaN or infinity")
    step = value * length / descent if descent else float("inf")
    return DirectionalSharpness(value, step, residual, products=1)


def _flat_roots(forward: FrozenForward) -> Tensor:
    """Return D^½ as one vector, shape (dim,)."""
    return torch.cat(
        [
            root.reshape(-1) if isinstance(root, Tensor) else torch.full_like(p, root).reshape(-1)
            for root, p in zip(forward.roots, forward.parameters, strict=True)
        ]
    ).detach()
