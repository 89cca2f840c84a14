"""Exponents in width of every layer of a family, predicted and measured, under AdamW.

    python -m tests.families.exponents docs/family-exponents.csv [FAMILY …]

The algebra is that of a first step (docs/coordinate-check.md): an update of entries N^e moves the
output of a matrix whose fan-in grows by N^(e + 1); the readout, whose entries A the change of the
features was made of, by A + 1 + r. Sums of several contributions show at finite widths between the
largest and ½ below it, or the smallest.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd
import torch

import lrtransfer as lt
from lrtransfer.coordinates.model_check import ModelCheck

from .nets import FAMILIES, Shape
from .tables import row_of, rows

# Convolutions are checked at the narrow ones; a bottleneck's inner maps have a fourth of the width.
WIDTHS, NARROW, WIDE = (32, 64, 128, 256), (8, 16, 32, 64), (128, 256, 512, 1024)
READOUTS = frozenset(
    {"lm_head", "classifier", "classifier.1", "fc", "readout", "cls.predictions.decoder"}
)

Ends = tuple[float, float]

# Kind -> start, own, change. μP: queries have 1/√d in them, readouts of equal rates start at N^-½.
MUP: dict[str, tuple[Ends, Ends, Ends]] = {
    "features": ((0, 0), (0, 0), (0, 0)),
    "queries": ((-0.5, -0.5), (-0.5, -0.5), (-0.5, -0.5)),
    "router": ((-0.5, -0.5), (0, 0), (-0.5, 0)),
    "readout": ((-0.5, -0.5), (0, 0), (-0.5, 0)),
    # A tied readout's multiplier 1/N is in the norm before it; a token's own logit is a sum of
    # squares where the stream still holds its embedding.
    "final norm": ((-1, -1), (-1, -1), (-1, -1)),
    "tied readout": ((-0.5, 0), (0, 0), (-0.5, 0)),
    "bias of the readout": ((-0.5, 0), (0, 0), (-0.5, 0)),  # its module returns the logits
}
# SP: one rate at every width. Features change by N, and through attention logits by N^1½.
SP: dict[str, tuple[Ends, Ends, Ends]] = {
    "features": ((0, 0), (0, 0), (0, 1.5)),
    "matrix": ((0, 0), (1, 1), (0.5, 1.5)),
    "attention": ((0, 0), (1, 1.5), (0.5, 1.5)),
    "router": ((0, 0), (1, 1), (0.5, 1.5)),
    "readout": ((0, 0), (1, 1), (1, 1.5)),
    "final norm": ((-0.5, -0.5), (-0.5, -0.5), (-0.5, 1)),
    "tied readout": ((0, 0.5), (0.5, 0.5), (1, 1.5)),
    "bias of the readout": ((0, 0.5), (0, 0), (1, 1.5)),
}
RULES = {"mup": MUP, "sp": SP}


def kind(module: str, found: Sequence[str], family: str, shape: Shape, rule: str) -> str:
    """Return the kind of a module that holds the parameters `found`."""
    own = [row_of(name, rows(family, shape, 1)) for name in found]
    roles, marks = {row.role for row in own}, set().union(*(row.marks for row in own))
    tied = FAMILIES[family].ties(shape)
    if module == "cls.predictions":
        return "bias of the readout" if tied else "unused"  # the readout has one of its own
    if module in READOUTS:
        return "tied readout" if tied else "readout"
    if "final" in marks and tied:
        return "final norm"
    if rule == "mup" and "queries" in marks:
        return "queries"
    if "output" in roles:
        return "router"
    if rule == "sp" and "hidden" in roles:
        return "attention" if module.endswith("attn") and family == "torch" else "matrix"
    return "features"


def table(
    family: str,
    rule: str,
    *,
    widths: Sequence[int] | None = None,
    seeds: Iterable[int] = range(4),
    shape: Shape = Shape(),  # noqa: B008, immutable
    steps: int = 10,
) -> pd.DataFrame:
    """Return a row for each layer and quantity: its exponent, the predicted ends, the distance."""
    usual = NARROW if family in {"ResNet", "torchvision"} else WIDTHS
    if family == "ResNet" and shape.swapped:
        usual = WIDE
    check = lt.coordinate_check(
        lambda width: FAMILIES[family].make(width, shape),
        widths=widths or usual,
        rule=rule,
        inputs=FAMILIES[family].inputs(),
        seeds=tuple(seeds),
        steps=steps,
    )
    # `nn.MultiheadAttention` does not call its output map, nor Mamba all of its layers.
    left = {"torch": r".*[.]out_proj[.].*", "Mamba": ".*[.]mixer[.].*", "Mamba2": ".*[.]mixer[.].*"}
    assert all(re.fullmatch(left.get(family, ""), name) for name in check.unmeasured)
    return pd.DataFrame(list(_rows(check, family, rule, shape)))


def _rows(check: ModelCheck, family: str, rule: str, shape: Shape) -> Iterator[dict[str, Any]]:
    for layer in check.layers:
        sort = kind(layer.name, layer.parameters, family, shape, rule)
        if sort == "unused":
            continue
        for judged in layer.coordinates:
            quantity = judged.coordinates.quantity
            if quantity not in ("start", "own", "change"):
                continue
            low, high = RULES[rule][sort][("start", "own", "change").index(quantity)]
            value, lower, upper = judged.measured
            yield {
                "family": family,
                "rule": rule,
                "layer": layer.name,
                "kind": sort,
                "quantity": quantity,
                "exponent": value,
                "half_width": (upper - lower) / 2,
                "predicted_low": low,
                "predicted_high": high,
                "distance": abs(value - min(max(value, low), high)),
            }


def main(path: str, *families: str) -> None:
    """Measure the whole matrix, or the families that are named, and write it."""
    found = []
    for family in families or FAMILIES:
        for rule in RULES:
            found.append(table(family, rule))
            worst = found[-1].groupby("quantity")["distance"].max().round(3).to_dict()
            print(family, rule, worst, flush=True)
            pd.concat(found).round(3).to_csv(path, index=False)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(*sys.argv[1:])
