"""The spectrum of one checkpoint: top eigenvalues of Hessian and NTK, density of the Hessian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lrtransfer.curvature.density import SpectralDensity, spectral_density
from lrtransfer.curvature.hessian import HessianOperator
from lrtransfer.curvature.lanczos import Eigenpairs, eigenvalues
from lrtransfer.curvature.ntk import NTKOperator
from lrtransfer.study.data import Arrays
from lrtransfer.study.spectra.problem import of_run
from lrtransfer.study.training import streams

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
    run_config: dict[str, Any],
    config: dict[str, Any],
    weights: dict[str, Tensor],
    arrays: Arrays,
    device: torch.device,
) -> Spectrum:
    """Compute the spectrum of one checkpoint, on the first ``samples`` of the fixed subset.

    Args:
        run_config: The run's resolved configuration.
        config: ``step``, ``samples``, ``top`` and ``density`` (``probes``, ``steps``).
        weights: The checkpoint's tensors by name.
        arrays: The prepared data set.
        device: Where to compute.

    Raises:
        NonFiniteCurvatureError: The weights are not finite.
    """
    found = of_run(run_config, weights, arrays, config["samples"], device)
    hessian = HessianOperator(found.model, found.loss, found.batch, scale=found.rates)
    ntk = NTKOperator(found.model, found.batch[0], scale=found.rates)

    def random(index: int) -> torch.Generator:
        return streams.generator(streams.CURVATURE, run_config["seed"], config["step"], index)

    top = config["top"]
    return Spectrum(
        hessian=eigenvalues(
            hessian, min(top, hessian.dim), tolerance=TOLERANCE, generator=random(100)
        ),
        ntk=eigenvalues(ntk, min(top, ntk.dim), tolerance=TOLERANCE, generator=random(101)),
        density=spectral_density(
            hessian,
            probes=config["density"]["probes"],
            steps=min(config["density"]["steps"], hessian.dim),
            generator=random(102),
        ),
    )
