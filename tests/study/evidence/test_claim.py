import sys
from pathlib import Path

import pytest

from lrtransfer.study.evidence import claims
from lrtransfer.study.evidence.claim import load_claims

NEW = """
from lrtransfer.study.evidence.claim import Claim
from lrtransfer.transfer.rules import Above

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
    files = [path.stem for path in Path(claims.__path__[0]).glob("[!_]*.py")]
    assert names == sorted(files) and len(names) >= 47
