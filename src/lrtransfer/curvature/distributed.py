"""Curvature of a data set that is spread over the processes of torch.distributed."""

from collections.abc import Callable
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn

from lrtransfer.curvature.linear_operator import LinearOperator, NonFiniteCurvatureError

_NON_FINITE, _OTHER = 1.0, 2.0


class SampledOperator(LinearOperator, Protocol):
    """An operator on the parameters that is a mean over samples."""

    samples: int
    """Samples of this process."""

    loss: float
    """Mean loss over them."""


class SummedOperator:
    """The mean over all samples of all processes: v -> Σ_r (n_r/n) A_r v, by one all-reduce.

    Every process calls the same functions in the same order, with equal parameters and equally
    seeded generators, and gets the same answer. An error that one process meets while its
    operator is built is raised in all.

    Args:
        model: the module, which must be the same in every process.
        build: makes this process's operator from its own samples.
        process_group: the processes, for instance `torch.distributed.group.WORLD`.

    Raises:
        RuntimeError: the operator could not be built in another process; it is a
            NonFiniteCurvatureError if that one met NaN or infinity.
        ValueError: the processes' parameters differ.
    """

    def __init__(
        self,
        model: nn.Module,
        build: Callable[[], SampledOperator],
        process_group: dist.ProcessGroup,
    ) -> None:
        self._group = process_group
        failure: Exception | None = None
        operator: SampledOperator | None = None
        try:
            operator = build()
        except Exception as error:
            failure = error
        try:
            self._agree_on_success(failure)
        finally:
            # A traceback holds this frame, and with it the group: in a cycle it would outlive
            # destroy_process_group, and gloo's threads the interpreter, which aborts.
            del failure
        assert operator is not None  # noqa: S101 - all processes succeeded
        self._operator = operator
        digest = sum(p.detach().double().square().sum().item() for p in model.parameters())
        if len(set(self._gathered(digest))) != 1:
            raise ValueError("the processes' parameters differ; broadcast them from one of them")
        self.samples = int(sum(self._gathered(float(operator.samples))))
        self._weight = operator.samples / self.samples
        self.loss = sum(self._gathered(self._weight * operator.loss))
        self.products = 0
        self._checked = False

    @property
    def dim(self) -> int:
        """Length of the vectors that the operator acts on."""
        return self._operator.dim

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the vectors."""
        return self._operator.dtype

    @property
    def device(self) -> torch.device:
        """Device of the vectors."""
        return self._operator.device

    def __call__(self, vector: Tensor) -> Tensor:
        """Return the product with `vector`, both of shape (dim,), equal in every process.

        Raises:
            ValueError: the vector has the wrong shape, dtype or device, or the processes'
                first vectors differ.
        """
        if not self._checked:
            if len(set(self._gathered(float(vector.double().norm())))) != 1:
                raise ValueError(
                    "the processes' vectors differ; seed their generators alike and pass the "
                    "same start"
                )
            self._checked = True
        self.products += 1
        product = self._operator(vector) * self._weight
        dist.all_reduce(product, group=self._group)
        return product

    def _agree_on_success(self, failure: Exception | None) -> None:
        failures = [kind for kind in self._gathered(_kind(failure)) if kind]
        if failure is not None:
            try:
                raise failure
            finally:
                del failure
        if failures:
            message = f"the operator could not be built in {len(failures)} other processes"
            raise RuntimeError(message) if _OTHER in failures else NonFiniteCurvatureError(message)

    def _gathered(self, value: float) -> list[float]:
        """Return one number of every process, in their order."""
        values: list[float] = [0.0] * dist.get_world_size(self._group)
        dist.all_gather_object(values, value, group=self._group)
        return values


def _kind(failure: Exception | None) -> float:
    if failure is None:
        return 0.0
    return _NON_FINITE if isinstance(failure, NonFiniteCurvatureError) else _OTHER
