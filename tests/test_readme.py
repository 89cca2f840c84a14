"""README and documents outside the gallery: what they quote is what the ledger holds."""

from __future__ import annotations

import re

import pytest

from tests.quotes import ROOT, agrees, asked, hold, ledger

README = (ROOT / "README.md").read_text(encoding="utf-8")
QUOTING = ["README.md", "docs/caveats.md", "docs/log.md"]

# What the README says in plain words -> the claim, and how its value becomes the number.
OCTAVES_OF_WIDTH = 3  # 32 to 256
PLAIN = {
    r"asks for (\S+) times the rate under μP": ("mup_optimum_stays", lambda v: 2**v),
    r"and for (\S+) times under NTP": (
        "ntp_optimum_shifts_up",
        lambda v: 2 ** (OCTAVES_OF_WIDTH * v),
    ),
}


def value_of(claim: str, experiment: str = "width_transfer_vision") -> float:
    return float(ledger()[experiment, claim]["value"])


@pytest.mark.parametrize("document", QUOTING)
def test_a_document_quotes_the_ledger(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    quotes = hold(text)
    ids = {claim for _, claim in asked()}
    spoken = [name for name in re.findall(r"`(?:\w+/)?(\w+)`", text) if name in ids]
    assert len(spoken) == len(quotes) > 5, "a claim is named without number, interval and verdict"


@pytest.mark.parametrize("sentence", PLAIN, ids=lambda s: PLAIN[s][0])
def test_plain_words_follow_from_the_ledger(sentence: str) -> None:
    claim, number = PLAIN[sentence]
    found = re.search(sentence, README)
    assert found and agrees(found[1], number(value_of(claim)))


def test_updates_fall_by_a_third_with_each_doubling() -> None:
    assert "updates fall by a third with each doubling" in README
    slope = value_of("decay_standard_updates_fall", "weight_decay")
    assert 2**slope == pytest.approx(2 / 3, abs=0.04)


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 120
