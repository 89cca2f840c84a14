"""Critical sharpness: from the step length at which the loss begins to rise, by forward passes."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from lrtransfer.curvature.batches import Batch
from lrtransfer.curvature.directions import Direction, flat_direction
from lrtransfer.curvature.finite_difference import points
from lrtransfer.curvature.forward import FrozenForward
from lrtransfer.curvature.hessian import checked_number
from lrtransfer.curvature.linear_operator import NonFiniteCurvatureError
from lrtransfer.curvature.objective import Loss, Objective
from lrtransfer.curvature.selection import Patterns
from lrtransfer.curvature.sharded import mean_over_processes
from lrtransfer.curvature.surroundings import displaced

_RESOLVED = 64  # rounding errors of the loss that a rise must exceed to be one
_HALVINGS = 3  # between two looks at whether every step rises


@dataclass(frozen=True)
class CriticalSharpness:
    """λ_c = 2/η_c, with η_c the smallest step that raises the loss.

    Attributes:
        value: 2/η_c; NaN if no step was found that raises the loss, or none that lowers it by more
            than its rounding.
        low: highest step tried that does not raise the loss (0 if each one did).
        high: lowest step tried that raises it (infinite if none did); η_c lies between.
        loss: mean loss at the start.
        forwards: evaluations of the loss over the batch.
        converged: whether high/low met the tolerance.
        ascent: whether the loss rises from the first step on that it can resolve: `direction`
            leads uphill, and η_c is 0.
    """

    value: float
    low: float
    high: float
    loss: float
    forwards: int
    converged: bool
    ascent: bool = False


def critical_sharpness(
    model: nn.Module,
    loss_fn: Loss = None,
    batch: Batch | None = None,
    direction: Direction | None = None,
    *,
    parameters: Patterns | None = None,
    guess: float = 1.0,
    tolerance: float = 1 / 16,
    max_forwards: int = 60,
) -> CriticalSharpness:
    """Search η_c = min{η > 0 : L(θ+ηu) > L(θ)} along `direction` (Kalra et al. 2026).

    For u the update of an optimizer per unit of learning rate, η_c is the learning rate at which
    this very step would raise the loss. On a quadratic λ_c is the step sharpness
    uᵀHu/(−gᵀu) ≤ λ_max; elsewhere the higher derivatives along u enter, which is its difference
    from `directional_sharpness`. No derivative is taken: any kernel will do, sharded parameters
    and weights of 16 bits too, memory is that of inference and one copy of the parameters, and the
    price is about 5 forward passes from a good `guess` (the last η_c).

    With the loss of one task and the update of another it is the relative critical sharpness: below
    η_c the second task's training leaves the first unharmed.

    The bracket is grown by factors of 2 from `guess`, so a bump narrower than that between 0 and
    `guess` is not seen. A step whose loss is NaN or infinite raises the loss. In float32 a loss
    is known to about 1e-7 of itself: where L(θ+ηu) differs by less, the answer is noise, and where
    no step tried lowers the loss by more than that, it is NaN.

    Args:
        model: any module; measured in the mode it is in.
        loss_fn: (outputs, targets) -> mean over samples; without `batch` a closure that calls the
            model and returns the loss; None for a model that returns its loss.
        batch: (x, y), a mapping with labels if `loss_fn` is None, or an iterable of such chunks,
            weighted as by `sharpness`.
        direction: u; η_c is in units of its length. By name, or flat in the parameters' order.
        parameters: patterns of the names of those that `direction` moves; None is all.
        guess: first step to try.
        tolerance: relative width of the final bracket.
        max_forwards: budget.

    Raises:
        ValueError: an argument does not fit.
        NonFiniteCurvatureError: the loss at the start is NaN or infinite.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> x, y = torch.eye(2).double(), torch.zeros(2, 1).double()
        >>> model, loss_fn = nn.Linear(2, 1, bias=False).double(), nn.MSELoss()
        >>> downhill = -model.weight.detach().flatten()
        >>> round(critical_sharpness(model, loss_fn, (x, y), downhill, tolerance=1e-6).value, 4)
        1.0
    """
    if not (math.isfinite(guess) and guess > 0 and tolerance > 0 and max_forwards >= 3):
        raise ValueError("guess and tolerance must be positive, max_forwards at least 3")
    if direction is None:
        raise ValueError("direction is missing; pass the update, by name or as one vector")
    forward = FrozenForward(model, parameters=parameters, twice=False)
    loss = _losses_along(forward, Objective(forward, loss_fn, batch), direction)
    start = loss(0.0)
    if not math.isfinite(start):
        raise NonFiniteCurvatureError(f"the loss is {start}; no step can raise it")
    noise = abs(start) * torch.finfo(forward.parameters[0].dtype).eps
    search = _Bracket(lambda step: loss(step) - start, tolerance, max_forwards - 1, noise)
    search.grow(guess)
    search.shrink()
    found = search.low > 0 and search.high < math.inf and search.falls()
    return CriticalSharpness(
        value=2 / math.sqrt(search.low * search.high) if found else math.nan,
        low=search.low,
        high=search.high,
        loss=start,
        forwards=1 + search.calls,
        converged=found and search.narrow,
        ascent=search.ascent,
    )


def _losses_along(
    forward: FrozenForward, objective: Objective, direction: Direction
) -> Callable[[float], float]:
    """Return η -> L(θ+ηu), every call with the same modes, buffers and random state."""
    pieces = forward.split(flat_direction(forward, direction))
    modules = list(forward.model.modules())
    moved = forward.parameters

    @torch.no_grad()
    def loss(step: float) -> float:
        def at_point() -> float:
            total = 0.0
            for weight, part in objective.losses():
                mean = mean_over_processes(checked_number(part), forward.parameters)
                total += weight * mean.item()
            return total

        there = displaced(modules, moved, lambda: points(moved, pieces, step))
        return there.around(at_point)

    return lambda step: forward.run(lambda: loss(step))


class _Bracket:
    """Root of rise(η) > 0: `low` does not rise, `high` does."""

    def __init__(
        self, rise: Callable[[float], float], tolerance: float, budget: int, noise: float
    ) -> None:
        self._rise, self._tolerance, self._budget = rise, tolerance, budget
        self._noise = noise
        self.calls = 0
        self.ascent = self._fell = False
        self.low, self.high = 0.0, math.inf
        self._slope_low = self._slope_high = math.nan  # rise(η)/η, linear in η on a quadratic

    @property
    def narrow(self) -> bool:
        """Whether the bracket is tight enough."""
        return self.high <= self.low * (1 + self._tolerance)

    @property
    def _exhausted(self) -> bool:
        return self.calls >= self._budget

    def grow(self, guess: float) -> None:
        """Double or halve from `guess` until the loss changes its side."""
        step = guess
        while not self._exhausted and (self.low == 0 or self.high == math.inf):
            self._try(step)
            looks = self.low == 0 and self.calls % (_HALVINGS + 1) == _HALVINGS
            if looks and not self._exhausted and self._rises_at_once():
                self.ascent = True
                return
            step = step / 2 if self.low == 0 else step * 2

    def _rises_at_once(self) -> bool:
        """Whether the loss rises already at the step where its slope so far would just show."""
        first = _RESOLVED * self._noise / self._slope_high
        if not 0 < first < self.high:
            return False
        self.calls += 1
        return self._rise(first) > _RESOLVED / 4 * self._noise

    def falls(self) -> bool:
        """Whether a step lowered the loss by more than its rounding: `low` is no accident."""
        if not self._fell and not self._exhausted:
            self._note(self.low / 2)
        return self._fell

    def shrink(self) -> None:
        """Close in on the secant's root from both sides; bisect the logarithm where that stalls."""
        if self.low == 0 or self.high == math.inf:
            return
        while not self._exhausted and not self.narrow:
            before = math.log(self.high / self.low)
            for side in (1.0, -1.0):
                if not self._exhausted and not self.narrow:
                    self._try(self._beside_root(side))
            stalled = math.log(self.high / self.low) > 0.5 * before
            if stalled and not self._exhausted and not self.narrow:
                self._try(math.sqrt(self.low * self.high))

    def _beside_root(self, side: float) -> float:
        middle = math.sqrt(self.low * self.high)
        rise = self._slope_high - self._slope_low
        if not (math.isfinite(rise) and rise > 0):
            return middle
        root = self.low - self._slope_low * (self.high - self.low) / rise
        step = root * (1 + self._tolerance) ** (0.4 * side)
        return step if self.low < step < self.high else middle

    def _note(self, step: float) -> float:
        self.calls += 1
        change = self._rise(step)
        self._fell |= change < -2 * self._noise
        return change

    def _try(self, step: float) -> None:
        change = self._note(step)
        if change <= 0:
            self.low, self._slope_low = step, change / step
        else:  # NaN too
            self.high, self._slope_high = step, change / step
