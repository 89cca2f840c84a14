"""Write what was measured into the documents that tell it: `python -m tests.requote`.

Quotes of the ledger, sentences that count it, the tables of fresh seeds and of the blind test.
Prints each quote that changed, and each conclusion of the gallery that no longer follows from its
verdicts and wants words of its own. Reads the ledger before fresh seeds from git's history.
"""

from __future__ import annotations

import re

from tests.measured import (
    BLIND_TEST,
    FRESH_SEEDS,
    blind_test,
    fresh_seeds,
    recounted,
    told_before,
    told_counts,
)
from tests.quotes import QUOTE, ROOT, agrees, ledger, named

_ENDS = (("value", "value"), ("low", "ci_low"), ("high", "ci_high"))


def requoted(text: str) -> str:
    """Return a text whose quotes say what the ledger holds, with as many decimals as before."""
    return QUOTE.sub(_requoted, text)


def _requoted(quote: re.Match[str]) -> str:
    record = ledger().get(named(quote))
    if record is None:
        return quote[0]
    decimals = len(quote["value"].partition(".")[2])
    new = {end: _written(end, quote[end], record[field], decimals) for end, field in _ENDS}
    new["verdict"] = record["verdict"]
    text, start = quote[0], quote.start()
    for group in ("verdict", "high", "low", "value"):  # from the end, so that places stay
        text = text[: quote.start(group) - start] + new[group] + text[quote.end(group) - start :]
    return text


def _written(end: str, old: str, number: float | None, decimals: int) -> str:
    if agrees(old, number):
        return old
    if number is None:
        return "−∞" if end == "low" else "∞"
    return f"{number:.{decimals}f}".replace("-", "−")


def main() -> None:
    """Rewrite the documents."""
    from tests.test_gallery import follows, rows

    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        new = requoted(text)
        if new != text:
            path.write_text(new, encoding="utf-8")
            for before, after in zip(QUOTE.finditer(text), QUOTE.finditer(new), strict=True):
                if before[0] != after[0]:
                    print(f"{path.relative_to(ROOT)}\n- {before[0]}\n+ {after[0]}")
    fresh_seeds(told_before()).to_csv(FRESH_SEEDS, index=False, lineterminator="\n")
    blind_test().to_csv(BLIND_TEST, index=False, lineterminator="\n")
    for document, sentence, numbers in told_counts():
        path = ROOT / document
        text = path.read_text(encoding="utf-8")
        path.write_text(recounted(text, sentence, numbers), encoding="utf-8")
    for row in rows():
        verdicts = {q["verdict"] for q in QUOTE.finditer(row[3].partition("Beside, ")[0])}
        if row[4] not in follows(verdicts):
            print(f"{row[0]}: {row[4]!r} does not follow; {sorted(follows(verdicts))} would")


if __name__ == "__main__":
    main()
