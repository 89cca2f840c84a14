"""The Hessian of the training loss as an operator."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from lrtransfer.curvature.batches import Batch
from lrtransfer.curvature.forward import FrozenForward, Scale
from lrtransfer.curvature.graph import check_graph, named_obstacle
from lrtransfer.curvature.linear_operator import NonFiniteCurvatureError, check_vector
from lrtransfer.curvature.objective import Loss, LossFunction, Objective
from lrtransfer.curvature.selection import Patterns

__all__ = ["HessianOperator", "LossFunction", "checked_loss", "checked_number", "gradients"]


def checked_number(loss: Tensor) -> Tensor:
    """Return `loss` if it is one.

    Raises:
        ValueError: `loss` is not a tensor of a single real number.
    """
    if not isinstance(loss, Tensor):
        raise ValueError(
            f"loss_fn returned {type(loss).__name__}; return the mean over samples as a tensor"
        )
    if loss.is_complex():
        raise ValueError("loss_fn returned a complex number; return a real mean over samples")
    if loss.ndim != 0:
        raise ValueError(
            f"loss_fn returned shape {tuple(loss.shape)}; return the mean over samples"
        )
    return loss


def checked_loss(loss: Tensor) -> Tensor:
    """Return `loss` if it can be differentiated twice in principle.

    Raises:
        ValueError: `loss` is not a tensor of a single real number.
        RuntimeError: `loss` carries no graph.
        NonFiniteCurvatureError: `loss` is NaN or infinite.
    """
    checked_number(loss)
    if not torch.isfinite(loss):
        raise NonFiniteCurvatureError(f"the loss is {loss.item()}; it has no curvature")
    if not loss.requires_grad:
        raise RuntimeError(
            "the loss has no graph to the trainable parameters; do not detach it in loss_fn"
        )
    return loss


def gradients(loss: Tensor, parameters: Sequence[nn.Parameter]) -> Sequence[Tensor | None]:
    """Return ∂loss/∂parameters with their graph, None for those that the loss does not reach.

    Raises:
        ValueError: a gradient is sparse, or loss_fn has used the graph up.
        RuntimeError: the loss reaches no parameter.
    """
    try:
        found = torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True)
    except RuntimeError as error:
        if "second time" in str(error):
            raise ValueError(
                "the graph of the loss was already used; do not call backward() in loss_fn"
            ) from error
        raise
    if all(gradient is None for gradient in found):
        raise RuntimeError("the loss does not depend on any trainable parameter")
    if any(gradient is not None and gradient.is_sparse for gradient in found):
        raise ValueError("an embedding has sparse gradients; build it with sparse=False")
    return found


class HessianOperator:
    """v -> D^½ H D^½ v, with H = ∇² L and L the mean loss over the samples of `batch`.

    With D the per-tensor learning rates over the global one, gradient descent at rate η is
    stable on the quadratic model iff λ_max(D^½HD^½) < 2/η: the edge is the same for every
    abc-equivalent parameterization (Noci et al. 2024, §3, with γ²H the case of one rate).

    One batch: the gradient's graph is built once and each product is one backward pass through
    it (Pearlmutter 1994, reverse over reverse). Several chunks: the graph of one chunk at a time
    is rebuilt in every product, so memory does not grow with their number. The derivative of a
    ReLU's kink counts as zero, as autograd has it.

    Args:
        model: any module; its trainable parameters are the coordinates.
        loss_fn: (outputs, targets) -> mean over samples; without `batch` a closure that calls the
            model and returns the loss; None for a model that returns its loss.
        batch: (x, y), a mapping with labels if `loss_fn` is None, or an iterable of such chunks,
            weighted by what their means run over: labels, tokens or samples.
        scale: diagonal of D by parameter name; None is the identity.
        parameters: patterns of the names of the parameters that are the coordinates, such as
            "*.mlp.*"; None is all.

    Raises:
        ValueError: `model`, `batch`, `scale`, `parameters` or the loss is not as described; a part
            of the graph has no second derivative; several chunks of a loss that is no mean.
        RuntimeError: the loss carries no graph to the trainable parameters.
        NonFiniteCurvatureError: the loss is NaN or infinite.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> x, y = torch.eye(2).double(), torch.zeros(2, 1).double()
        >>> model, loss_fn = nn.Linear(2, 1, bias=False).double(), nn.MSELoss()
        >>> HessianOperator(model, loss_fn, (x, y))(torch.ones(2).double()).tolist()
        [1.0, 1.0]
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: Loss = None,
        batch: Batch | None = None,
        *,
        scale: Scale | None = None,
        parameters: Patterns | None = None,
    ) -> None:
        self._forward = FrozenForward(model, scale, parameters=parameters)
        self._objective = Objective(self._forward, loss_fn, batch)
        self.samples = self._objective.samples
        self._graph: Sequence[Tensor | None] | None = None
        self._checked = False
        self.products = 0
        self.loss, self.gradient = self._forward.run(self._loss_and_gradient)

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

    @property
    def scaled_gradient(self) -> Tensor:
        """D^½∇L, shape (dim,): the gradient in the coordinates that the operator acts on."""
        return self._forward.scaled(self.gradient)

    @property
    def shapes(self) -> dict[str, torch.Size]:
        """Name -> shape of the parameters, in the order of the coordinates."""
        forward = self._forward
        return {n: p.shape for n, p in zip(forward.names, forward.parameters, strict=True)}

    def _gradient_graphs(self) -> Iterator[tuple[float, float, Sequence[Tensor | None]]]:
        """Yield of each chunk weight, loss, and gradient with the graph to differentiate again."""
        for weight, chunk_loss in self._objective.losses():
            loss = checked_loss(chunk_loss)
            if not self._checked:
                check_graph(loss)
            yield weight, loss.item(), gradients(loss, self._forward.parameters)

    def _loss_and_gradient(self) -> tuple[float, Tensor]:
        """Return L and ∇L, shape (dim,), without D; keep the graph of a single chunk."""
        loss = 0.0
        total = torch.zeros(self.dim, dtype=self.dtype, device=self.device)
        for weight, chunk_loss, gradient in self._gradient_graphs():
            loss += weight * chunk_loss
            total.add_(self._forward.join(gradient, scaled=False), alpha=weight)
            if len(self._objective.weights) == 1:
                self._graph = gradient
        self._checked = True
        return loss, total

    def __call__(self, vector: Tensor) -> Tensor:
        """Return D^½ H D^½ `vector`, shape (dim,).

        Raises:
            ValueError: `vector` has the wrong shape, dtype or device.
            RuntimeError: the parameters changed since the operator was built.
        """
        check_vector(self, vector)
        return self._forward.run(lambda: self._product(vector))

    def _product(self, vector: Tensor) -> Tensor:
        self.products += 1
        direction = self._forward.split(vector)
        if self._graph is not None:
            return self._backward(self._graph, direction, keep_graph=True)
        total = torch.zeros_like(vector)
        for weight, _, gradient in self._gradient_graphs():
            total.add_(self._backward(gradient, direction, keep_graph=False), alpha=weight)
        return total

    def _backward(
        self, gradient: Sequence[Tensor | None], direction: Sequence[Tensor], *, keep_graph: bool
    ) -> Tensor:
        """Return D^½ ∂(gradient · direction)/∂θ for a `direction` already scaled by D^½."""
        # Where the loss is linear in a parameter its gradient is a constant without a graph.
        pairs = [
            (g, d)
            for g, d in zip(gradient, direction, strict=True)
            if g is not None and g.requires_grad
        ]
        if not pairs:
            return self._forward.join([None] * len(direction))
        with named_obstacle():
            product = torch.autograd.grad(
                [g for g, _ in pairs],
                self._forward.parameters,
                [d for _, d in pairs],
                retain_graph=keep_graph,
                allow_unused=True,
            )
        return self._forward.join(product)
