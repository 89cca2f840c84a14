"""A Transformer's optimum transfers over width under Adam and μP (Fig. 16)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import drift
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="gpt_mup_optimum_stays",
    paper="super-consistency",
    statement=(
        "Under μP the optimal learning rate of a Transformer on text does not depend on width"
    ),
    metric="drift of the optimal log2 learning rate per doubling of width",
    rule=Within(-0.25, 0.25),
    figure="optima",
    experiments=("width_transfer_gpt",),
    evaluate=lambda fits: drift(fits, "mup"),
)
