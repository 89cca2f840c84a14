"""One entrance to every operator: a name, a model, a loss and a batch."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, get_args

import torch
import torch.distributed as dist
from torch import nn

from lrtransfer.curvature.batches import Batch, chunks_of
from lrtransfer.curvature.distributed import SampledOperator, SummedOperator
from lrtransfer.curvature.fisher import FisherOperator
from lrtransfer.curvature.forward import Scale
from lrtransfer.curvature.gauss_newton import GaussNewtonOperator
from lrtransfer.curvature.hessian import HessianOperator
from lrtransfer.curvature.krylov import default_generator, random_vector
from lrtransfer.curvature.linear_operator import LinearOperator
from lrtransfer.curvature.ntk import NTKOperator
from lrtransfer.curvature.objective import Loss, LossFunction
from lrtransfer.curvature.preconditioner import preconditioner
from lrtransfer.curvature.rates import ParameterGroups, diagonal
from lrtransfer.curvature.residual import ResidualOperator
from lrtransfer.curvature.selection import Patterns

OperatorName: TypeAlias = Literal["hessian", "ggn", "residual", "fisher", "ntk", "preconditioned"]
"""H, G, R = H − G, the Fisher matrix, the NTK, and P^-½ H P^-½ of an optimizer's state."""


def curvature_operator(
    name: OperatorName,
    model: nn.Module,
    loss_fn: Loss = None,
    batch: Batch | None = None,
    *,
    parameters: Patterns | None = None,
    scale: Scale | None = None,
    groups: ParameterGroups | None = None,
    lr: float | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    process_group: dist.ProcessGroup | None = None,
) -> LinearOperator:
    """Return the operator `name` of `model` on `batch`.

    Args:
        name: "hessian", "ggn" (Gauss-Newton), "residual" (their difference), "fisher" (of the
            softmax classifier; the loss must be its cross-entropy), "ntk" (which takes no notice
            of the loss and the targets), or "preconditioned" (the Hessian under `optimizer`).
        model: any module.
        loss_fn: (outputs, targets) -> mean over samples. The Hessian may be that of a closure (no
            `batch`) or of a model that returns its loss (None); the others need the outputs.
        batch: (x, y) or an iterable of such chunks, weighted as by `sharpness`.
        parameters: patterns of the names of the coordinates, such as "*.mlp.*"; None is all.
        scale: diagonal of D by parameter name; None is the identity.
        groups: parameter groups to take D from, in place of `scale`; see `relative_rates`.
        lr: the global learning rate that D of `groups` or of `optimizer` is relative to.
        optimizer: for "preconditioned": Adam, AdamW or RMSprop; see `preconditioner`.
        process_group: processes of torch.distributed to take the mean over, each with its own
            samples; None is this process alone.

    Raises:
        ValueError: an argument does not fit the others; "fisher" is asked of another loss, or
            "ntk" over processes; and as the operators.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> x, y = torch.eye(2).double(), torch.zeros(2, 1).double()
        >>> model, loss_fn = nn.Linear(2, 1, bias=False).double(), nn.MSELoss()
        >>> curvature_operator("ntk", model, loss_fn, (x, y))(y.flatten() + 1).tolist()
        [0.5, 0.5]
    """
    if name not in get_args(OperatorName):
        raise ValueError(f"operator is {name!r}; choose one of {', '.join(get_args(OperatorName))}")
    if name == "preconditioned":
        if optimizer is None or scale is not None or groups is not None:
            raise ValueError(
                "operator='preconditioned' takes its diagonal from optimizer=, and neither scale "
                "nor groups"
            )
        scale = preconditioner(model, optimizer, lr=lr)
    elif optimizer is not None:
        raise ValueError(
            "optimizer is for operator='preconditioned'; pass scale=preconditioner(model, "
            "optimizer) to precondition another operator"
        )
    else:
        scale = diagonal(model, scale, groups, lr)
    if name not in ("hessian", "preconditioned") and (loss_fn is None or batch is None):
        raise ValueError(
            f"operator={name!r} needs the outputs: pass loss_fn(outputs, targets) and a batch of "
            "(inputs, targets), and a model that returns one tensor"
        )
    if name == "ntk":
        assert batch is not None  # noqa: S101 - checked above
        if process_group is not None:
            raise ValueError(
                "the NTK acts on the outputs of one process; over processes use 'ggn' with the "
                "loss ½‖f−y‖², which has its non-zero spectrum"
            )
        return NTKOperator(
            model, [inputs for inputs, _ in chunks_of(batch)], scale=scale, parameters=parameters
        )
    build = _builder(name, model, loss_fn, batch, scale=scale, parameters=parameters)
    return build() if process_group is None else SummedOperator(model, build, process_group)


def _builder(
    name: OperatorName,
    model: nn.Module,
    loss_fn: Any,
    batch: Any,
    *,
    scale: Scale | None,
    parameters: Patterns | None,
) -> Callable[[], SampledOperator]:
    if name == "fisher":
        return lambda: _fisher(model, loss_fn, batch, scale, parameters)
    kinds: dict[str, Any] = {
        "hessian": HessianOperator,
        "preconditioned": HessianOperator,
        "ggn": GaussNewtonOperator,
        "residual": ResidualOperator,
    }
    return lambda: kinds[name](model, loss_fn, batch, scale=scale, parameters=parameters)


def _fisher(
    model: nn.Module,
    loss_fn: LossFunction,
    batch: Batch,
    scale: Scale | None,
    parameters: Patterns | None,
) -> SampledOperator:
    """Return the Fisher operator after one product that compares it with the loss's G."""
    chunks = chunks_of(batch)
    fisher = FisherOperator(
        model, [inputs for inputs, _ in chunks], scale=scale, parameters=parameters
    )
    probe = random_vector(fisher, default_generator(None))
    expected = GaussNewtonOperator(model, loss_fn, chunks, scale=scale, parameters=parameters)(
        probe
    )
    difference = torch.linalg.vector_norm(fisher(probe) - expected)
    fisher.products = 0
    if difference > 1e-3 * torch.linalg.vector_norm(expected):
        raise ValueError(
            "loss_fn is not the cross-entropy of the model's softmax, so that Fisher matrix is "
            "not this loss's; use operator='ggn', or FisherOperator itself"
        )
    return fisher
