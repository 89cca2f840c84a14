"""The two-layer linear net's optimum does not depend on width under μP (Fig. 10)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import drift
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="toy_mup_optimum_stays",
    paper="super-consistency",
    statement=(
        "Under μP the optimal learning rate of the two-layer linear net does not depend on width"
    ),
    metric="drift of the optimal log2 learning rate per doubling of width",
    rule=Within(-0.1, 0.1),
    figure="optima",
    experiments=("two_layer_linear",),
    evaluate=lambda fits: drift(fits, "mup"),
)
