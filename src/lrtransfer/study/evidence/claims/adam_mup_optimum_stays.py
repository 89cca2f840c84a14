"""Under Adam and μP the optimal learning rate transfers over width (Fig. 21)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import drift
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="adam_mup_optimum_stays",
    paper="super-consistency",
    statement="Under Adam and μP the optimal learning rate does not depend on width",
    metric="drift of the optimal log2 learning rate per doubling of width",
    rule=Within(-0.25, 0.25),
    figure="optima",
    experiments=("width_transfer_adam",),
    evaluate=lambda fits: drift(fits, "mup"),
)
