"""Warm-up brings back part of SP's transfer over width (Fig. 7)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import extra_regret
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="sp_warmup_transfers_better",
    paper="super-consistency",
    statement=(
        "A warm-up lessens what the narrow net's best learning rate costs the wide net under SP"
    ),
    metric="regret at the widest net, SP without minus with warm-up, nats",
    rule=Above(0.0),
    figure="width_transfer",
    experiments=("width_transfer_warmup",),
    evaluate=lambda fits: extra_regret(fits, "sp", "sp_warmup"),
)
