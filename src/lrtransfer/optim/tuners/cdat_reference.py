"""CDAT in the letters of its paper (2407.06183, equation 8): to read, and to hold `cdat` against.

One flat vector of weights, one direction, no state but the averages. `cdat.CDAT` takes the same
steps around any optimizer of torch; tests/optim/tuners/test_cdat_reference.py runs both in
lock-step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor
from torch.autograd import grad


def cdat(
    f: Callable[[Tensor], Tensor],
    w: Tensor,
    direction: Callable[[Tensor], Tensor],
    *,
    sigma: float = 2.0,
    beta: float = 0.0,
) -> Iterator[tuple[Tensor, float]]:
    """Yield the weights after each step and its learning rate, for ever.

    Args:
        f: the loss, twice differentiable: weights, shape (p,), to a scalar.
        w: where to start, shape (p,).
        direction: the gradient, shape (p,), to the update u at learning rate 1, shape (p,); −g
            is gradient descent.
        sigma: σ; 1 is the lowest point of the quadratic model along u, 2 its level set.
        beta: weight of the past in the averages of numerator and denominator.
    """
    n = d = 0.0
    while True:
        w = w.detach().requires_grad_()
        (g,) = grad(f(w), w, create_graph=True)  # [p]
        u = direction(g.detach())  # [p]
        slope = g @ u  # with u fixed, its gradient is Hu
        (Hu,) = grad(slope, w)  # [p]
        # Each average by itself: their ratio needs no correction for starting at zero.
        n = beta * n + (1 - beta) * max(-slope.item(), 0.0)
        d = beta * d + (1 - beta) * abs((u @ Hu).item())
        eta = sigma * n / d
        w = w.detach() + eta * u
        yield w, eta
