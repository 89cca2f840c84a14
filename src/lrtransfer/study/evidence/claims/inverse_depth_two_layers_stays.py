"""Branches ∝ 1/depth transfer with two layers per branch (Dey et al. 2025, "CompleteP")."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import drift
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="inverse_depth_two_layers_stays",
    paper="complete-p",
    statement=(
        "With branches ∝ 1/depth of two layers the optimal learning rate does not depend on depth"
    ),
    metric="drift of the optimal log2 learning rate per doubling of depth",
    rule=Within(-0.25, 0.25),
    figure="optima",
    experiments=("depth_transfer",),
    evaluate=lambda fits: drift(fits, "one_k2"),
)
