"""Which study a command is about, by its flags; what that needs is imported once it is asked."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lrtransfer.study.workflow.start import Selection


def selected(options: Namespace) -> Selection:
    """Return what params.yaml asks for, or what the flags or the starting process ask instead.

    Raises:
        ValueError: The experiment that the command is about is not selected.
    """
    from lrtransfer.study.plan.messages import unknown
    from lrtransfer.study.workflow.start import override, select

    scale = options.scale or override("scale")
    chosen = select(options.params, scale, options.experiments or override("experiments"))
    name = getattr(options, "experiment", None)
    if name is not None and name not in chosen.plan.experiments:
        raise ValueError(unknown("experiment", name, chosen.plan.experiments))
    return chosen


def all_selected(options: Namespace) -> Selection:
    """Return the study with all experiments, whatever params.yaml selects."""
    from lrtransfer.study.workflow.start import override, select

    return select(options.params, options.scale or override("scale"), "all")
