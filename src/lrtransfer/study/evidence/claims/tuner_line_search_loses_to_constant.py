"""Line search loses to a tuned constant rate over a run (Figs. 1 and 12)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import descending, loss_ratio
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="tuner_line_search_loses_to_constant",
    paper="cdat",
    statement="Line search loses to a tuned constant learning rate over a full-batch run",
    metric="log2 of the final training loss, line search over the best constant",
    rule=Above(0.0),
    figure="tuner_losses",
    experiments=("tuners", "tuners_convnet", "tuners_mixer", "tuners_gpt", "tuners_vit"),
    evaluate=lambda fits: loss_ratio(
        fits, descending(fits, "line_search"), descending(fits, "constant")
    ),
)
