"""Depth-μP with two layers per branch does not transfer (Fig. 4b)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import drift, minus
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="depth_two_layers_shift_more",
    paper="super-consistency",
    statement="With branches ∝ 1/√depth the optimum shifts up more where a branch has two layers",
    metric="drift of the optimal log2 learning rate per doubling of depth, two layers minus one",
    rule=Above(0.0),
    figure="optima",
    experiments=("depth_transfer",),
    evaluate=lambda fits: minus(drift(fits, "half_k2"), drift(fits, "half_k1")),
)
