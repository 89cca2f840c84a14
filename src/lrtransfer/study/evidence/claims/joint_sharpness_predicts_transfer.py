"""Over arms the optimum goes where the sharpness says."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import predictor
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="joint_sharpness_predicts_transfer",
    paper="super-consistency",
    statement="Over widths the best learning rate goes the way that the sharpness foretells",
    metric="rank correlation over arms of drift and minus log2 of rate × curvature per doubling",
    rule=Above(0.0),
    figure="predictors",
    experiments=("joint",),
    evaluate=lambda fits: predictor(fits, "edge_sharpness", "whole"),
)
