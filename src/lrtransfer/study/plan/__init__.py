"""params.yaml -> typed study -> experiments -> sweeps -> runs. Imports no torch."""

from lrtransfer.study.plan.expand import Dataset, Plan, Run, Spectrum, Sweep, plan
from lrtransfer.study.plan.load import load_study, parse_study
from lrtransfer.study.plan.schema import Study
from lrtransfer.study.plan.yaml_file import StudyError

__all__ = [
    "Dataset",
    "Plan",
    "Run",
    "Spectrum",
    "Study",
    "StudyError",
    "Sweep",
    "load_study",
    "parse_study",
    "plan",
]
