"""What a measurement differentiates: the losses of a batch's chunks, however they are given."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from torch import Tensor, nn

from lrtransfer.curvature.batches import Batch, chunks_of, labelled_chunks_of, weight_of
from lrtransfer.curvature.calls import loss_of, shifts_labels
from lrtransfer.curvature.cross_entropy import lean_cross_entropy
from lrtransfer.curvature.forward import FrozenForward
from lrtransfer.curvature.losses import check_means

LossFunction: TypeAlias = Callable[[Any, Any], Tensor]
"""(outputs, targets) -> mean over the samples, a tensor without axes."""

Loss: TypeAlias = LossFunction | Callable[[], Tensor] | None
"""A loss function; a closure where no batch is given; None where the model returns its loss."""


class Objective:
    """The mean loss over a batch, chunk by chunk.

    Args:
        forward: of the model.
        loss: (outputs, targets) -> mean; without `batch` a closure that calls the model itself;
            None for a model whose outputs hold the loss.
        batch: (x, y), a mapping with labels if `loss` is None, or an iterable of such chunks.

    Raises:
        ValueError: `loss` and `batch` do not fit together, or several chunks of a loss that is no
            mean over what counts.

    Attributes:
        samples: what the means run over, all chunks together (see `weight_of`).
        weights: share of each chunk.
    """

    def __init__(self, forward: FrozenForward, loss: Loss, batch: Batch | None) -> None:
        self._forward = forward
        self._loss: Any = loss
        self._own = loss is None
        self._chunks: list[tuple[Any, Any]] | None = None
        counts = [1]
        if batch is None:
            _check_closure(loss)
        else:
            self._chunks = labelled_chunks_of(batch) if loss is None else chunks_of(batch)
            shifted = self._own and shifts_labels(forward.model)
            if loss is not None:
                check_means(loss, self._chunks)
            counts = [weight_of(x, y, shifted=shifted) for x, y in self._chunks]
        self.samples = sum(counts)
        self.weights = [count / sum(counts) for count in counts]

    def losses(self) -> Iterator[tuple[float, Tensor]]:
        """Yield the weight and the loss of each chunk, inside the caller's session, unchecked."""
        if self._chunks is None:
            self._forward.copy_buffers()
            with lean_cross_entropy():
                loss = self._loss()
            yield 1.0, loss
            return
        for (inputs, targets), weight in zip(self._chunks, self.weights, strict=True):
            if self._own:
                with lean_cross_entropy():
                    loss = loss_of(self._forward(inputs))
            else:
                loss = self._loss(self._forward(inputs), targets)
            yield weight, loss


def _check_closure(closure: Any) -> None:
    if closure is None:
        raise ValueError("give a batch, or a closure() that returns the loss")
    try:
        # A module's own signature is (*args, **kwargs).
        inspect.signature(closure.forward if isinstance(closure, nn.Module) else closure).bind()
    except TypeError as error:
        raise ValueError(
            "loss_fn takes arguments and there is no batch for them; pass the batch, or a "
            "closure() that calls the model and returns the loss"
        ) from error
    except ValueError:  # a builtin has no signature
        return
