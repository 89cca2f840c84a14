"""The gallery quotes the committed ledger: every number, verdict and conclusion follows from it.

The ledger holds whole experiments; of a claim on another one only its name is checked.
"""

from __future__ import annotations

import re

import pytest

from tests.quotes import QUOTE, ROOT, VERDICTS, agrees, asked, hold, ledger
from tests.requote import requoted

GALLERY = ROOT / "docs" / "gallery.md"
_LINK = re.compile(r"\]\(([^)#]+)\)")


def rows() -> list[list[str]]:
    """Return the cells of every row of every table of the gallery, without the heads."""
    lines = GALLERY.read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| figure |")]
    return [[cell.strip() for cell in row.strip("| ").split(" | ")] for row in rows]


def follows(verdicts: set[str]) -> set[str]:
    """Return the conclusions that verdicts on a figure's claims allow."""
    if not verdicts:
        return {"no rule", "not drawn", "–"}
    if verdicts == {"supported"}:
        return {"yes", "in part"}
    if verdicts == {"inconclusive"}:
        return {"undecided"}
    return {"in part"} if "supported" in verdicts else {"no"}


def test_the_ledger_holds_whole_experiments_and_at_least_the_core() -> None:
    judged = {experiment for experiment, _ in ledger()} - {"all"}
    assert judged >= {"width_transfer_vision", "weight_decay", "tuners"}
    assert {pair for pair in ledger() if pair[0] in judged} == {
        pair for pair in asked() if pair[0] in judged
    }


def test_the_gallery_has_a_table_for_each_paper() -> None:
    assert len(rows()) > 60
    assert {len(row) for row in rows()} == {5}


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_what_a_row_quotes_is_what_the_ledger_holds(row: list[str]) -> None:
    quotes = hold(row[3])
    ids = {claim for _, claim in asked()}
    spoken = [name for name in re.findall(r"`(?:\w+/)?(\w+)`", " ".join(row)) if name in ids]
    assert len(spoken) == len(quotes), "a claim is named without number, interval and verdict"


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_conclusion_is_as_strong_as_its_verdicts(row: list[str]) -> None:
    theirs = row[3].partition("Beside, ")[0]
    verdicts = {quote["verdict"] for quote in QUOTE.finditer(theirs)}
    assert row[4] in follows(verdicts), f"{row[0]}: {sorted(verdicts)} do not say {row[4]!r}"


def test_what_the_gallery_links_to_is_there() -> None:
    links = _LINK.findall(GALLERY.read_text(encoding="utf-8"))
    assert len(links) > 60
    assert [link for link in links if not (GALLERY.parent / link).is_file()] == []


@pytest.mark.parametrize(
    ("text", "number", "same"),
    [
        ("0.07", 0.0731, True),
        ("0.08", 0.0731, False),
        ("−0.03", -0.0349, True),
        ("0.03", -0.0349, False),
        ("0.00", -0.0019, True),
        ("∞", None, True),
        ("∞", 3.0, False),
        ("3.0", None, False),
    ],
)
def test_numbers_agree_to_their_last_digit(text: str, number: float | None, same: bool) -> None:
    assert agrees(text, number) is same


def test_mixed_verdicts_are_neither_yes_nor_no() -> None:
    assert follows({"supported", "contradicted"}) == {"in part"}
    assert follows({"inconclusive", "contradicted"}) == {"no"}
    assert "yes" not in follows({"supported", "inconclusive"})


def test_another_ledger_s_numbers_are_written_over_as_they_are_quoted() -> None:
    quoted = next(q for row in rows() for q in QUOTE.finditer(row[3]) if "∞" not in q[0])
    verdict = next(verdict for verdict in VERDICTS if verdict != quoted["verdict"])
    other = quoted[0].replace(quoted["value"], "9.99", 1).replace(quoted["verdict"], verdict)
    assert requoted(f"before {quoted[0]} after") == f"before {quoted[0]} after"
    (again,) = hold(requoted(f"before {other} after"))
    assert again["verdict"] == quoted["verdict"]
