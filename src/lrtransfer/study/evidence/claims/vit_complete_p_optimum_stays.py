"""CompleteP transfers over a Transformer's depth (Dey et al. 2025, "CompleteP")."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import drift
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="vit_complete_p_optimum_stays",
    paper="complete-p",
    statement=(
        "Under CompleteP the optimal learning rate of a vision transformer does not depend on depth"
    ),
    metric="drift of the optimal log2 learning rate per doubling of depth",
    rule=Within(-0.25, 0.25),
    figure="optima",
    experiments=("depth_transfer_vit",),
    evaluate=lambda fits: drift(fits, "complete_p"),
)
