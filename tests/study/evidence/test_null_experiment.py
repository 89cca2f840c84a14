"""The widest net's own seeds against each other: nothing differs, grows or falls.

`seeds_of_one_net.csv` holds the curves of 16 seeds (100 to 115) of the core's width 256 under μP,
trained as `width_transfer_vision` measures it. docs/statistics.md has the table.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lrtransfer.study.evidence.consistency import distance, fit_distance
from lrtransfer.transfer.estimate import Estimate
from lrtransfer.transfer.rules import Above, Below, Rule

CURVES = pd.read_csv(Path(__file__).with_name("seeds_of_one_net.csv"))
SPLITS = 200


def null_experiment(quantity: str, seeds: int, sizes: int) -> dict[str, float]:
    """Return the share of random splits that support a statement, and the mean β."""
    table = CURVES.pivot(index="seed", columns="step", values=quantity)
    steps = table.columns.to_numpy(dtype=np.float64)
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(SPLITS):
        chosen = rng.permutation(table.to_numpy())[: seeds * (sizes + 1)]
        *nets, reference = np.split(chosen, sizes + 1)
        values = np.stack(nets)
        found = distance(steps, values, reference, list(range(seeds)), together=False)
        said: dict[str, tuple[Estimate, Rule]] = {
            "differs": (found.overlap, Above(0)),
            "grows": (found.distance_growth, Above(0)),
            "falls": (found.distance_growth, Below(0)),
            "same": (found.overlap, Below(0.25)),
        }
        verdicts = {name: e.verdict(rule, 0.95) == "supported" for name, (e, rule) in said.items()}
        beta = fit_distance(steps, values, reference.mean(axis=0)).beta.mean()
        rows.append({**verdicts, "beta": beta})
    shares = pd.DataFrame(rows).astype(float).mean()
    return {name: float(shares[name]) for name in rows[0]}


@pytest.mark.parametrize("quantity", ["sharpness", "ntk", "subset_loss"])
@pytest.mark.parametrize(("seeds", "sizes"), [(3, 3), (5, 1)])
def test_seeds_of_one_net_do_not_differ_grow_or_fall_apart(
    quantity: str, seeds: int, sizes: int
) -> None:
    found = null_experiment(quantity, seeds, sizes)
    assert max(found[name] for name in ("differs", "grows", "falls")) <= 0.05, found
    assert found["same"] > (0.5 if seeds == 3 else 0.85), found
    assert found["beta"] > 0.3, "the exponent sees growth where there is none"
