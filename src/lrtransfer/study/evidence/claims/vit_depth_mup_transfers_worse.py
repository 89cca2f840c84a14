"""1/√depth loses more than CompleteP when the shallow optimum is used on the deep net (Fig. 4c)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import extra_regret
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="vit_depth_mup_transfers_worse",
    paper="super-consistency",
    statement=(
        "The shallow net's best learning rate costs the deep one more with branches ∝ 1/√depth "
        "than under CompleteP"
    ),
    metric="regret at the deepest net, 1/√depth minus CompleteP, nats",
    rule=Above(0.0),
    figure="depth_transfer",
    experiments=("depth_transfer_vit",),
    evaluate=lambda fits: extra_regret(fits, "depth_mup", "complete_p"),
)
