"""Lanczos' process on one page: to read, and to hold `krylov` and `lanczos` against.

The basis V of span{v, Av, A²v, …} makes VᵀAV tridiagonal: α on its diagonal, β beside it. Its
eigenvalues θ are A's as seen from there. `krylov.KrylovBasis` does the same in the precision and
memory of the model, and `lanczos.eigenvalues` says when to stop;
tests/curvature/test_lanczos_reference.py compares them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def ritz_values(A: Callable[[Tensor], Tensor], v: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Return the Ritz values θ after `steps` products, ascending, and their residuals.

    Args:
        A: product with a symmetric matrix, shape (p,) to (p,).
        v: where to start, shape (p,), not zero.
        steps: products to spend, k, fewer than A has distinct eigenvalues along v.

    Returns:
        θ and ‖Ay − θy‖, y the Ritz vectors; shape (k,) each. An eigenvalue of A lies within the
        residual of each θ.
    """
    V = (v / v.norm())[None]  # [1, p], grows by a row a step
    alphas, betas = [], []
    for _ in range(steps):
        w = A(V[-1])  # [p]
        alphas.append(V[-1] @ w)
        # In exact arithmetic only the last two rows count. In floating point all do, and twice:
        # else eigenvalues that have converged come back as copies.
        for _ in range(2):
            w = w - V.T @ (V @ w)
        betas.append(w.norm())
        V = torch.cat([V, (w / betas[-1])[None]])
    alpha, beta = torch.stack(alphas), torch.stack(betas)
    T = alpha.diag() + beta[:-1].diag(1) + beta[:-1].diag(-1)  # VᵀAV, [k, k]
    theta, S = torch.linalg.eigh(T)
    # A y − θ y has no part in the span: it is the last β times y's last coordinate.
    return theta, beta[-1] * S[-1].abs()
