"""What a tuner minimizes at one step: the closure's loss plus the base's coupled weight decay."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lrtransfer.curvature.graph import check_graph
from lrtransfer.curvature.sharded import is_sharded, whole
from lrtransfer.optim.tuners.closure import ClosureError, NonFiniteLossError, RepeatableClosure
from lrtransfer.optim.tuners.direction import Member
from lrtransfer.optim.tuners.sharded import refuse_exact_curvature

Reduce = Callable[[Tensor], Tensor]
"""Returns the mean of a tensor over the workers of data-parallel training, the same on all; it
may work in place."""

# Sums of squares between these bounds lose nothing that counts to float32.
_SMALL, _LARGE = 1e-30, 1e37


@dataclass(frozen=True)
class Surroundings:
    """What the process, not the science, asks of a step.

    Attributes:
        reduce: Mean over workers of losses, gradients and curvatures; None for one process. Sharded
            gradients (FSDP2) are means already.
        scaler: Loss scaling of float16 autocast, enabled; None without.
    """

    reduce: Reduce | None = None
    scaler: torch.amp.GradScaler | None = None

    def mean(self, tensor: Tensor) -> Tensor:
        """Return the mean of `tensor` over the workers."""
        if self.reduce is None or is_sharded(tensor):
            return tensor
        return self.reduce(tensor.clone())


class Objective:
    """f(w) = loss + ½ Σ λ_i‖w_i‖² on one batch, differentiated once at the present w.

    Attributes:
        closure: What it was made of.
        loss: What the closure returned, the mean over workers, without a graph.
        value: f(w).
        members: The parameters that the loss reaches.
        reached: Their identities.
        gradient: ∇f over `members`, without a graph.
        gradient_norm: ‖∇f‖.
        finite: False if loss scaling overflowed; True otherwise.
        forwards: Forward passes taken beyond the first.
        products: Products with the Hessian taken.

    Args:
        closure: The loss as a function of the parameters.
        members: All parameters that may move.
        surroundings: See there.
        keep_graph: Whether products with the Hessian will be asked for.
        checked: By `keep_graph`, `reached` of an objective whose graph was found sound, which saves
            to search this one's.

    Raises:
        ClosureError: The closure does not return a loss that can be differentiated.
        NonFiniteLossError: The loss or, without a scaler, its gradient is NaN or infinite.
        ValueError: The graph would drop derivatives in silence; see `check_graph`. Or parameters
            are sharded (FSDP2), and products are asked for or `reduce` is missing.
    """

    def __init__(
        self,
        closure: RepeatableClosure,
        members: Sequence[Member],
        surroundings: Surroundings,
        *,
        keep_graph: bool,
        checked: Mapping[bool, frozenset[int]] | None = None,
    ) -> None:
        self.closure = closure
        self.surroundings = surroundings
        self.forwards = self.products = 0
        _check_sharded(members, surroundings, keep_graph=keep_graph)
        loss = closure.first(twice_differentiable=keep_graph)
        scaler = surroundings.scaler
        scaled = loss if scaler is None else scaler.scale(loss)
        self._scale = 1.0 if scaler is None else float(scaler.get_scale())
        graph = _differentiate(scaled, members, keep_graph=keep_graph)
        reached = [(m, g) for m, g in zip(members, graph, strict=True) if g is not None]
        self.reached = frozenset(id(m.parameter) for m, _ in reached)
        if checked is None or checked.get(keep_graph) != self.reached:
            check_graph(loss, *(g for _, g in reached), twice=keep_graph)
        if not reached:
            raise ClosureError("the loss does not depend on any parameter of the optimizer")
        self.members = [m for m, _ in reached]
        self._graph = [g for _, g in reached]
        self.gradient = [surroundings.mean(self._unscaled(g)) for g in self._graph]
        self._add_penalty()
        self.gradient_norm = norm(self.gradient)
        self.finite = math.isfinite(self.gradient_norm)
        if not self.finite and scaler is None:
            raise NonFiniteLossError("the gradient holds NaN or infinity; no step follows from it")
        self.loss = surroundings.mean(loss.detach())
        self.value = self.loss.item() + self._penalty()

    def value_at(self, rate: float, direction: Sequence[Tensor]) -> float:
        """Return f(w + `rate`·u), which may not be finite; w is put back exactly."""
        before = [m.parameter.detach().clone() for m in self.members]
        try:
            self.move(rate, direction)
            self.forwards += 1
            loss = self.surroundings.mean(self.closure.again())
            return loss.item() + self._penalty()
        finally:
            with torch.no_grad():
                for m, start in zip(self.members, before, strict=True):
                    m.parameter.copy_(start)

    def move(self, rate: float, direction: Sequence[Tensor]) -> None:
        """Set w ← w + `rate`·u; a rate beyond u's dtype counts as its largest number."""
        with torch.no_grad():
            for m, u in zip(self.members, direction, strict=True):
                most = torch.finfo(u.dtype).max
                m.parameter.add_(u, alpha=math.copysign(most, rate) if abs(rate) > most else rate)

    def product(self, vectors: Sequence[Tensor], *, last: bool = False) -> list[Tensor]:
        """Return ∇²f · `vectors`, the mean over workers.

        Reverse over reverse (Pearlmutter 1994): one backward pass through the gradient's graph.

        Args:
            vectors: In the shapes of `members`.
            last: Free the graph.
        """
        local = self._local_product(vectors, last=last)
        return [
            self.surroundings.mean(h).add(v, alpha=m.penalty)
            for m, v, h in zip(self.members, vectors, local, strict=True)
        ]

    def curvature_along(self, direction: Sequence[Tensor]) -> float:
        """Return u·∇²f u; the graph is freed."""
        local = dot(direction, self._local_product(direction, last=True))
        return self.surroundings.mean(local).item() + self.penalty_curvature(direction)

    def penalty_curvature(self, direction: Sequence[Tensor]) -> float:
        """Return the part of u·∇²f u that weight decay adds, Σ λ_i‖u_i‖²."""
        return sum(
            m.penalty * float(whole(u.square().sum()))
            for m, u in zip(self.members, direction, strict=True)
            if m.penalty
        )

    def _local_product(self, vectors: Sequence[Tensor], *, last: bool) -> list[Tensor]:
        # Where the loss is linear in a parameter its gradient is a constant without a graph.
        self.products += 1
        pairs = [(g, v) for g, v in zip(self._graph, vectors, strict=True) if g.requires_grad]
        if not pairs:
            return [torch.zeros_like(v) for v in vectors]
        found = torch.autograd.grad(
            [g for g, _ in pairs],
            [m.parameter for m in self.members],
            [v for _, v in pairs],
            retain_graph=not last,
            allow_unused=True,
        )
        return [
            torch.zeros_like(v) if h is None else self._unscaled(h)
            for h, v in zip(found, vectors, strict=True)
        ]

    def _unscaled(self, tensor: Tensor) -> Tensor:
        return tensor.detach() if self._scale == 1 else tensor.detach() / self._scale

    def _add_penalty(self) -> None:
        for index, m in enumerate(self.members):
            if m.penalty:
                self.gradient[index] = self.gradient[index].add(
                    m.parameter.detach(), alpha=m.penalty
                )

    def _penalty(self) -> float:
        return sum(
            0.5 * m.penalty * float(whole(m.parameter.detach().square().sum()))
            for m in self.members
            if m.penalty
        )


