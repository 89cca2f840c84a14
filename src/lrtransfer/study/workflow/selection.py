"""Which study a command is about, by its flags; what that needs is imported once it is asked."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lrtransfer.study.workflow.start import Selection


def selected(options: Namespace) -> Selection:
    """Return what params.yaml asks for, or what the flags or the starting process ask instead.

    Of that the one experiment alone that the command is about, if it is about one.
    """
    from lrtransfer.study.workflow.start import override, select

    scale = options.scale or override("scale")
    experiments = options.experiments or override("experiments")
    return select(options.params, scale, experiments, getattr(options, "experiment", None))


def all_selected(options: Namespace, only: str | None = None) -> Selection:
    """Return the study with all experiments, or `only` one, whatever params.yaml selects."""
    from lrtransfer.study.workflow.start import override, select

    return select(options.params, options.scale or override("scale"), "all", only)
