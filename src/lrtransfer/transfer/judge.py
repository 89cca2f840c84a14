"""Enter here with anyone's table of runs: what it says of learning-rate transfer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lrtransfer.transfer.effective import check_spans
from lrtransfer.transfer.findings import Findings
from lrtransfer.transfer.judgement_text import text
from lrtransfer.transfer.roles import JudgeError, Names, Roles, Status
from lrtransfer.transfer.sweeps import Sweep
from lrtransfer.transfer.table import resolved, runs_of
from lrtransfer.transfer.table_sweeps import chosen, swept


class Judgement(Findings):
    """What `judge` returns: the findings, printed in plain words and drawn."""

    def figure(self, path: str | Path, predict: Mapping[str, object] | None = None) -> None:
        """Draw the valleys and the best rate over each size, with the law.

        Args:
            path: of the picture; its ending says the format (png, pdf, svg).
            predict: sizes to predict at, drawn beside the measured ones.
        """
        from lrtransfer.transfer.picture import draw

        draw(self, Path(path), self.predict(**predict) if predict else None)

    def __str__(self) -> str:
        """Return what was found in plain words."""
        return text(self)


def judge(
    frame: object,
    size: Names,
    rate: str,
    loss: str,
    seed: str | None = None,
    *,
    arm: Names | None = None,
    status: Status | None = None,
    tuned: Names = (),
    effective: str | None = None,
    maximize: bool = False,
    confidence: float = 0.95,
    reference: Mapping[str, float] | None = None,
) -> Judgement:
    """Return what a table of runs says of learning-rate transfer.

    Args:
        frame: one row is one run; a data frame, what pandas makes one of, or a path to csv or
            Parquet. Columns that are not named are ignored.
        size: column or columns that say how large a net is (width, depth, batch, tokens, …).
        rate: column of the learning rate; sizes and rates are positive, in any unit.
        loss: column of what was reached, of any sign. Infinite, or empty without a `status`: the
            run diverged.
        seed: column that tells repetitions apart.
        arm: column or columns of the settings that are compared.
        status: column in which anything but `ok` means that the run diverged, or that column and
            the words that mean it: `("state", ["failed", "crashed"])`.
        tuned: columns of settings over which each rate's loss is minimised (batch, decay).
        effective: column of the effective rate that each run had, η/‖W‖ say: optima, drifts, laws
            and predictions in it come beside the nominal ones. A run that diverged may lack it.
        maximize: whether `loss` is to be large (an accuracy).
        confidence: of the intervals.
        reference: the size whose best rate is used elsewhere, for the regret; axes that are not
            named are at their smallest.

    Raises:
        JudgeError: a column is missing or cannot be read as it should, rows contradict each other,
            or no run is left.

    Example:
        >>> import pandas as pd
        >>> from lrtransfer import judge
        >>> rows = [
        ...     {"width": n, "lr": 2.0**k, "loss": 1 + (k + n // 64) ** 2 / 9}
        ...     for n in (64, 128, 192)
        ...     for k in range(-6, 2)
        ... ]
        >>> found = judge(pd.DataFrame(rows), size="width", rate="lr", loss="loss")
        >>> found.optima.rate.round(2).tolist()
        [0.5, 0.25, 0.12]
    """
    if not 0 < confidence < 1:
        raise JudgeError(f"confidence lies between 0 and 1 (0.95, say), which {confidence} is not")
    roles = Roles.of(
        size,
        rate,
        loss,
        seed,
        arm=arm,
        status=status,
        tuned=tuned,
        maximize=maximize,
        effective=effective,
    )
    runs = runs_of(frame, roles)
    with np.errstate(all="ignore"):
        found = swept(runs, roles)
        if effective is not None:
            check_spans(found, effective)
        known = _reference(reference, found.sweeps, roles) if reference else None
        values = [[tuple(chosen(runs, at)) for at in setting] for setting in found.settings]
        return Judgement(roles, found, values, float(confidence), known)


def _reference(
    given: Mapping[str, float], sweeps: list[Sweep], roles: Roles
) -> Mapping[str, float]:
    """Return the reference size on every axis."""
    named = {a: float(v.min()) for a, v in resolved(given, roles.size, "reference").items()}
    there = [s.sizes for s in sweeps if all(_alike(s.sizes[a], v) for a, v in named.items())]
    if not there:
        axis = next(iter(named))
        sizes = sorted({s.sizes[axis] for s in sweeps})
        listed = ", ".join(f"{s:g}" for s in sizes[:12]) + (", …" if len(sizes) > 12 else "")
        at = ", ".join(f"{a}={v:g}" for a, v in named.items())
        raise JudgeError(f"reference: no run has {at}; the table has {axis} {listed}")
    return min(there, key=lambda sizes: tuple(sizes.values()))


def _alike(one: float, two: float) -> bool:
    return abs(math.log2(one) - math.log2(two)) < 1e-6
