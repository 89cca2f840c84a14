"""The best σ does not depend on the number of samples (Fig. 18)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import sigma_shift
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="tuner_data_leave_best_sigma",
    paper="cdat",
    statement="The best σ does not shift with the number of training samples",
    metric="best σ at 512 samples minus that at 64",
    rule=Within(-0.25, 0.25),
    figure="tuner_sweep",
    experiments=("tuners_data",),
    evaluate=lambda fits: sigma_shift(fits, "n_512", "n_64"),
)
