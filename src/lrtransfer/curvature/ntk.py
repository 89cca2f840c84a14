"""The neural tangent kernel of a batch as an operator on the outputs."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from lrtransfer.curvature.batches import Inputs, input_chunks_of, sample_count
from lrtransfer.curvature.forward import FrozenForward, Scale
from lrtransfer.curvature.jacobian import Linearization
from lrtransfer.curvature.linear_operator import check_vector, dense
from lrtransfer.curvature.selection import Patterns


class NTKOperator:
    """u -> (1/n) J D Jᵀ u on vectors over n samples × C outputs, J = ∂f/∂θ.

    For the loss ½‖f−y‖², summed over outputs and averaged over samples, its non-zero spectrum is
    that of the Gauss-Newton matrix D^½JᵀJD^½/n (Noci et al. 2024, §5). A product is one Jᵀu and
    one Jv. One batch keeps its graph; several chunks rebuild theirs in every product, twice.

    Args:
        model: any module that returns one tensor, samples along the first axis.
        batch_inputs: x, or a list of chunks; a vector lists their outputs one after the other,
            each chunk's flattened.
        scale: diagonal of D by parameter name; None is the identity.
        parameters: patterns of the names of the coordinates, such as "*.mlp.*"; None is all.

    Raises:
        ValueError: `batch_inputs`, `scale` or the outputs are not as described.
        RuntimeError: the outputs carry no graph.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> x, y = torch.eye(2).double(), torch.zeros(2, 1).double()
        >>> model, loss_fn = nn.Linear(2, 1, bias=False).double(), nn.MSELoss()
        >>> NTKOperator(model, x)(torch.ones(2).double()).tolist()
        [0.5, 0.5]
    """

    def __init__(
        self,
        model: nn.Module,
        batch_inputs: Inputs | Iterable[Inputs],
        *,
        scale: Scale | None = None,
        parameters: Patterns | None = None,
    ) -> None:
        self._forward = FrozenForward(model, scale, parameters=parameters)
        self._chunks = input_chunks_of(batch_inputs)
        self._samples = sum(sample_count(inputs) for inputs in self._chunks)
        self._kept: Linearization | None = None
        self._sizes: list[int] = []
        self.products = 0
        self._forward.run(self._linearize)

    @property
    def dim(self) -> int:
        """Number of outputs in the batch, n·C."""
        return sum(self._sizes)

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the parameters."""
        return self._forward.dtype

    @property
    def device(self) -> torch.device:
        """Device of the parameters."""
        return self._forward.device

    def _linearize(self) -> None:
        """Find the sizes of the outputs; keep the graph of a single chunk."""
        for jacobian in self._jacobians():
            self._sizes.append(jacobian.outputs.numel())
            self._kept = jacobian if len(self._chunks) == 1 else None

    def _jacobians(self) -> Iterator[Linearization]:
        """Yield the Jacobian of each chunk, inside the caller's run."""
        if self._kept is not None:
            yield self._kept
            return
        for inputs in self._chunks:
            yield Linearization(self._forward(inputs), self._forward.parameters)

    def __call__(self, vector: Tensor) -> Tensor:
        """Return (1/n) J D Jᵀ `vector`, shape (n·C,).

        Raises:
            ValueError: `vector` has the wrong shape, dtype or device.
            RuntimeError: the parameters changed since the operator was built.
        """
        check_vector(self, vector)
        # Two runs, which draw the same masks.
        pulled = self._forward.run(lambda: self._pull(vector))
        return self._forward.run(lambda: self._push(pulled))

    def _pull(self, vector: Tensor) -> Tensor:
        """Return D^½ Jᵀ `vector`."""
        self.products += 1
        pulled = torch.zeros(self._forward.dim, dtype=self.dtype, device=self.device)
        pieces = torch.split(vector, self._sizes)
        for jacobian, piece in zip(self._jacobians(), pieces, strict=True):
            pulled += self._forward.join(jacobian.vjp(piece.view_as(jacobian.outputs)))
        return pulled

    def _push(self, pulled: Tensor) -> Tensor:
        """Return (1/n) J D^½ `pulled`."""
        tangents = self._forward.split(pulled / self._samples)
        return torch.cat([jacobian.jvp(tangents).flatten() for jacobian in self._jacobians()])


def ntk_gram(
    model: nn.Module,
    batch_inputs: Inputs | Iterable[Inputs],
    *,
    scale: Scale | None = None,
) -> Tensor:
    """Return the matrix of `NTKOperator`, shape (n·C, n·C), symmetric to the last bit.

    For small problems: it costs n·C products. Arguments and errors are those of `NTKOperator`.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> x, y = torch.eye(2).double(), torch.zeros(2, 1).double()
        >>> model, loss_fn = nn.Linear(2, 1, bias=False).double(), nn.MSELoss()
        >>> ntk_gram(model, x).tolist()
        [[0.5, 0.0], [0.0, 0.5]]
    """
    matrix = dense(NTKOperator(model, batch_inputs, scale=scale))
    return (matrix + matrix.T) / 2
