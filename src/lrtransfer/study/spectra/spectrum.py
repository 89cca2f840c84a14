"""The spectrum of one checkpoint: top eigenvalues of Hessian and NTK, density of the Hessian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lrtransfer.curvature.density import SpectralDensity, spectral_density
from lrtransfer.curvature.hessian import HessianOperator
from lrtransfer.curvature.lanczos import Eigenpairs, eigenvalues
from lrtransfer.curvature.ntk import NTKOperator
from lrtransfer.study.data import Arrays
from lrtransfer.study.spectra.problem import of_run
from lrtransfer.study.training import streams

if TYPE_CHECKING:
    from lrtransfer.study.plan.run_config import RunConfig, SpectrumConfig

# Ten eigenvalues to one percent need a tighter stop than the largest alone.
TOLERANCE = 0.005


@dataclass(frozen=True)
class Spectrum:
    """Curvature of one checkpoint, normalised as the logged sharpness is.

    Attributes:
        hessian: Algebraically largest eigenpairs of D^½HD^½.
        ntk: Largest eigenpairs of (1/n) J D Jᵀ.
        density: Stochastic Lanczos quadrature of D^½HD^½.
    """

    hessian: Eigenpairs
    ntk: Eigenpairs
    density: SpectralDensity


def spectrum(
    run_config: RunConfig,
    config: SpectrumConfig,
    weights: dict[str, Tensor],
    arrays: Arrays,
    device: torch.device,
) -> Spectrum:
    """Compute the spectrum of one checkpoint, on the first `samples` of the fixed subset.

    Args:
        run_config: The run's.
        config: What to compute.
        weights: The checkpoint's tensors by name.
        arrays: The prepared data set.
        device: Where to compute.

    Raises:
        NonFiniteCurvatureError: The weights are not finite.
    """
    found = of_run(run_config, weights, arrays, config.samples, device)
    hessian = HessianOperator(found.model, found.loss, found.batch, scale=found.relative_rates)
    ntk = NTKOperator(found.model, found.batch[0], scale=found.relative_rates)

    def random(name: str) -> torch.Generator:
        return streams.generator(f"spectrum/{name}", run_config.seed, config.step)

    def top(operator: HessianOperator | NTKOperator, name: str) -> Eigenpairs:
        count = min(config.top, operator.dim)
        return eigenvalues(operator, count, tolerance=TOLERANCE, generator=random(name))

    return Spectrum(
        hessian=top(hessian, "hessian"),
        ntk=top(ntk, "ntk"),
        density=spectral_density(
            hessian,
            probes=config.density.probes,
            steps=min(config.density.steps, hessian.dim),
            generator=random("density"),
        ),
    )
