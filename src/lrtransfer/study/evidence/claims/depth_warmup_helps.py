"""Warm-up brings back part of the transfer over depth (Fig. 6)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import drift, minus
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="depth_warmup_helps",
    paper="super-consistency",
    statement="With unscaled branches a warm-up lessens the fall of the optimum with depth",
    metric=(
        "drift of the optimal log2 learning rate per doubling of depth, with warm-up minus without"
    ),
    rule=Above(0.0),
    figure="optima",
    experiments=("depth_transfer",),
    evaluate=lambda fits: minus(drift(fits, "zero_k1_warmup"), drift(fits, "zero_k1")),
)
