"""Under μP the optimum transfers over width at the output scale γ₀ = 1/2."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import drift
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="gamma_half_optimum_stays",
    paper="super-consistency",
    statement="Under μP with γ₀ = 1/2 the optimal learning rate does not depend on width",
    metric="drift of the optimal log2 learning rate per doubling of width",
    rule=Within(-0.25, 0.25),
    figure="optima",
    experiments=("output_scale",),
    evaluate=lambda fits: drift(fits, "half"),
)
