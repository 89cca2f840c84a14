"""On text μP loses less than SP when the narrow optimum is used on the wide net (Fig. 16)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import extra_regret
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="gpt_mup_transfers_better_than_sp",
    paper="super-consistency",
    statement=(
        "The narrow Transformer's best learning rate costs the wide one less under μP than under SP"
    ),
    metric="regret at the widest net, SP minus μP, nats",
    rule=Above(0.0),
    figure="width_transfer",
    experiments=("width_transfer_gpt",),
    evaluate=lambda fits: extra_regret(fits, "sp", "mup"),
)
