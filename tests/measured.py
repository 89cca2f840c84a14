"""Tables and counts of measured results in the documents, as the committed results give them."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lrtransfer.study.evidence.estimates import Estimates
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.storage.tables import read_table
from lrtransfer.study.workflow.start import select
from lrtransfer.transfer.held_out import covers
from lrtransfer.transfer.predict import predict
from lrtransfer.transfer.sweeps import groups_of, sweeps
from tests.quotes import ROOT, ledger

FRESH_SEEDS = ROOT / "docs" / "fresh-seeds.csv"
BLIND_TEST = ROOT / "docs" / "blind-test.csv"
_BEFORE_FRESH_SEEDS = "6e372fa"  # the commit whose ledger is of seeds that looks had used
_FIRST_SEED = 3
_RECORD = ("value", "ci_low", "ci_high", "verdict", "verdict_corrected")
COLUMNS = ("value", "low", "high", "verdict", "corrected")

Record = dict[str, Any]


def estimates(experiment: str) -> Estimates:
    """Return the committed estimates of an experiment."""
    table, _ = read_table(ROOT / Layout().estimates(experiment))
    return Estimates(table.to_pandas())


# ------------------------------------------------------------------------------- fresh seeds


def fresh_seeds(before: dict[tuple[str, str], Record]) -> pd.DataFrame:
    """Return claims whose experiment ran again with other seeds, `before` and now, as text."""
    rows = []
    for (experiment, claim), record in ledger().items():
        old = before.get((experiment, claim))
        if old is not None and _ran_again(experiment):
            row = {"experiment": experiment, "claim": claim, "rule": record["rule"]}
            row |= {f"{column}_before": text for column, text in old.items()}
            rows.append(row | _as_text(record))
    return pd.DataFrame(rows)


def told_before() -> dict[tuple[str, str], Record]:
    """Return the former ledger from git's history, as the table's text."""
    where = f"{_BEFORE_FRESH_SEEDS}:results/claims.json"
    shown = subprocess.run(["git", "show", where], cwd=ROOT, check=True, capture_output=True)
    return {(r["experiment"], r["id"]): _as_text(r) for r in json.loads(shown.stdout)}


def read_fresh_seeds() -> pd.DataFrame:
    """Return the committed table."""
    return pd.read_csv(FRESH_SEEDS, dtype=str, keep_default_na=False)


def _ran_again(experiment: str) -> bool:
    path = ROOT / Layout().table(experiment, "runs")
    return path.is_file() and min(read_table(path)[0].column("seed").to_pylist()) >= _FIRST_SEED


def _as_text(record: Record) -> Record:
    values = (record[name] for name in _RECORD)
    texts = [v if isinstance(v, str) else "" if v is None else f"{v:.4g}" for v in values]
    return dict(zip(COLUMNS, texts, strict=True))


@dataclass(frozen=True)
class Counts:
    """What docs/claims.md says of the table, in its order."""

    records: int
    same: int
    newly_decided: int
    newly_open: int
    reversed: int
    corrected: int
    corrected_before: int
    powered: int
    powered_corrected: int
    powered_decided: int
    percent_corrected: int
    percent_decided: int
    unmet: int
    of: int


_COUNTED = re.compile(
    r"Of (\d+) records\s(\d+) keep their verdict, (\d+) are decided that were open, (\d+) "
    r"are open that were decided, (\d+) are reversed; after the correction (\d+) are decided "
    r"where it had been (\d+)\.\sOf the (\d+) whose [^%]*? (\d+) are decided after the correction "
    r"and (\d+) taken singly, where 85 % had been asked for: (\d+) and (\d+) %"
    r"[^%]*?on its own: (\d+) of the (\d+) lack"
)


def counts(table: pd.DataFrame) -> Counts:
    """Return the counts of a table of fresh seeds."""
    before, now = (table[name] != "inconclusive" for name in ("verdict_before", "verdict"))
    same = table["verdict_before"] == table["verdict"]
    power = pd.read_csv(ROOT / "docs" / "power.csv").set_index(["experiment", "claim"])["power"]
    registered = power.reindex(pd.MultiIndex.from_frame(table[["experiment", "claim"]]))
    strong = table[registered.to_numpy() >= 0.9]

    def decided(rows: pd.DataFrame, column: str) -> int:
        return int((rows[column] != "inconclusive").sum())

    corrected, singly = decided(strong, "corrected"), decided(strong, "verdict")
    return Counts(
        records=len(table),
        same=int(same.sum()),
        newly_decided=int((now & ~before).sum()),
        newly_open=int((before & ~now).sum()),
        reversed=int((before & now & ~same).sum()),
        corrected=decided(table, "corrected"),
        corrected_before=decided(table, "corrected_before"),
        powered=len(strong),
        powered_corrected=corrected,
        powered_decided=singly,
        percent_corrected=round(100 * corrected / len(strong)),
        percent_decided=round(100 * singly / len(strong)),
        unmet=sum(
            bool(ledger()[row.experiment, row.claim]["obstacle"]) for row in strong.itertuples()
        ),
        of=len(strong),
    )


def half_widths_reached() -> list[int]:
    """Return how many claims on drifts ran again, and their half widths: % of promised, of before.

    Promised is what the static plan was expected to reach (`power.csv`); means are geometric.
    """
    power = pd.read_csv(ROOT / "docs" / "power.csv")
    drifts = power[power["measure"].isin(["drift", "drift_over_range"])]
    both = drifts.merge(pd.read_csv(FRESH_SEEDS), on=["experiment", "claim"])
    reached = (both["high"] - both["low"]) / 2
    ratios = [np.log(reached / both[name]).mean() for name in ("then", "half_width")]
    return [len(both), *(round(100 * float(np.exp(ratio))) for ratio in ratios)]


# --------------------------------------------------------------------------------- blind test


def blind_test() -> pd.DataFrame:
    """Return the optima predicted from the core's widths beside those found, in octaves."""
    core, _ = read_table(ROOT / Layout().table("width_transfer_vision", "runs"))
    groups = {group[0].arm: group for group in groups_of(list(sweeps(core.to_pandas())))}
    rows = []
    for width in (512, 1024):
        known = estimates(f"blind_{width}")
        for arm in ("mup", "ntp", "sp"):
            found = known.one("optimum", arm=arm, size=width)
            if found is None:
                continue
            predicted = predict(groups[arm], width).log2_rate
            row: Record = {"arm": arm, "width": width}
            both = [*predicted.interval(0.95), *found.interval(0.95)]
            columns = ("predicted", "low", "high", "found", "found_low", "found_high")
            row |= {name: round(value, 2) for name, value in zip(columns, both, strict=True)}
            rows.append(row | {"covered": int(covers(predicted, found, 0.95))})
    return pd.DataFrame(rows)


