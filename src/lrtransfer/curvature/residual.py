"""The residual part of the Hessian: what second derivatives of the outputs add to Gauss-Newton."""

import torch
from torch import Tensor, nn

from lrtransfer.curvature.batches import Batch
from lrtransfer.curvature.forward import Scale
from lrtransfer.curvature.hessian import HessianOperator, LossFunction, checked_loss
from lrtransfer.curvature.selection import Patterns


class ResidualOperator(HessianOperator):
    """v -> D^½ R D^½ v, with R = H − G = Σᵢ (∂L/∂fᵢ) ∇²fᵢ (Noci et al. 2024, §5).

    R is the Hessian of the loss made linear in the outputs at the current ones, and is taken as
    such: one product costs what one with H does, and nothing cancels where R is small beside G.
    `loss` and `gradient` are those of the loss itself.

    Args:
        model: any module that returns one tensor.
        loss_fn: (outputs, targets) -> mean over samples.
        batch: (x, y) or an iterable of such chunks, weighted by their samples.
        scale: diagonal of D by parameter name; None is the identity.
        parameters: patterns of the names of the coordinates, such as "*.mlp.*"; None is all.

    Raises:
        ValueError: the model does not return one tensor, and as `HessianOperator`.
        RuntimeError: the loss carries no graph.
        NonFiniteCurvatureError: the loss is NaN or infinite.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> x, y = torch.eye(2).double(), torch.zeros(2, 1).double()
        >>> model, loss_fn = nn.Linear(2, 1, bias=False).double(), nn.MSELoss()
        >>> ResidualOperator(model, loss_fn, (x, y))(torch.ones(2).double()).tolist()  # linear in θ
        [0.0, 0.0]
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: LossFunction,
        batch: Batch,
        *,
        scale: Scale | None = None,
        parameters: Patterns | None = None,
    ) -> None:
        super().__init__(
            model, _linear_in_outputs(loss_fn), batch, scale=scale, parameters=parameters
        )


def _linear_in_outputs(loss_fn: LossFunction) -> LossFunction:
    """Return the loss's tangent plane over the outputs: equal value and gradient at this point."""

    def tangent_plane(outputs: object, targets: object) -> Tensor:
        if not isinstance(outputs, Tensor):
            raise ValueError(
                f"the model must return one tensor; it returned {type(outputs).__name__}"
            )
        here = outputs.detach().requires_grad_()
        loss = checked_loss(loss_fn(here, targets))
        (slope,) = torch.autograd.grad(loss, here)
        return loss.detach() + ((outputs - here.detach()) * slope).sum()

    return tangent_plane
