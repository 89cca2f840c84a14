"""Under Adam and SP the optimal learning rate falls with width (Fig. 7, there under SGD)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import drift
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="adam_sp_optimum_shifts_down",
    paper="super-consistency",
    statement="Under Adam and SP the optimal learning rate shifts down with width",
    metric="drift of the optimal log2 learning rate per doubling of width",
    rule=Below(-0.1),
    figure="optima",
    experiments=("width_transfer_adam",),
    evaluate=lambda fits: drift(fits, "sp"),
)