def dot(left: Sequence[Tensor], right: Sequence[Tensor]) -> Tensor:
    """Return Σ left·right over the tensors, on the device of the first one."""
    device = left[0].device
    return torch.stack(
        [
            (whole((a * b).sum()) if is_sharded(a) else torch.dot(a.reshape(-1), b.reshape(-1))).to(
                device
            )
            for a, b in zip(left, right, strict=True)
        ]
    ).sum()


def inner(left: Sequence[Tensor], right: Sequence[Tensor]) -> float:
    """Return Σ left·right, summed in float64 where float32 would lose it."""
    found = dot(left, right).item()
    return found if _is_ordinary(found) else dot(_double(left), _double(right)).item()


def norm(tensors: Sequence[Tensor]) -> float:
    """Return the Euclidean norm over all tensors, summed in float64 where float32 would lose it."""
    found = _norm(tensors)
    return found if _is_ordinary(found * found) else _norm(_double(tensors))


def _norm(tensors: Sequence[Tensor]) -> float:
    device = tensors[0].device
    lengths = [whole(torch.linalg.vector_norm(t)).to(device) for t in tensors]
    length: float = torch.linalg.vector_norm(torch.stack(lengths)).item()
    return length


def _is_ordinary(squares: float) -> bool:
    """Return whether a sum of squares is far from float32's smallest and largest numbers."""
    return _SMALL < abs(squares) < _LARGE


def _double(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [t.to("cpu", torch.float64) for t in tensors]


def _differentiate(
    loss: Tensor, members: Sequence[Member], *, keep_graph: bool
) -> Sequence[Tensor | None]:
    parameters = [m.parameter for m in members]
    try:
        if any(map(is_sharded, parameters)):
            return _accumulated(loss, parameters)
        gradient = torch.autograd.grad(loss, parameters, create_graph=keep_graph, allow_unused=True)
    except RuntimeError as error:
        if "second time" in str(error):
            raise ClosureError(
                "the graph of the returned loss was already used; compute the loss anew in the "
                "closure and do not differentiate it there"
            ) from error
        raise
    if any(g is not None and g.is_sparse for g in gradient):
        raise ClosureError("an embedding has sparse gradients; build it with sparse=False")
    return gradient


def _accumulated(loss: Tensor, parameters: Sequence[Tensor]) -> list[Tensor | None]:
    """Return the gradients that `backward` accumulates: those of FSDP2's shards come no other way.

    The closure left no `grad`.
    """
    loss.backward()  # type: ignore[no-untyped-call]
    gradient = [parameter.grad for parameter in parameters]
    for parameter in parameters:
        parameter.grad = None
    return gradient


def _check_sharded(
    members: Sequence[Member], surroundings: Surroundings, *, keep_graph: bool
) -> None:
    parameters = [m.parameter for m in members]
    if keep_graph:
        refuse_exact_curvature(parameters)
    if surroundings.reduce is None and any(map(is_sharded, parameters)):
        raise ValueError(
            "base holds sharded tensors (FSDP2), and the loss is of this process's samples. Give "
            "the tuner reduce=, a function from a tensor to its mean over the processes."
        )
