"""CDAT's distance from the edge over widths: SP."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import predicted_drift
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="joint_cdat_holds_the_edge_under_sp",
    paper="cdat",
    statement="Under SP CDAT keeps training equally far from the edge of stability at every width",
    metric="minus log2 of rate times curvature per doubling of width under SP with CDAT",
    rule=Within(-0.25, 0.25),
    figure="predictors",
    experiments=("joint",),
    evaluate=lambda fits: predicted_drift(fits, "sp_cdat", "edge_sharpness", "whole"),
)
