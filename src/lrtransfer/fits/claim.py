"""A claim: a sentence of a paper, what is measured for it, and a rule fixed before the run.

A claim is one file of `lrtransfer.fits.claims`, named by its id, that assigns ``CLAIM``. Adding the
file is all it takes.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from lrtransfer.fits import claims
from lrtransfer.fits.intervals import Interval, difference
from lrtransfer.fits.rules import Rule

Fits = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes:
        id: equal to the file's stem.
        paper: id of the paper, e.g. "super-consistency".
        statement: what the paper says.
        metric: what is measured for it, in words, with its unit.
        rule: when the measured interval supports or contradicts it.
        figure: name of the figure that shows it.
        experiments: names of the experiments it is judged on.
        evaluate: fit tables of one experiment -> the metric with its interval; None where the
            experiment lacks what the claim needs.
    """

    id: str
    paper: str
    statement: str
    metric: str
    rule: Rule
    figure: str
    experiments: tuple[str, ...]
    evaluate: Callable[[Fits], Interval | None]


def load_claims() -> list[Claim]:
    """Return all claims in the order of their file names.

    Raises:
        ValueError: a file assigns no `CLAIM`, or one whose id is not the file's name.
    """
    found = []
    for name in sorted(module.name for module in pkgutil.iter_modules(claims.__path__)):
        module = importlib.import_module(f"{claims.__name__}.{name}")
        claim = getattr(module, "CLAIM", None)
        if not isinstance(claim, Claim) or claim.id != name:
            raise ValueError(f"fits/claims/{name}.py must assign CLAIM = Claim(id={name!r}, ...)")
        found.append(claim)
    return found


def read(
    fits: Fits,
    table: str,
    value: str,
    limits: tuple[str, str] = ("ci_low", "ci_high"),
    **where: str | int,
) -> Interval | None:
    """Return the value and limits of the one row of a fit table that matches `where`.

    Args:
        fits: fit tables by name.
        table: its name.
        value: column of the value.
        limits: columns of the interval's ends.
        **where: column = wanted content.

    Returns:
        The interval, or None if the table or row is absent.

    Raises:
        ValueError: several rows match (two depths, say): the claim must name which one it means.
    """
    if table not in fits:
        return None
    rows = fits[table]
    for column, wanted in where.items():
        rows = rows[rows[column] == wanted]
    if len(rows) > 1:
        raise ValueError(f"{len(rows)} rows of {table} match {where}: the claim must name one")
    if rows.empty:
        return None
    row = rows.iloc[0]
    return Interval(float(row[value]), float(row[limits[0]]), float(row[limits[1]]))


def extra_regret(fits: Fits, arm: str, baseline: str) -> Interval | None:
    """Return how much more loss (nats) `arm` gives up than `baseline` at the widest common net.

    None without a net wider than the one whose optimum is used.
    """
    if "regret" not in fits:
        return None
    table = fits["regret"]
    widths = [set(table.loc[table["arm"] == name, "width"]) for name in (arm, baseline)]
    common = widths[0] & widths[1]
    if not common or max(common) == min(table["from_width"]):
        return None
    worse = read(fits, "regret", "regret", arm=arm, width=max(common))
    better = read(fits, "regret", "regret", arm=baseline, width=max(common))
    return None if worse is None or better is None else difference(worse, better)