# ---------------------------------------------------------------- sentences that count the ledger


def told_counts() -> Iterator[tuple[str, re.Pattern[str], list[int]]]:
    """Yield a document, a sentence of it that counts, and the numbers that it has to give."""
    records = [record for (where, _), record in ledger().items() if where != "all"]
    singly, corrected = (
        Counter(record[name] for record in records) for name in ("verdict", "verdict_corrected")
    )
    decided = [singly["supported"], singly["contradicted"]]
    stay = [corrected["supported"], corrected["contradicted"]]
    after = sum(record["fixed"] == "after" for record in records)
    yield (
        "README.md",
        re.compile(
            r"Of (\d+) claims (\d+) are supported, (\d+) contradicted and (\d+) open; after\n"
            r"correction for their number (\d+) and (\d+) stay decided"
        ),
        [len(records), *decided, singly["inconclusive"], *stay],
    )
    yield (
        "docs/statistics.md",
        re.compile(
            r"Of the (\d+) claims (\d+) are supported and (\d+) contradicted as they\n"
            r"stand; corrected, (\d+) and (\d+)\."
        ),
        [len(records), *decided, *stay],
    )
    yield (
        "docs/statistics.md",
        re.compile(r"`fixed`: (\d+) of the (\d+) records are"),
        [after, len(records)],
    )
    held_out = ledger()["all", "predict_covers_held_out"]
    arms = int(held_out["metric"].split("share of ")[1].split()[0])
    shares = [held_out[name] for name in ("value", "ci_low", "ci_high")]
    yield (
        "docs/statistics.md",
        re.compile(
            r"(\d+) of the (\d+) distinct arms of the laptop study\s"
            r"are covered \((\d+) %, interval (\d+)–(\d+) %\)"
        ),
        [round(shares[0] * arms), arms, *(round(100 * share) for share in shares)],
    )
    plan = select(ROOT / "params.yaml", experiments="all").plan
    run = [e for e in plan.experiments if (ROOT / Layout().table(e, "runs")).is_file()]
    yield (
        "README.md",
        re.compile(r"all (\d+) experiments, (\d+) of them with results here"),
        [len(plan.experiments), len(run)],
    )
    yield (
        "docs/log.md",
        re.compile(
            r"(\d+) claims on drifts have half widths of (\d+) % of those promised\sand "
            r"(\d+) % of those before"
        ),
        half_widths_reached(),
    )
    yield "docs/claims.md", _COUNTED, list(vars(counts(read_fresh_seeds())).values())


def recounted(text: str, sentence: re.Pattern[str], numbers: list[int]) -> str:
    """Return a text whose counting sentence says `numbers`."""
    found = sentence.search(text)
    assert found, f"no sentence {sentence.pattern}"
    for place in range(len(numbers), 0, -1):  # from the end, so that places stay
        text = text[: found.start(place)] + str(numbers[place - 1]) + text[found.end(place) :]
    return text
