"""Under μP the optimal learning rate transfers over width (Fig. 1)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import drift
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="mup_optimum_stays",
    paper="super-consistency",
    statement="Under μP the optimal learning rate does not depend on width",
    metric="drift of the optimal log2 learning rate per doubling of width",
    rule=Within(-0.1, 0.1),
    figure="width_transfer",
    experiments=("width_transfer_vision",),
    evaluate=lambda fits: drift(fits, "mup"),
)
