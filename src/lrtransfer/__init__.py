"""lrtransfer: does the learning rate found on a small network hold for a large one, and why?

The package's public names are loaded at first use, so that importing it is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lrtransfer.curvature import critical_sharpness as critical_sharpness
    from lrtransfer.curvature import sharpness as sharpness
    from lrtransfer.curvature.spectrum_of_model import eigenvalues as eigenvalues
    from lrtransfer.optim.tuners.cdat import CDAT as CDAT
    from lrtransfer.scaling.groups import rates as rates
    from lrtransfer.scaling.parameterize import parameterize as parameterize

# Public name -> the module that defines it.
_PUBLIC = {
    "CDAT": "lrtransfer.optim.tuners.cdat",
    "critical_sharpness": "lrtransfer.curvature",
    "eigenvalues": "lrtransfer.curvature.spectrum_of_model",
    "parameterize": "lrtransfer.scaling.parameterize",
    "rates": "lrtransfer.scaling.groups",
    "sharpness": "lrtransfer.curvature",
}

__all__ = ["CDAT", "critical_sharpness", "eigenvalues", "parameterize", "rates", "sharpness"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(_PUBLIC)
