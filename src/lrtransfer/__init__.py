"""lrtransfer: does the learning rate found on a small network hold for a large one, and why?

The package's public names are loaded at first use, so that importing it is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str

    from lrtransfer.alignment.effective_rate import effective_rates as effective_rates
    from lrtransfer.alignment.effective_rate import force_effective_rates as force_effective_rates
    from lrtransfer.coordinates.coordinate_check import coordinate_check as coordinate_check
    from lrtransfer.curvature import critical_sharpness as critical_sharpness
    from lrtransfer.curvature import sharpness as sharpness
    from lrtransfer.curvature.spectrum_of_model import eigenvalues as eigenvalues
    from lrtransfer.optim.check_optimizer import check_optimizer as check_optimizer
    from lrtransfer.optim.check_schedule import ScheduleError as ScheduleError
    from lrtransfer.optim.check_schedule import check_schedule as check_schedule
    from lrtransfer.optim.hyperball import Hyperball as Hyperball
    from lrtransfer.optim.make_optimizer import make_optimizer as make_optimizer
    from lrtransfer.optim.orthogonalised import Muon as Muon
    from lrtransfer.optim.tuners.cdat import CDAT as CDAT
    from lrtransfer.scaling.export_rates import export_rates as export_rates
    from lrtransfer.scaling.fold import fold as fold
    from lrtransfer.scaling.groups import rates as rates
    from lrtransfer.scaling.horizon import rescale as rescale
    from lrtransfer.scaling.layout import Layout as Layout
    from lrtransfer.scaling.matrices import Interleaved as Interleaved
    from lrtransfer.scaling.matrix_optimizer import MatrixOptimizer as MatrixOptimizer
    from lrtransfer.scaling.parameterize import parameterize as parameterize
    from lrtransfer.scaling.rebind import StaleOptimizerError as StaleOptimizerError
    from lrtransfer.scaling.rebind import rebind as rebind
    from lrtransfer.scaling.time_scales import time_scales as time_scales
    from lrtransfer.transfer.judge import judge as judge
    from lrtransfer.transfer.roles import JudgeError as JudgeError

# Public name -> the module that defines it.
_PUBLIC = {
    "CDAT": "lrtransfer.optim.tuners.cdat",
    "Hyperball": "lrtransfer.optim.hyperball",
    "Interleaved": "lrtransfer.scaling.matrices",
    "JudgeError": "lrtransfer.transfer.roles",
    "Layout": "lrtransfer.scaling.layout",
    "MatrixOptimizer": "lrtransfer.scaling.matrix_optimizer",
    "Muon": "lrtransfer.optim.orthogonalised",
    "ScheduleError": "lrtransfer.optim.check_schedule",
    "StaleOptimizerError": "lrtransfer.scaling.rebind",
    "check_optimizer": "lrtransfer.optim.check_optimizer",
    "check_schedule": "lrtransfer.optim.check_schedule",
    "coordinate_check": "lrtransfer.coordinates.coordinate_check",
    "critical_sharpness": "lrtransfer.curvature",
    "effective_rates": "lrtransfer.alignment.effective_rate",
    "eigenvalues": "lrtransfer.curvature.spectrum_of_model",
    "export_rates": "lrtransfer.scaling.export_rates",
    "fold": "lrtransfer.scaling.fold",
    "force_effective_rates": "lrtransfer.alignment.effective_rate",
    "judge": "lrtransfer.transfer.judge",
    "make_optimizer": "lrtransfer.optim.make_optimizer",
    "parameterize": "lrtransfer.scaling.parameterize",
    "rates": "lrtransfer.scaling.groups",
    "rebind": "lrtransfer.scaling.rebind",
    "rescale": "lrtransfer.scaling.horizon",
    "sharpness": "lrtransfer.curvature",
    "time_scales": "lrtransfer.scaling.time_scales",
}

__all__ = [
    "CDAT",
    "Hyperball",
    "Interleaved",
    "JudgeError",
    "Layout",
    "MatrixOptimizer",
    "Muon",
    "ScheduleError",
    "StaleOptimizerError",
    "check_optimizer",
    "check_schedule",
    "coordinate_check",
    "critical_sharpness",
    "effective_rates",
    "eigenvalues",
    "export_rates",
    "fold",
    "force_effective_rates",
    "judge",
    "make_optimizer",
    "parameterize",
    "rates",
    "rebind",
    "rescale",
    "sharpness",
    "time_scales",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("lrtransfer")
    except PackageNotFoundError:
        raise AttributeError("lrtransfer is not installed: it has no version") from None


def __dir__() -> list[str]:
    return sorted(_PUBLIC)
