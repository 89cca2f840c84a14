"""How often nominal 95 % intervals hold the truth, cell by cell.

`python -m tests.transfer.coverage TABLE STUDIES` writes the table of all cells, in rounds of twenty
studies a cell, so that what is done by any time can be read, and goes on where it was stopped.
With `--equal` it writes those of four sizes whose optima are equal.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from lrtransfer.transfer.estimate import Estimate
from lrtransfer.transfer.laws import fits
from lrtransfer.transfer.optimum import of_law
from lrtransfer.transfer.predict import PredictionRefused, predicted
from lrtransfer.transfer.regret import regrets
from lrtransfer.transfer.rules import Within, verdict
from lrtransfer.transfer.sweeps import groups_of

from .shapes import CELLS, DRIFTS, TUNED, study

SIZES, SEEDS = (4, 2, 3, 6), (3, 1, 5, 10)
CONFIDENCE = 0.95
ROUND = 20
_BLOCK = ("round", "sizes", "seeds", "cell")
NARROW = Within(-0.1, 0.1)
#: A true drift just outside of what `NARROW` allows.
OUTSIDE = 0.1001
MIXED = (*DRIFTS, OUTSIDE)


def tried(
    cell: str, sizes: int, seeds: int, studies: int, seed: int = 0, drifts: Sequence[float] = MIXED
) -> pd.DataFrame:
    """One row per study and quantity: whether it was covered, refused, how wide it was.

    The true drifts take turns.
    """
    drawn = []
    for number in range(studies):
        rng = np.random.default_rng([seed, number, sizes, seeds])
        drift = drifts[number % len(drifts)]
        drawn.append(study(CELLS[cell], rng, sizes=sizes, seeds=seeds, drift=drift))
    sweeps = [replace(s, arm=str(i)) for i, own in enumerate(drawn) for s in own.sweeps]
    groups = groups_of(sweeps)
    lost = regrets(sweeps)[sizes - 1 :: sizes]
    rows = []
    for own, group, law, regret in zip(drawn, groups, fits(groups), lost, strict=True):
        judged: dict[str, tuple[Estimate | None, float]] = {
            "optimum": (of_law(law)[0].log2_rate, own.optima[0]),
            "drift": (law.drift, own.drift),
            "regret": (regret.loss, own.regret()),
        }
        if sizes > 2:
            try:
                answer = predicted(group, {"width": 2.0 * group[-1].size})[1]
            except PredictionRefused:
                answer = None
            judged["prediction"] = answer, own.optima[-1] + own.drift
        for quantity, (estimate, truth) in judged.items():
            low, high = np.nan, np.nan
            if estimate is not None:
                _, low, high = estimate.interval(CONFIDENCE)
            rows.append(
                {
                    "cell": cell,
                    "sizes": sizes,
                    "seeds": seeds,
                    "quantity": quantity,
                    "drift": own.drift,
                    "finite": bool(np.isfinite(low) and np.isfinite(high)),
                    "covered": bool(low <= truth <= high),
                    "half_width": (high - low) / 2,
                    "supported": quantity == "drift"
                    and own.drift == OUTSIDE
                    and estimate is not None
                    and verdict(NARROW, estimate.interval(CONFIDENCE)) == "supported",
                }
            )
    return pd.DataFrame(rows)


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Coverage of the finite two-sided answers with its binomial standard error."""
    out = []
    for key, own in rows.groupby(["cell", "sizes", "seeds", "quantity"], sort=False):
        finite = own[own["finite"]]
        share = float(finite["covered"].mean()) if len(finite) else np.nan
        at_threshold = own[own["drift"] == OUTSIDE]
        out.append(
            {
                **dict(zip(("cell", "sizes", "seeds", "quantity"), key, strict=True)),
                "studies": len(own),
                "coverage": share,
                "error": float(np.sqrt(share * (1 - share) / max(len(finite), 1))),
                "refused_or_open": 1 - len(finite) / len(own),
                "half_width": float(finite["half_width"].median()),
                "false_support": float(at_threshold["supported"].mean())
                if own["quantity"].iloc[0] == "drift"
                else np.nan,
            }
        )
    return pd.DataFrame(out)


def write(table: Path, studies: int) -> None:
    """Write the summary of every cell, sizes and seeds, in rounds of `ROUND` studies a cell.

    What was found of each study is kept in a file beside the table, so that a run that was stopped
    goes on where it was.
    """
    kept = table.with_suffix(".studies.csv")
    rows = pd.read_csv(kept) if kept.is_file() else pd.DataFrame(columns=[*_BLOCK])
    done = set(rows[list(_BLOCK)].drop_duplicates().itertuples(index=False, name=None))
    for number in range(-(-studies // ROUND)):
        for sizes, seeds, cell in product(SIZES, SEEDS, CELLS):
            if (number, sizes, seeds, cell) not in done:
                found = tried(cell, sizes, seeds, ROUND, number).assign(round=number)
                text = found.to_csv(index=False, header=not kept.is_file())
                with kept.open("a") as file:
                    file.write(text)
        found = summary(pd.read_csv(kept))
        found.insert(1, "tuned", found["cell"].isin(TUNED))
        found.round(4).to_csv(table, index=False)


def at_equal_optima(studies: int) -> pd.DataFrame:
    """Return coverage where the optima of four sizes are equal, and so lie alike on the grid."""
    cells = product(CELLS, (3, 5, 10))
    found = [summary(tried(cell, 4, seeds, studies, drifts=(0.0,))) for cell, seeds in cells]
    return pd.concat(found).drop(columns="false_support")


if __name__ == "__main__":
    if "--equal" in sys.argv:
        at_equal_optima(int(sys.argv[2])).round(4).to_csv(sys.argv[1], index=False)
    else:
        write(Path(sys.argv[1]), int(sys.argv[2]))
