"""The Fisher information of a classifier under its own predictions."""

from collections.abc import Iterable

from torch import Tensor, nn

from lrtransfer.curvature.batches import Inputs, input_chunks_of
from lrtransfer.curvature.forward import Scale
from lrtransfer.curvature.gauss_newton import GaussNewtonOperator
from lrtransfer.curvature.hessian import LossFunction
from lrtransfer.curvature.selection import Patterns


class FisherOperator(GaussNewtonOperator):
    """v -> D^½ F D^½ v, with F = E_x E_{c∼p(·|x)} [∇log p(c|x) ∇log p(c|x)ᵀ], p = softmax(f).

    The classes c are drawn from the model's own distribution, not taken from the data (that would
    be the empirical Fisher matrix), and the expectation over them is exact: F = mean of
    Jᵀ (diag p − ppᵀ) J over the predictions, the Hessian of KL(p ‖ p_θ) at the current θ (Amari
    1998; Martens 2020, §9). No target enters. F equals the Gauss-Newton matrix of the
    cross-entropy; for the squared loss that of a unit Gaussian is the Gauss-Newton matrix too.

    Args:
        model: any module that returns logits in one tensor.
        batch_inputs: x, or a list of chunks, weighted by their samples.
        class_axis: axis of the logits that lists the classes; may be left out for (n, C). The
            mean runs over all others, tokens included.
        scale: diagonal of D by parameter name; None is the identity.
        parameters: patterns of the names of the coordinates, such as "*.mlp.*"; None is all.

    Raises:
        ValueError: `batch_inputs`, `scale` or the outputs are not as described, or `class_axis`
            is missing or does not exist.
        RuntimeError: the outputs carry no graph.
        NonFiniteCurvatureError: the outputs are NaN or infinite.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> model = nn.Linear(1, 2, bias=False).double()
        >>> _ = nn.init.zeros_(model.weight)
        >>> FisherOperator(model, torch.ones(1, 1).double())(
        ...     torch.tensor([1.0, 0.0]).double()
        ... ).tolist()
        [0.25, -0.25]
    """

    def __init__(
        self,
        model: nn.Module,
        batch_inputs: Inputs | Iterable[Inputs],
        *,
        class_axis: int | None = None,
        scale: Scale | None = None,
        parameters: Patterns | None = None,
    ) -> None:
        chunks = [(inputs, None) for inputs in input_chunks_of(batch_inputs)]
        super().__init__(
            model, _own_divergence(class_axis), chunks, scale=scale, parameters=parameters
        )


def _own_divergence(class_axis: int | None) -> LossFunction:
    """Return KL(p ‖ softmax(f)), p the current softmax(f): zero, with zero gradient, here."""

    def divergence(outputs: Tensor, _: None) -> Tensor:
        axis = class_axis
        if axis is None:
            if outputs.ndim != 2:
                raise ValueError(
                    f"the outputs have shape {tuple(outputs.shape)}; pass class_axis, the axis "
                    "that lists the classes"
                )
            axis = 1
        if not -outputs.ndim <= axis < outputs.ndim:
            raise ValueError(f"class_axis is {axis}; the outputs have shape {tuple(outputs.shape)}")
        log_p = outputs.log_softmax(axis)
        here = log_p.detach()
        return (here.exp() * (here - log_p)).sum(axis).mean()

    return divergence
