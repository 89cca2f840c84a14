"""Numbers that documents quote from the ledger, and whether they are what it holds.

A quote is "0.40 [0.12, 0.68] (`mup_optimum_stays`, inconclusive)", with a unit before the bracket
and the experiment before the claim where several make it.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
VERDICTS = ("supported", "contradicted", "inconclusive")

_NUMBER = r"[−\d.∞]+"
QUOTE = re.compile(
    rf"(?P<value>{_NUMBER})[ \w]* \[(?P<low>{_NUMBER}), (?P<high>{_NUMBER})\]\s"
    rf"\(`(?:(?P<experiment>\w+)/)?(?P<id>\w+)`,\s(?P<verdict>{'|'.join(VERDICTS)})\)"
)


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


def hold(text: str) -> list[re.Match[str]]:
    """Return the quotes of a text, having checked each against the ledger.

    The ledger holds whole experiments; of a claim on another one only its name is checked.
    """
    quotes = list(QUOTE.finditer(text))
    for quote in quotes:
        record = ledger().get(named(quote))
        if record is None:
            continue
        assert quote["verdict"] == record["verdict"], quote[0]
        for end, field in (("value", "value"), ("low", "ci_low"), ("high", "ci_high")):
            assert agrees(quote[end], record[field]), f"{quote[0]}: {field} is {record[field]}"
    return quotes
