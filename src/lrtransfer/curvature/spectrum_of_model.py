"""Extreme eigenvalues of a model's curvature in one call."""

import torch
import torch.distributed as dist
from torch import Tensor, nn

from lrtransfer.curvature import lanczos
from lrtransfer.curvature.batches import Batch
from lrtransfer.curvature.forward import Scale
from lrtransfer.curvature.objective import Loss
from lrtransfer.curvature.operators import OperatorName, curvature_operator
from lrtransfer.curvature.rates import ParameterGroups
from lrtransfer.curvature.selection import Patterns


def eigenvalues(
    model: nn.Module,
    loss_fn: Loss = None,
    batch: Batch | None = None,
    k: int = 1,
    *,
    parameters: Patterns | None = None,
    operator: OperatorName = "hessian",
    which: lanczos.Which = "largest",
    scale: Scale | None = None,
    groups: ParameterGroups | None = None,
    lr: float | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    tolerance: float = 0.01,
    max_products: int | None = None,
    start: Tensor | None = None,
    warm_products: int = 6,
    generator: torch.Generator | None = None,
    process_group: dist.ProcessGroup | None = None,
) -> lanczos.Eigenpairs:
    """Return `k` extreme eigenpairs of a model's curvature on `batch`.

    The operator is that of `curvature_operator`, the search that of `curvature.eigenvalues`,
    which takes any operator. Model, gradients, buffers and random state are left as they were.

    Args:
        model: any module; measured in the mode it is in.
        loss_fn: (outputs, targets) -> mean over samples.
        batch: (x, y) or an iterable of such chunks, weighted as by `sharpness`, which has the other
            forms of loss and batch that a Hessian takes.
        k: number of pairs.
        parameters: patterns of the names of the coordinates, such as "*.mlp.*"; None is all.
        operator: "hessian", "ggn", "residual", "fisher", "ntk" or "preconditioned".
        which: "largest" and "smallest" are algebraic; or "magnitude".
        scale: diagonal of D by parameter name; None is the identity.
        groups: parameter groups with their learning rates, in place of `scale`.
        lr: the global learning rate; see `relative_rates`.
        optimizer: for "preconditioned".
        tolerance: relative residual; 0.01 leaves errors of about 1e-4.
        max_products: budget; None is max(300, 10 k).
        start: a vector near the wanted eigenvectors, such as one of an earlier measurement.
        warm_products: least number of products after a `start`, 2 or more.
        generator: source of random vectors; None is one with seed 0.
        process_group: processes to take the mean over; None is this process alone.

    Raises:
        ValueError: an argument does not fit; see `curvature_operator` and `curvature.eigenvalues`.
        RuntimeError: the loss carries no graph to the parameters.
        NonFiniteCurvatureError: the loss or a product is NaN or infinite.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> x, y = torch.eye(2).double(), torch.zeros(2, 1).double()
        >>> model, loss_fn = nn.Linear(2, 1, bias=False).double(), nn.MSELoss()
        >>> eigenvalues(model, loss_fn, (x, y), k=2, operator="ggn").values.round(
        ...     decimals=6
        ... ).tolist()
        [1.0, 1.0]
    """
    built = curvature_operator(
        operator,
        model,
        loss_fn,
        batch,
        parameters=parameters,
        scale=scale,
        groups=groups,
        lr=lr,
        optimizer=optimizer,
        process_group=process_group,
    )
    return lanczos.eigenvalues(
        built,
        k,
        which=which,
        tolerance=tolerance,
        max_products=max_products,
        start=start,
        warm_products=warm_products,
        generator=generator,
    )
