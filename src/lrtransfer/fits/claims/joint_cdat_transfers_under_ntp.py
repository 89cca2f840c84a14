"""A tuner on the edge in place of a parameterization: NTP."""

from lrtransfer.fits.claim import Claim
from lrtransfer.fits.effects import drift
from lrtransfer.fits.rules import Within

CLAIM = Claim(
    id="joint_cdat_transfers_under_ntp",
    paper="lrtransfer",
    statement="Under NTP a tuner that controls the curvature gives the transfer that NTP lacks",
    metric="drift of log2 σ per doubling of width under NTP with CDAT",
    rule=Within(-0.25, 0.25),
    figure="optima",
    experiments=("joint",),
    evaluate=lambda fits: drift(fits, "ntp_cdat"),
)
