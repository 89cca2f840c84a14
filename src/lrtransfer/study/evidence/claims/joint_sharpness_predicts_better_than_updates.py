"""Where two papers disagree: sharpness against relative updates."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import predictor_gap
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="joint_sharpness_predicts_better_than_updates",
    paper="joint",
    statement="The sharpness foretells the drift of the learning rate better than relative updates",
    metric="difference of the two rank correlations over arms",
    rule=Above(0.0),
    figure="predictors",
    experiments=("joint",),
    evaluate=lambda fits: predictor_gap(
        fits, ("edge_sharpness", "whole"), ("relative_update_without_decay", "late")
    ),
)
