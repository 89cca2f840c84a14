"""Depth-μP with one layer per branch transfers over depth (Fig. 4a)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import drift
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="depth_mup_optimum_stays",
    paper="super-consistency",
    statement=(
        "With branches ∝ 1/√depth of one layer the optimal learning rate does not depend on depth"
    ),
    metric="drift of the optimal log2 learning rate per doubling of depth",
    rule=Within(-0.25, 0.25),
    figure="optima",
    experiments=("depth_transfer",),
    evaluate=lambda fits: drift(fits, "half_k1"),
)
