"""Curvature of the two-layer linear network from its state (w, e, v) alone.

Everything carries the factor ρ of the learning rates (γ² in Noci et al. 2024), so that the edge
of stability is 2/η₀ under every parameterization. Notation as in
`lrtransfer.theory.two_layer_linear`; ρ∇²L = KᵀK + R with R the part that holds r (Lemma 5.2).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq

from lrtransfer.theory.two_layer_linear import Array, State, loss, residual

_ROUNDING = 1e-12  # relative margin of a bracket around a root


def ntk(state: State) -> Array:
    """Return the tangent kernel Θ = KKᵀ = e + vI, shape (D, D) (Lemma 5.2).

    Example:
        >>> from lrtransfer.theory.two_layer_linear_curvature import ntk
        >>> import numpy as np
        >>> from lrtransfer.theory.two_layer_linear import State
        >>> ntk(State(np.zeros(2), np.eye(2), 1.0)).tolist()
        [[2.0, 0.0], [0.0, 2.0]]
    """
    return state.e + state.v * np.eye(len(state.w))


def ntk_sharpness(state: State) -> float:
    """Return λ_max(Θ), which is that of the Gauss-Newton part KᵀK; NaN for a diverged state."""
    return float(np.linalg.eigvalsh(ntk(state))[-1]) if state.is_finite else math.nan


def residual_sharpness(state: State, target: Array, coupling: float) -> float:
    """Return λ_max(R) = −λ_min(R) = √k‖r‖ (Lemma 5.2).

    Args:
        state: The network.
        target: w*, shape (D,).
        coupling: k.

    Raises:
        ValueError: `target` has another shape than w.
    """
    return math.sqrt(2 * coupling * loss(state, target))


def sharpness(state: State, target: Array, coupling: float) -> float:
    """Return λ_max(ρ∇²L) over all N(D + 1) weights, exactly; NaN for a diverged state.

    A value λ above the spectrum of R is an eigenvalue iff 1 is one of S(λ) = K(λ − R)⁻¹Kᵀ, which
    falls with λ; blockwise inversion leaves (w, e, v) alone in it:

        gS(λ) = λe + k(rwᵀ + wrᵀ) + (kv/λ)rrᵀ + (gv/λ)I,   g = λ² − k‖r‖².

    So under μP not the state alone but the sharpness too follows a law without N. Derived here
    from the blocks of Lemma 5.2, which itself stops at Weyl's |λ − λ_max(Θ)| ≤ √k‖r‖.

    Args:
        state: The network.
        target: w*, shape (D,).
        coupling: k.

    Raises:
        ValueError: `target` has another shape than w.

    Example:
        >>> from lrtransfer.theory.two_layer_linear_curvature import ntk_sharpness, sharpness
        >>> import numpy as np
        >>> from lrtransfer.theory.two_layer_linear import draw, mup, state_of
        >>> scaling, target = mup(width=64, dimension=2), np.array([1.0, 0.0])
        >>> state = state_of(*draw(scaling, np.random.default_rng(0)), scaling)
        >>> ntk_sharpness(state) < sharpness(state, target, scaling.coupling)
        True
    """
    r = residual(state, target)
    floor = residual_sharpness(state, target, coupling)
    if not (state.is_finite and math.isfinite(floor)):
        return math.nan
    if floor == 0:
        return ntk_sharpness(state)
    cross = coupling * (np.outer(r, state.w) + np.outer(state.w, r))
    outer = coupling * state.v * np.outer(r, r)

    def excess(value: float) -> float:
        """(g/λ)(λ_max(S) − 1): positive below the sharpness, negative above."""
        gap = 1 - (floor / value) ** 2
        moved = state.e + cross / value + outer / value**2
        return float(np.linalg.eigvalsh(moved)[-1]) + gap * (state.v - value)

    low = floor * (1 + _ROUNDING)  # at the floor itself the excess may vanish with g
    high = (floor + ntk_sharpness(state)) * (1 + 2 * _ROUNDING)  # Weyl's inequality
    if excess(low) <= 0:
        return floor
    return float(brentq(excess, low, high, xtol=_ROUNDING * high, rtol=_ROUNDING))


def edge_of_stability(learning_rate: float) -> float:
    """Return 2/η₀, the λ_max(ρ∇²L) at which a minimum loses stability.

    Proposition 5.3 adds ± η₀k‖w*‖². That term is a slip: (rwᵀ)r is of second order in r, so that
    ∂w⁺/∂w at w* is I − η₀(e + vI) and nothing else.

    Example:
        >>> from lrtransfer.theory.two_layer_linear_curvature import edge_of_stability
        >>> edge_of_stability(0.5)
        4.0
    """
    return 2 / learning_rate


def terminal_sharpness(target: Array, coupling: float) -> float:
    """Return 2√k‖w*‖, the λ_max(Θ) where training from small weights ends.

    There E and V are balanced and of rank one: e = √k‖w*‖ŵŵᵀ with ŵ = w*/‖w*‖, and v = √k‖w*‖.
    Gradient descent meets its edge iff η₀ > 1/(√k‖w*‖): at one η₀ for every N under μP, at one
    that grows like √N under NTP. Derived here from Theorem 5.1.

    Example:
        >>> from lrtransfer.theory.two_layer_linear_curvature import terminal_sharpness
        >>> import numpy as np
        >>> terminal_sharpness(np.array([3.0, 4.0]), coupling=0.25)
        5.0
    """
    return 2 * math.sqrt(coupling) * float(np.linalg.norm(target))
