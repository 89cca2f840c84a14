"""Enter by `sharpness.sharpness`: curvature of a network's training loss, exact and cheap.

With f the outputs, L the mean loss over the samples of a batch, J = ∂f/∂θ, and D the diagonal of
the per-tensor learning rates over the global one (the identity by default):

- `HessianOperator`      D^½ H D^½ with H = ∇²L = G + R;
- `GaussNewtonOperator`  D^½ G D^½ with G = Jᵀ (∂²L/∂f²) J;
- `ResidualOperator`     D^½ R D^½ with R = Σ (∂L/∂f) ∇²f;
- `FisherOperator`       D^½ F D^½ with F the expected outer product of ∇log p under the model's
  own predictions;
- `NTKOperator`          (1/n) J D Jᵀ, whose non-zero spectrum is that of D^½GD^½ for the squared
  loss ½‖f−y‖².

`relative_rates` reads D from parameter groups, `preconditioner` reads D P⁻¹ from the state of Adam
or RMSprop, `curvature_operator` builds an operator by its name, on one process or summed over
several.

`FiniteDifferenceOperator` gives the Hessian's products where no gradient can be differentiated:
fused kernels, sharded parameters, weights of 16 bits.

They share one protocol, `LinearOperator`: a product with a vector. On it `eigenvalues` runs
Lanczos for the extreme eigenpairs, `spectral_density` stochastic Lanczos quadrature, and `trace`
XTrace. `sharpness` is the algebraic λ_max of D^½HD^½, whose edge of stability under gradient
descent at the global rate η is 2/η. `directional_sharpness`, `critical_sharpness`,
`batch_sharpness` and `gradient_noise_interaction` cost a few gradient evaluations, and measure
something else: docs/curvature.md compares them.

Everything takes any `nn.Module` with any twice differentiable loss, and leaves the model, its
gradients, its buffers and the random state as they were.
"""

from lrtransfer.curvature.batch_sharpness import (
    BatchAverage,
    batch_sharpness,
    gradient_noise_interaction,
)
from lrtransfer.curvature.critical import CriticalSharpness, critical_sharpness
from lrtransfer.curvature.cross_entropy import cross_entropy
from lrtransfer.curvature.density import SpectralDensity, spectral_density
from lrtransfer.curvature.directional import DirectionalSharpness, directional_sharpness
from lrtransfer.curvature.distributed import SummedOperator
from lrtransfer.curvature.finite_difference import FiniteDifferenceOperator
from lrtransfer.curvature.fisher import FisherOperator
from lrtransfer.curvature.gauss_newton import GaussNewtonOperator
from lrtransfer.curvature.hessian import HessianOperator
from lrtransfer.curvature.lanczos import Eigenpairs, eigenvalues
from lrtransfer.curvature.linear_operator import (
    AsymmetricProductsError,
    LinearOperator,
    NonFiniteCurvatureError,
    dense,
)
from lrtransfer.curvature.minibatches import mini_batches
from lrtransfer.curvature.ntk import NTKOperator, ntk_gram
from lrtransfer.curvature.operators import curvature_operator
from lrtransfer.curvature.preconditioner import preconditioner
from lrtransfer.curvature.rates import relative_rates
from lrtransfer.curvature.residual import ResidualOperator
from lrtransfer.curvature.sharpness import Sharpness, sharpness
from lrtransfer.curvature.trace import Trace, trace

__all__ = [
    "AsymmetricProductsError",
    "BatchAverage",
    "CriticalSharpness",
    "DirectionalSharpness",
    "Eigenpairs",
    "FiniteDifferenceOperator",
    "FisherOperator",
    "GaussNewtonOperator",
    "HessianOperator",
    "LinearOperator",
    "NTKOperator",
    "NonFiniteCurvatureError",
    "ResidualOperator",
    "Sharpness",
    "SpectralDensity",
    "SummedOperator",
    "Trace",
    "batch_sharpness",
    "critical_sharpness",
    "cross_entropy",
    "curvature_operator",
    "dense",
    "directional_sharpness",
    "eigenvalues",
    "gradient_noise_interaction",
    "mini_batches",
    "ntk_gram",
    "preconditioner",
    "relative_rates",
    "sharpness",
    "spectral_density",
    "trace",
]
