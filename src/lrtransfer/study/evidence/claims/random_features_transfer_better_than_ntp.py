"""Random features lose less than NTP when the narrow optimum is used on the wide net (Fig. 26)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import extra_regret
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="random_features_transfer_better_than_ntp",
    paper="super-consistency",
    statement=(
        "The narrow net's best learning rate costs the wide net less with random features than "
        "under NTP"
    ),
    metric="regret at the widest net, NTP minus random features, nats",
    rule=Above(0.0),
    figure="width_transfer",
    experiments=("random_features",),
    evaluate=lambda fits: extra_regret(fits, "ntp", "random_features"),
)
