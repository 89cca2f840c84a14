"""Hyperball (Wen et al. 2026, 2606.16899): matrices of fixed norm, moved by any optimizer.

W ← R·N(W − ηR·N(u)), with N(X) = X/‖X‖ in the Frobenius norm, R the norm at the start and u the
optimizer's update. So η is the angle of the step where u is orthogonal to W (a u along W does next
to nothing), and neither the size of u nor decay have a meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lrtransfer.optim.tuners.direction import Member, direction
from lrtransfer.scaling.matrices import Form, matrices


class Hyperball(torch.optim.Optimizer):
    """Keeps the norm of each matrix that `base` steps and takes its update for a direction.

    Each matrix of a group's `form` (an expert of a stack, queries apart from keys) has a norm of
    its own. R is kept with the optimizer's state, in its checkpoints too. Where the update is zero
    (SOAP's first) a matrix stays where it is. Groups and state are those of `base`.

    Args:
        base: Any optimizer, not to be stepped by anyone else.

    Raises:
        TypeError: `base` is no optimizer.
        ValueError: A group has weight decay, which would act on the direction alone, or, at its
            first step, a matrix is zero.

    Example:
        >>> w = torch.nn.Parameter(torch.tensor([[3.0, 0.0], [0.0, 4.0]]))
        >>> opt = Hyperball(torch.optim.SGD([w], lr=0.1))
        >>> w.grad = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
        >>> opt.step()
        >>> [round(value, 5) for value in w.flatten().tolist()], round(float(w.norm()), 5)
        ([2.98511, -0.3518, -0.3518, 3.98015], 5.0)
    """

    def __init__(self, base: torch.optim.Optimizer) -> None:
        if not isinstance(base, torch.optim.Optimizer):
            raise TypeError(f"base is {type(base).__name__}; give a torch.optim.Optimizer")
        super().__init__(base.param_groups, dict(base.defaults))
        self.base = base
        self._share()
        for group in self.param_groups:
            _check(group)
            group["fixed_norm"] = True  # tuners, whose steps are lines, ask for it

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Move every tensor with a gradient along the update of `base`, on its sphere."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        placed = [
            (parameter, group)
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.grad is not None
        ]
        for parameter, group in placed:
            _check(group)
            if "radius" not in self.state.get(parameter, {}):
                _radii(parameter, group.get("form"))  # before anything moves
        members = [Member(parameter, 1.0, 0.0, 0.0) for parameter, _ in placed]
        updates = direction(self.base, members, [parameter.grad for parameter, _ in placed])
        for (parameter, group), update in zip(placed, updates, strict=True):
            form, state = group.get("form"), self.state[parameter]
            # After the base's step: optimizers take an empty state for the first step's.
            if "radius" not in state:
                state["radius"] = _radii(parameter, form)
            _turn(parameter, update, state["radius"], float(group["lr"]), form)
        return loss

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group to the base."""
        # Optimizer's own constructor comes here with the groups that the base already has.
        if "base" in vars(self):
            _check(param_group)
            self.base.add_param_group(param_group)
            self._share()
        else:
            self.param_groups.append(param_group)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.base.__setstate__({"state": self.state, "param_groups": self.param_groups})

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "base": self.base}

    def _share(self) -> None:
        self.param_groups = self.base.param_groups
        self.state = self.base.state


def _check(group: dict[str, Any]) -> None:
    if group.get("weight_decay"):
        raise ValueError(
            f"weight_decay is {group['weight_decay']}, and the norm is fixed. Give 0: decay would "
            "change the direction of the step alone."
        )


def _radii(parameter: Tensor, form: Form | None) -> Tensor:
    """Return ‖W‖ of each matrix, shape (k,)."""
    found = torch.stack([m.view.norm() for m in matrices(parameter.detach(), form)])
    if not bool((found > 0).all()):
        raise ValueError(
            f"a matrix of a tensor of shape {tuple(parameter.shape)} is zero: it has no direction, "
            "and no norm to keep. Initialise it, or step it with another optimizer."
        )
    return found


def _turn(parameter: Tensor, update: Tensor, radii: Tensor, rate: float, form: Form | None) -> None:
    moved = zip(matrices(parameter, form), matrices(update, form), radii, strict=True)
    for matrix, along, radius in moved:
        size = along.view.norm()
        # The update is minus u.
        share = torch.where(size > 0, rate * radius / size, 0.0)
        target = matrix.view + share * along.view
        matrix.view.copy_(target * (radius / target.norm()))
