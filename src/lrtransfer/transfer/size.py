"""The size of a network: the axis along which an experiment asks whether things transfer.

It is the depth where an experiment has one width and several depths, else the width. The other one
is `fixed`: sizes are compared at equal arm and fixed value only.
"""

from __future__ import annotations

from typing import Literal

import pandas as pd

Axis = Literal["width", "depth"]

#: How the ends of an axis are called.
SMALLEST: dict[Axis, str] = {"width": "narrowest", "depth": "shallowest"}
LARGEST: dict[Axis, str] = {"width": "widest", "depth": "deepest"}

#: The `size` of a row that pools several sizes.
POOLED = 0

_OTHER: dict[Axis, Axis] = {"width": "depth", "depth": "width"}


def size_axis(runs: pd.DataFrame) -> Axis:
    """Return the axis that the runs of one experiment vary; "width" if they vary none.

    Raises:
        ValueError: the column `width` or `depth` is missing.

    Example:
        >>> from lrtransfer.transfer.size import size_axis
        >>> import pandas as pd
        >>> size_axis(pd.DataFrame({"width": [64, 64], "depth": [2, 4]}))
        'depth'
    """
    missing = [name for name in _OTHER if name not in runs.columns]
    if missing:
        raise ValueError(f"the table of runs lacks the columns {missing}: add them")
    several_depths = runs["depth"].nunique() > 1
    return "depth" if several_depths and runs["width"].nunique() == 1 else "width"


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
    return runs.assign(axis=axis, fixed=runs[_OTHER[axis]], size=runs[axis])
