"""A tuner on the edge in place of a parameterization: NTP."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import drift
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="joint_cdat_transfers_under_ntp",
    paper="joint",
    statement="Under NTP the best σ of CDAT does not depend on width",
    metric="drift of log2 σ per doubling of width under NTP with CDAT",
    rule=Within(-0.25, 0.25),
    figure="optima",
    experiments=("joint",),
    evaluate=lambda fits: drift(fits, "ntp_cdat"),
)
