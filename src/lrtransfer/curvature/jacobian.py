"""Products with the Jacobian of the outputs, in both directions, from one cached graph."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lrtransfer.curvature.graph import check_graph


class Linearization:
    """The outputs f(θ) of one chunk and J = ∂f/∂θ at the current parameters.

    Jᵀu is one backward pass. Jv is the derivative of u -> Jᵀu, which is linear, contracted with
    v: reverse over reverse, because forward-mode derivatives of the normalisation layers'
    backward passes are missing (GroupNorm) or wrong (affine LayerNorm) in torch. With the graph
    kept, either costs about one backward pass.

    Args:
        outputs: tensor with its graph, samples along the first axis.
        parameters: the tensors to differentiate by.

    Raises:
        ValueError: `outputs` is not a tensor with samples along its first axis, or a part of its
            graph has no second derivative.
        RuntimeError: `outputs` carries no graph to `parameters`.
    """

    def __init__(self, outputs: Tensor, parameters: Sequence[nn.Parameter]) -> None:
        if not isinstance(outputs, Tensor) or outputs.ndim == 0:
            raise ValueError(
                "the model must return one tensor with samples along its first axis; "
                f"it returned {type(outputs).__name__}"
            )
        if not outputs.requires_grad:
            raise RuntimeError("the outputs have no graph to the trainable parameters")
        check_graph(outputs)
        self.outputs = outputs
        self._parameters = parameters
        self._cotangent = torch.zeros_like(outputs, requires_grad=True)
        self._pullback = torch.autograd.grad(
            outputs, parameters, self._cotangent, create_graph=True, allow_unused=True
        )
        if all(pulled is None for pulled in self._pullback):
            raise RuntimeError("the outputs do not depend on any trainable parameter")

    def vjp(self, cotangent: Tensor) -> Sequence[Tensor | None]:
        """Return Jᵀ `cotangent` in the shapes of the parameters, None where unused."""
        return torch.autograd.grad(
            self.outputs,
            self._parameters,
            cotangent,
            retain_graph=True,
            allow_unused=True,
        )

    def jvp(self, tangents: Sequence[Tensor]) -> Tensor:
        """Return J `tangents` in the shape of the outputs; `tangents` shaped as parameters."""
        pairs = [
            (pulled, tangent)
            for pulled, tangent in zip(self._pullback, tangents, strict=True)
            if pulled is not None
        ]
        (pushed,) = torch.autograd.grad(
            [pulled for pulled, _ in pairs],
            self._cotangent,
            [tangent for _, tangent in pairs],
            retain_graph=True,
        )
        return pushed
