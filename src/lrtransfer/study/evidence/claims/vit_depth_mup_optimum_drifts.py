"""A vision transformer's optimum drifts under 1/√depth (Fig. 4c)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import drift
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="vit_depth_mup_optimum_drifts",
    paper="super-consistency",
    statement=(
        "With branches ∝ 1/√depth the optimal learning rate of a vision transformer drifts up "
        "with depth"
    ),
    metric="drift of the optimal log2 learning rate per doubling of depth",
    rule=Above(0.1),
    figure="optima",
    experiments=("depth_transfer_vit",),
    evaluate=lambda fits: drift(fits, "depth_mup"),
)
