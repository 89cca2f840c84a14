"""The Hessian as an operator by differences of gradients, where none can be differentiated."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lrtransfer.curvature.batches import Batch
from lrtransfer.curvature.forward import FrozenForward, Scale
from lrtransfer.curvature.graph import check_graph, kinks
from lrtransfer.curvature.hessian import checked_loss, checked_number
from lrtransfer.curvature.linear_operator import check_vector
from lrtransfer.curvature.objective import Loss, Objective
from lrtransfer.curvature.selection import Patterns
from lrtransfer.curvature.sharded import as_sharded, is_sharded, mean_over_processes, whole
from lrtransfer.curvature.surroundings import displaced

STEPS = {torch.float64: 6e-5, torch.float32: 4e-3, torch.float16: 6e-2, torch.bfloat16: 0.25}
"""Steps to begin with: shorter, rounding grows; longer, third derivatives do."""
_APART, _FARTHEST = 4.0, 4


class FiniteDifferenceOperator:
    """v -> D^½ [∇L(θ+εw) − ∇L(θ−εw)]/2ε with w = D^½v and ε = step · rms(θ)/max|w|.

    For what double backward does not pass: fused attention, grouped matrix products, parameters
    sharded by FSDP2, weights of 16 bits (vectors are float32). A product costs two gradients and
    keeps no graph. Its error is of the order of step² from the third derivatives and of rounding
    over step. Measured by the farthest coordinate, one step suits a vector spread over all weights
    and one on a few of them: ε = step · ‖θ‖/‖w‖, the same where all |w| are equal, moves the second
    far beyond its weights. Unless given, the step is chosen along the gradient (`choose_step`): of
    neighbours a factor of 4 apart, those whose products agree best (2 to 7 products).

    Where the loss has kinks (ReLU, max-pool), the difference counts each one between its two
    points, which exact products do not, and has no limit in the step.

    Args:
        model: any module; its parameters are moved in place and put back to the bit.
        loss_fn: (outputs, targets) -> mean over samples; a closure without `batch`; None for a
            model that returns its loss.
        batch: (x, y), a mapping with labels, or an iterable of such chunks.
        scale: diagonal of D by parameter name; None is the identity.
        parameters: patterns of the names of the coordinates; None is all.
        step: largest displacement of a coordinate over the root mean square of θ's; None chooses.

    Raises:
        ValueError: an argument is not as described.
        RuntimeError: the loss carries no graph to the trainable parameters.
        NonFiniteCurvatureError: the loss is NaN or infinite.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> x, y = torch.eye(2).double(), torch.zeros(2, 1).double()
        >>> model, loss_fn = nn.Linear(2, 1, bias=False).double(), nn.MSELoss()
        >>> operator = FiniteDifferenceOperator(model, loss_fn, (x, y))
        >>> operator(torch.ones(2).double()).round(decimals=6).tolist()
        [1.0, 1.0]
    """

    symmetric = False
    """Differences are symmetric up to their own error, which no rounding level bounds."""

    def __init__(
        self,
        model: nn.Module,
        loss_fn: Loss = None,
        batch: Batch | None = None,
        *,
        scale: Scale | None = None,
        parameters: Patterns | None = None,
        step: float | None = None,
    ) -> None:
        self._forward = FrozenForward(model, scale, parameters=parameters, twice=False)
        self._objective = Objective(self._forward, loss_fn, batch)
        self._sharded = any(map(is_sharded, self._forward.parameters))
        self.samples = self._objective.samples
        self.step = STEPS[self._forward.parameters[0].dtype] if step is None else step
        if not 0 < self.step < 1:
            raise ValueError(f"step is {step}; choose a share of the parameters' size in (0, 1)")
        self.products = 0
        self.kinks: list[str] | None = None
        with torch.no_grad():
            squares = [whole(p).double().square().sum() for p in self._forward.parameters]
            self._size = float(sum(squares) / self.dim) ** 0.5 or 1.0
        self.loss, self.gradient = self._loss_and_gradient(scaled=False)
        if step is None:
            self.choose_step(self._loss_and_gradient()[1])

    def choose_step(self, along: Tensor) -> None:
        """Take the middle of the pair of steps whose products with `along` agree best."""
        seen: dict[int, Tensor] = {}

        def product(power: int) -> Tensor:
            if power not in seen:
                seen[power] = self(along, step=self.step * _APART**power)
            return seen[power]

        def change(power: int) -> float:
            one, other = product(power), product(power - 1)
            apart, *lengths = map(float, map(torch.linalg.vector_norm, (one - other, one, other)))
            return apart / max(lengths) if apart else 0.0

        best, least = 0, change(0)
        good = 10 * torch.finfo(self._forward.parameters[0].dtype).eps ** (2 / 3)
        for way in (-1, 1):
            while least > good and best + way in range(-_FARTHEST, 1 + _FARTHEST):
                found = change(best + way)
                if not found < least:
                    break
                best, least = best + way, found
            if best:
                break
        self.step *= _APART ** (best - 0.5)

    @property
    def dim(self) -> int:
        """Number of trainable scalars."""
        return self._forward.dim

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the vectors: float32 at least."""
        return self._forward.dtype

    @property
    def device(self) -> torch.device:
        """Device of the parameters."""
        return self._forward.device

    def __call__(self, vector: Tensor, *, step: float | None = None) -> Tensor:
        """Return D^½ H D^½ `vector`, shape (dim,).

        Args:
            vector: shape (dim,).
            step: in place of the operator's own, to see what the choice does.

        Raises:
            ValueError: `vector` has the wrong shape, dtype or device.
            RuntimeError: the parameters changed since the operator was built.
        """
        check_vector(self, vector)
        self.products += 1
        pieces = self._forward.split(vector)
        farthest = max(float(torch.linalg.vector_norm(w, math.inf)) for w in pieces)
        if farthest == 0:
            return torch.zeros_like(vector)
        distance = (self.step if step is None else step) * self._size / farthest
        _, ahead = self._loss_and_gradient(pieces, distance)
        _, behind = self._loss_and_gradient(pieces, -distance)
        return ahead.sub_(behind).div_(2 * distance)

    def _loss_and_gradient(
        self, pieces: Sequence[Tensor] = (), distance: float = 0.0, *, scaled: bool = True
    ) -> tuple[float, Tensor]:
        """Return L and its gradient, shape (dim,), at θ + `distance` · `pieces`."""
        forward = self._forward
        moved = forward.parameters if pieces else []
        modules = list(forward.model.modules())

        def at_point() -> tuple[float, Tensor]:
            loss = 0.0
            total = torch.zeros(self.dim, dtype=self.dtype, device=self.device)
            for weight, chunk_loss in self._objective.losses():
                mean = mean_over_processes(checked_number(chunk_loss), forward.parameters)
                # NaN in one process is raised in all: the others would wait for it for ever.
                checked = checked_loss(chunk_loss if torch.isfinite(mean) else mean)
                if self.kinks is None:
                    check_graph(checked, twice=False)
                    self.kinks = kinks(checked)
                loss += weight * mean.item()
                gradient = self._gradient(checked)
                total.add_(forward.join(gradient, scaled=scaled), alpha=weight)
            return loss, total

        there = displaced(modules, moved, lambda: points(moved, pieces, distance))
        return forward.run(lambda: there.around(at_point))

    def _gradient(self, loss: Tensor) -> list[Tensor | None]:
        """Return the gradient in whole tensors; only `backward` gathers what FSDP2 sharded."""
        parameters = self._forward.parameters
        found: Sequence[Tensor | None]
        if not self._sharded:
            found = torch.autograd.grad(loss, parameters, allow_unused=True)
        else:
            loss.backward()  # type: ignore[no-untyped-call]
            found = [p.grad for p in parameters]
            for parameter in self._forward.model.parameters():
                parameter.grad = None
        if all(gradient is None for gradient in found):
            raise RuntimeError("the loss does not depend on any trainable parameter")
        return [None if g is None else whole(g).detach().to(self.dtype) for g in found]


def points(parameters: Sequence[Tensor], pieces: Sequence[Tensor], distance: float) -> list[Tensor]:
    """Return θ + `distance` · `pieces`, rounded once, each sharded as its parameter is."""
    return [
        as_sharded(whole(parameter).detach().to(piece.dtype) + distance * piece, parameter)
        for parameter, piece in zip(parameters, pieces, strict=True)
    ]
