"""Under μP the optimum transfers over width at batches of 32 (Fig. 13)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import drift
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="batch_32_optimum_stays",
    paper="super-consistency",
    statement=(
        "Under μP with batches of 32 samples the optimal learning rate does not depend on width"
    ),
    metric="drift of the optimal log2 learning rate per doubling of width",
    rule=Within(-0.25, 0.25),
    figure="optima",
    experiments=("batch_size",),
    evaluate=lambda fits: drift(fits, "b32"),
)
