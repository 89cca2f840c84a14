"""Curvature of a network's training loss: operators, extreme eigenvalues, spectral density.

With f the outputs, L the mean loss over the samples of a batch, J = ∂f/∂θ, and D the diagonal of
the per-tensor learning rates over the global one (the identity by default):

- `HessianOperator`      D^½ H D^½ with H = ∇²L = G + R;
- `GaussNewtonOperator`  D^½ G D^½ with G = Jᵀ (∂²L/∂f²) J;
- `NTKOperator`          (1/n) J D Jᵀ, whose non-zero spectrum is that of D^½GD^½ for the squared
  loss ½‖f−y‖².

They share one protocol, `LinearOperator`: a product with a vector. On it `eigenvalues` runs
Lanczos for the extreme eigenpairs, and `spectral_density` stochastic Lanczos quadrature.
`sharpness` is the algebraic λ_max of D^½HD^½, whose edge of stability under gradient descent at
the global rate η is 2/η. Everything takes any `nn.Module` with any twice differentiable loss, and
leaves the model, its gradients, its buffers and the random state as they were.
"""

from lrtransfer.curvature.density import SpectralDensity, spectral_density
from lrtransfer.curvature.gauss_newton import GaussNewtonOperator
from lrtransfer.curvature.hessian import HessianOperator
from lrtransfer.curvature.lanczos import Eigenpairs, eigenvalues
from lrtransfer.curvature.linear_operator import (
    LinearOperator,
    NonFiniteCurvatureError,
    dense,
)
from lrtransfer.curvature.ntk import NTKOperator, ntk_gram
from lrtransfer.curvature.sharpness import Sharpness, sharpness

__all__ = [
    "Eigenpairs",
    "GaussNewtonOperator",
    "HessianOperator",
    "LinearOperator",
    "NTKOperator",
    "NonFiniteCurvatureError",
    "Sharpness",
    "SpectralDensity",
    "dense",
    "eigenvalues",
    "ntk_gram",
    "sharpness",
    "spectral_density",
]
