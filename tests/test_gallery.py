"""The gallery quotes the committed ledger: every number, verdict and conclusion follows from it.

The ledger holds whole experiments; of a claim on another one only its name is checked.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
GALLERY = ROOT / "docs" / "gallery.md"
VERDICTS = ("supported", "contradicted", "inconclusive")

_NUMBER = r"[−\d.∞]+"
_QUOTE = re.compile(
    rf"(?P<value>{_NUMBER})[ \w]* \[(?P<low>{_NUMBER}), (?P<high>{_NUMBER})\] "
    rf"\(`(?:(?P<experiment>\w+)/)?(?P<id>\w+)`, (?P<verdict>{'|'.join(VERDICTS)})\)"
)
_LINK = re.compile(r"\]\(([^)#]+)\)")


@cache
def ledger() -> dict[tuple[str, str], dict[str, Any]]:
    """Return every committed claim by experiment and id."""
    records = json.loads((ROOT / "results" / "claims.json").read_text(encoding="utf-8"))
    return {(record["experiment"], record["id"]): record for record in records}


@cache
def asked() -> set[tuple[str, str]]:
    """Return experiment and id of every claim of claims.yaml."""
    papers = yaml.safe_load((ROOT / "claims.yaml").read_text(encoding="utf-8"))
    return {
        (experiment, claim)
        for entries in papers.values()
        for claim, entry in entries.items()
        for experiment in entry["experiments"]
    }


def rows() -> list[list[str]]:
    """Return the cells of every row of every table of the gallery, without the heads."""
    lines = GALLERY.read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| figure |")]
    return [[cell.strip() for cell in row.strip("| ").split(" | ")] for row in rows]


def named(quote: re.Match[str]) -> tuple[str, str]:
    """Return the claim that a quote names; an experiment is named where several make the claim."""
    claim, experiment = quote["id"], quote["experiment"]
    makers = [e for e, other in asked() if other == claim and experiment in (None, e)]
    assert len(makers) == 1, f"{quote[0]}: {makers} make this claim"
    return makers[0], claim


def agrees(text: str, number: float | None) -> bool:
    """Whether `text` is the number, rounded to as many decimals; no number is an open end."""
    if number is None or "∞" in text:
        return number is None and "∞" in text
    decimals = len(text.partition(".")[2])
    return abs(float(text.replace("−", "-")) - number) <= 0.5001 * 10.0**-decimals


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
    quotes = list(_QUOTE.finditer(row[3]))
    for quote in quotes:
        record = ledger().get(named(quote))
        if record is None:
            continue
        assert quote["verdict"] == record["verdict"], quote[0]
        for end, field in (("value", "value"), ("low", "ci_low"), ("high", "ci_high")):
            assert agrees(quote[end], record[field]), f"{quote[0]}: {field} is {record[field]}"
    ids = {claim for _, claim in asked()}
    spoken = [name for name in re.findall(r"`(?:\w+/)?(\w+)`", " ".join(row)) if name in ids]
    assert len(spoken) == len(quotes), "a claim is named without number, interval and verdict"


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_conclusion_is_as_strong_as_its_verdicts(row: list[str]) -> None:
    theirs = row[3].partition("Beside, ")[0]
    verdicts = {quote["verdict"] for quote in _QUOTE.finditer(theirs)}
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
