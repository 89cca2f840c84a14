"""The size of a run: the axis along which an experiment asks whether things transfer.

It is the depth where an experiment has one width and several depths; the batch (samples of an
update) or the duration (samples that a run sees) where it has one net, and an arm has several of
these; else the width. Another one is `fixed`: sizes are compared at equal arm and fixed value only.
"""

from __future__ import annotations

from typing import Literal

import pandas as pd

Axis = Literal["width", "depth", "batch", "duration"]
AXES: tuple[Axis, ...] = ("width", "depth", "batch", "duration")

#: How the ends of an axis are called.
SMALLEST: dict[Axis, str] = {
    "width": "narrowest",
    "depth": "shallowest",
    "batch": "smallest batch",
    "duration": "shortest run",
}
LARGEST: dict[Axis, str] = {
    "width": "widest",
    "depth": "deepest",
    "batch": "largest batch",
    "duration": "longest run",
}

#: What is `fixed` beside an axis.
OTHER: dict[Axis, Axis] = {
    "width": "depth",
    "depth": "width",
    "batch": "width",
    "duration": "width",
}

#: An axis in the plural.
PLURAL: dict[Axis, str] = {
    "width": "widths",
    "depth": "depths",
    "batch": "batches",
    "duration": "durations",
}

#: The `size` of a row that pools several sizes.
POOLED = 0


def size_axis(runs: pd.DataFrame) -> Axis:
    """Return the axis that the runs of one experiment vary; "width" if they vary none.

    Raises:
        ValueError: the column `width` or `depth` is missing.

    Example:
        >>> from lrtransfer.transfer.size import size_axis
        >>> import pandas as pd
        >>> size_axis(pd.DataFrame({"width": [64, 64], "depth": [2, 4]}))
        'depth'
        >>> length = {"arm": "mup", "batch_size": [32, 64], "steps": [8, 4]}
        >>> size_axis(pd.DataFrame({"width": [64, 64], "depth": [2, 2], **length}))
        'batch'
    """
    missing = [name for name in ("width", "depth") if name not in runs.columns]
    if missing:
        raise ValueError(f"the table of runs lacks the columns {missing}: add them")
    if runs["width"].nunique() > 1:
        return "width"
    if runs["depth"].nunique() > 1:
        return "depth"
    # Arms may differ in batch and steps, too: that is no axis.
    return next((axis for axis in ("batch", "duration") if _varies(runs, axis)), "width")


def with_size(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs of one experiment with `axis`, `fixed` and `size` as further columns.

    Raises:
        ValueError: as `size_axis`.

    Example:
        >>> from lrtransfer.transfer.size import with_size
        >>> import pandas as pd
        >>> with_size(pd.DataFrame({"width": [64, 128], "depth": [2, 2]}))["size"].tolist()
        [64, 128]
    """
    axis = size_axis(runs)
    return runs.assign(axis=axis, fixed=_along(runs, OTHER[axis]), size=_along(runs, axis))


def _along(runs: pd.DataFrame, axis: Axis) -> pd.Series:
    """Return how large each run is along an axis."""
    if axis == "batch":
        return runs["batch_size"]
    if axis == "duration":
        return runs["batch_size"] * runs["steps"]
    return runs[axis]


def _varies(runs: pd.DataFrame, axis: Axis) -> bool:
    if not {"arm", "batch_size", "steps"} <= set(runs.columns):
        return False
    return bool(_along(runs, axis).groupby(runs["arm"]).nunique().max() > 1)
