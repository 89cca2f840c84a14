"""A tuner on the edge in place of a parameterization: SP."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import drift
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="joint_cdat_transfers_under_sp",
    paper="joint",
    statement="Under SP the best σ of CDAT does not depend on width",
    metric="drift of log2 σ per doubling of width under SP with CDAT",
    rule=Within(-0.25, 0.25),
    figure="optima",
    experiments=("joint",),
    evaluate=lambda fits: drift(fits, "sp_cdat"),
)
