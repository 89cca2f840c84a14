"""The greedy step beats the one on the edge at every single step (Fig. 16)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import share
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="tuner_greedy_wins_every_step",
    paper="cdat",
    statement=(
        "At every single step the greedy learning rate lowers the loss more than the one on the "
        "edge"
    ),
    metric="share of measured steps at which the greedy step ends lower, on both trajectories",
    rule=Above(0.95),
    figure="greedy_against_on_edge",
    experiments=("tuners",),
    evaluate=lambda fits: share(fits, ("greedy", "on_edge"), "one_step_greedy", "one_step_on_edge"),
)
