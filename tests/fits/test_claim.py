import sys

import pandas as pd
import pytest

from lrtransfer.fits import claims
from lrtransfer.fits.claim import extra_regret, load_claims, read
from lrtransfer.fits.intervals import Interval

NEW = """
from lrtransfer.fits.claim import Claim
from lrtransfer.fits.rules import Above

CLAIM = Claim(
    id="{id}", paper="p", statement="s", metric="m", rule=Above(0.0), figure="f",
    experiments=("planted",), evaluate=lambda fits: None,
)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "__path__", [*claims.__path__, str(tmp_path)])
    yield tmp_path
    for name in [n for n in sys.modules if n.startswith(f"{claims.__name__}.a_new")]:
        del sys.modules[name]


def test_a_new_claim_is_one_new_file(folder):
    (folder / "a_new_claim.py").write_text(NEW.format(id="a_new_claim"))
    assert load_claims()[0].id == "a_new_claim"


@pytest.mark.parametrize("content", [NEW.format(id="another"), "CLAIM = 3", ""])
def test_a_file_without_its_own_claim_is_refused(folder, content):
    (folder / "a_new_mistake.py").write_text(content)
    with pytest.raises(ValueError, match="a_new_mistake"):
        load_claims()


def test_claims_come_in_the_order_of_their_names():
    names = [claim.id for claim in load_claims()]
    assert names == sorted(names) and len(names) == 12


def test_reading_finds_the_one_row_or_nothing():
    fits = {"drift": pd.DataFrame({"arm": ["a", "b"], "slope": 1.0, "ci_low": 0.0, "ci_high": 2.0})}
    assert read(fits, "drift", "slope", arm="a") == Interval(1, 0, 2)
    assert read(fits, "drift", "slope", arm="c") is None
    assert read(fits, "trends", "slope", arm="a") is None
    with pytest.raises(ValueError, match="2 rows of drift"):
        read(fits, "drift", "slope")


def regrets(wide_arms=("mup", "sp")):
    rows = [
        {"arm": arm, "width": width, "from_width": 32, "regret": value, "ci_low": value - 1.0,
         "ci_high": value + 1.0}
        for arm, width, value in [("mup", 32, 0), ("sp", 32, 0), ("mup", 64, 2), ("sp", 64, 5)]
        if width == 32 or arm in wide_arms
    ]  # fmt: skip
    return {"regret": pd.DataFrame(rows)}


def test_extra_regret_compares_the_widest_common_net():
    assert extra_regret(regrets(), "sp", "mup") == pytest.approx((3, 3 - 2**0.5, 3 + 2**0.5))


def test_extra_regret_needs_a_net_wider_than_the_source():
    assert extra_regret(regrets(wide_arms=("sp",)), "sp", "mup") is None
    assert extra_regret(regrets(), "ntp", "mup") is None
    assert extra_regret({}, "sp", "mup") is None
