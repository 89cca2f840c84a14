"""The generalized Gauss-Newton matrix as an operator."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lrtransfer.curvature.batches import Batch, Inputs, chunks_of, sample_count, weight_of
from lrtransfer.curvature.forward import FrozenForward, Scale
from lrtransfer.curvature.graph import check_graph
from lrtransfer.curvature.hessian import LossFunction, checked_loss
from lrtransfer.curvature.jacobian import Linearization
from lrtransfer.curvature.linear_operator import check_vector
from lrtransfer.curvature.losses import check_means
from lrtransfer.curvature.selection import Patterns


@dataclass(frozen=True)
class _ChunkGraph:
    """Jacobian of one chunk, and the loss with its gradient by the outputs, both with graphs."""

    jacobian: Linearization
    outputs: Tensor
    loss: Tensor
    loss_gradient: Tensor

    def loss_hessian_product(self, tangent: Tensor) -> Tensor:
        """Return (∂²L/∂f²) `tangent`, in the shape of the outputs."""
        if not self.loss_gradient.requires_grad:
            return torch.zeros_like(tangent)  # a loss linear in the outputs
        (product,) = torch.autograd.grad(
            self.loss_gradient, self.outputs, tangent, retain_graph=True
        )
        return product


class GaussNewtonOperator:
    """v -> D^½ Jᵀ H_L J D^½ v, with J = ∂f/∂θ and H_L = ∂²L/∂f², L the mean over samples.

    H = G + R with G this matrix and R the part with second derivatives of f (Noci et al. 2024,
    §5). For the squared loss ½‖f−y‖² H_L = I/n; for cross-entropy it is (diag p − ppᵀ)/n
    (Schraudolph 2002). H_L is taken by autograd, so any twice differentiable loss will do.

    Args:
        model: any module that returns one tensor; its trainable parameters are the coordinates.
        loss_fn: (outputs, targets) -> mean over samples.
        batch: (x, y), whose graph is built once, or an iterable of such chunks, weighted by
            their samples and rebuilt in every product.
        scale: diagonal of D by parameter name; None is the identity.
        parameters: patterns of the names of the coordinates, such as "*.mlp.*"; None is all.

    Raises:
        ValueError: `model`, `batch`, `scale`, the outputs or the loss are not as described; a
            part of the graph has no second derivative.
        RuntimeError: the outputs carry no graph to the trainable parameters.
        NonFiniteCurvatureError: the loss is NaN or infinite.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> x, y = torch.eye(2).double(), torch.zeros(2, 1).double()
        >>> model, loss_fn = nn.Linear(2, 1, bias=False).double(), nn.MSELoss()
        >>> GaussNewtonOperator(model, loss_fn, (x, y))(torch.ones(2).double()).tolist()
        [1.0, 1.0]
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
        self._forward = FrozenForward(model, scale, parameters=parameters)
        self._loss_fn = loss_fn
        self._chunks = chunks_of(batch)
        check_means(loss_fn, self._chunks)
        self._counts = [sample_count(x) if y is None else weight_of(x, y) for x, y in self._chunks]
        self.samples = sum(self._counts)
        self._kept: _ChunkGraph | None = None
        self.products = 0
        self.loss = 0.0
        self._forward.run(self._linearize)

    @property
    def dim(self) -> int:
        """Number of trainable scalars."""
        return self._forward.dim

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the parameters."""
        return self._forward.dtype

    @property
    def device(self) -> torch.device:
        """Device of the parameters."""
        return self._forward.device

    def _linearize(self) -> None:
        """Find the loss; keep the graph of a single chunk."""
        for weight, graph in self._graphs():
            self.loss += weight * graph.loss.item()
            self._kept = graph if len(self._chunks) == 1 else None

    def _graphs(self) -> Iterator[tuple[float, _ChunkGraph]]:
        """Yield the weight and the graph of each chunk, inside the caller's run."""
        if self._kept is not None:
            yield 1.0, self._kept
            return
        for (inputs, targets), count in zip(self._chunks, self._counts, strict=True):
            yield count / sum(self._counts), self._chunk_graph(inputs, targets)

    def _chunk_graph(self, inputs: Inputs, targets: Any) -> _ChunkGraph:
        jacobian = Linearization(self._forward(inputs), self._forward.parameters)
        outputs = jacobian.outputs.detach().requires_grad_()
        loss = checked_loss(self._loss_fn(outputs, targets))
        check_graph(loss)
        (loss_gradient,) = torch.autograd.grad(loss, outputs, create_graph=True)
        return _ChunkGraph(jacobian, outputs, loss.detach(), loss_gradient)

    def __call__(self, vector: Tensor) -> Tensor:
        """Return D^½ G D^½ `vector`, shape (dim,).

        Raises:
            ValueError: `vector` has the wrong shape, dtype or device.
            RuntimeError: the parameters changed since the operator was built.
        """
        check_vector(self, vector)
        return self._forward.run(lambda: self._product(vector))

    def _product(self, vector: Tensor) -> Tensor:
        self.products += 1
        total = torch.zeros_like(vector)
        tangents = self._forward.split(vector)
        for weight, graph in self._graphs():
            curved = graph.loss_hessian_product(graph.jacobian.jvp(tangents))
            total.add_(self._forward.join(graph.jacobian.vjp(curved)), alpha=weight)
        return total
