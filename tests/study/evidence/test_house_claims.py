"""A claim is one entry, and a measure is one function in one file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lrtransfer.study.evidence import measure as room
from lrtransfer.study.evidence import measures as folder
from lrtransfer.study.evidence.ledger import ledger
from lrtransfer.study.plan import measures as declared
from lrtransfer.study.plan.claims import parse_claims
from lrtransfer.study.plan.load import load_study
from lrtransfer.study.plan.yaml_file import StudyError
from tests.study.plan.package_copy import PackageCopy, package_copy
from tests.tiny import PARAMS

from .planted import estimates, row

NEW = '''"""How long the valley is."""

from __future__ import annotations

from typing import Literal

from lrtransfer.study.evidence.estimates import Estimates
from lrtransfer.study.evidence.measure import Arm, measure
from lrtransfer.transfer.estimate import Estimate


@measure("{end} end of the valley of {arm} at the narrowest {axis}", unit="octaves", kind="mean")
def valley_end(
    estimates: Estimates, *, arm: Arm, end: Literal["low", "high"] = "low"
) -> Estimate | None:
    """Return where the valley of the smallest net ends."""
    return estimates.one(f"valley_{end}", arm=arm, size=min(estimates.sizes(f"valley_{end}", arm)))
'''
STUDY = load_study(PARAMS)


def entry(**options: Any) -> dict[str, Any]:
    return {
        "super-consistency": {
            "valleys_end_early": {
                "says": "Valleys end early",
                "source": "Fig. 1",
                "experiments": ["width_transfer_vision"],
                "figure": "width_transfer",
                "measure": {"valley_end": {"arm": "mup", **options}},
                "rule": {"below": 2},
            }
        }
    }


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageCopy]:
    caches = (declared._measures, room._every)
    with package_copy(tmp_path, monkeypatch) as copy:
        copy.append("study/evidence/measures/valley.py", NEW)
        with monkeypatch.context() as patched:
            patched.setattr(folder, "__path__", [str(copy.folder / "study/evidence/measures")])
            for cached in caches:
                cached.cache_clear()
            yield copy
    sys.modules.pop(f"{folder.__name__}.valley", None)
    for cached in caches:
        cached.cache_clear()


@pytest.mark.usefixtures("package")
def test_a_measure_in_a_new_file_judges_a_claim() -> None:
    own = estimates(
        row("valley_high", 1.5, arm="mup", size=32),
        row("valley_high", 7.0, arm="mup", size=64),
        row("best_rate", 1.0, arm="mup", size=32),
    )
    asked = parse_claims(entry(end="high"), STUDY)
    record, _ = ledger({"width_transfer_vision": own}, asked, scale="laptop")
    assert (record["id"], record["verdict"]) == ("valleys_end_early", "supported")
    assert record["metric"] == "high end of the valley of mup at the narrowest width, octaves"


@pytest.mark.usefixtures("package")
def test_the_options_of_a_new_measure_are_checked() -> None:
    with pytest.raises(StudyError) as caught:
        parse_claims(entry(end="middle", minsu="sp"), STUDY)
    path = "claims.yaml: super-consistency.valleys_end_early.measure.valley_end"
    assert caught.value.lines == [
        f"{path}.end: 'middle' does not fit. Give one of low, high.",
        f"{path}.minsu: 'valley_end' has no such option. Did you mean 'minus'?",
    ]


def test_without_the_file_the_measure_is_unknown() -> None:
    with pytest.raises(StudyError, match="unknown measure 'valley_end'"):
        parse_claims(entry(), STUDY)
