"""The greedy rate loses to a tuned constant one over a run (Figs. 1 and 12)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import descending, loss_ratio
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="tuner_greedy_loses_to_constant",
    paper="cdat",
    statement=(
        "The learning rate that is greedy for one step loses to a tuned constant one over a "
        "full-batch run"
    ),
    metric="log2 of the final training loss, greedy over the best constant",
    rule=Above(0.0),
    figure="tuner_losses",
    experiments=("tuners", "tuners_convnet", "tuners_mixer", "tuners_gpt", "tuners_vit"),
    evaluate=lambda fits: loss_ratio(
        fits, descending(fits, "greedy"), descending(fits, "constant")
    ),
)
