"""Over arms the optimum goes where the relative updates say."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import predictor
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="joint_updates_predict_transfer",
    paper="weight-decay",
    statement="Over widths the best learning rate goes the way that late relative updates foretell",
    metric="rank correlation over arms of drift and minus log2 of late updates per doubling",
    rule=Above(0.0),
    figure="predictors",
    experiments=("joint",),
    evaluate=lambda fits: predictor(fits, "relative_update_without_decay", "late"),
)
