"""What a claim on weight decay says whose conditions fail."""

from __future__ import annotations

from typing import Any

from lrtransfer.study.evidence.experiment import Experiment
from lrtransfer.study.evidence.ledger import ledger, table

from .decay_runs import study
from .planted import CLAIMS
from .rows import stored


def judged(**options: Any) -> dict[str, dict[str, Any]]:
    own = {"weight_decay": stored(Experiment(*study(**options)).estimates())}
    return {record["id"]: record for record in ledger(own, CLAIMS, scale="laptop")}


def test_a_claim_whose_condition_fails_is_inconclusive_with_the_reason() -> None:
    found, spoilt = judged(), judged(samples=1000.0)
    name = "decay_ratio_loses_width"
    assert (found[name]["verdict"], found[name]["power"]) == ("supported", "decided")
    assert (spoilt[name]["verdict"], spoilt[name]["p_value"]) == ("inconclusive", None)
    assert "Raise the batch to 2048 samples" in spoilt[name]["power"]
    assert spoilt["decay_ratio_starts_with_root_width"]["verdict"] == "supported", "no condition"
    assert spoilt[name]["power"] in table(list(spoilt.values()))
    lacking = found["decay_fast_embedding_matches"]
    assert (lacking["verdict"], bool(lacking["power"])) == ("inconclusive", True)
