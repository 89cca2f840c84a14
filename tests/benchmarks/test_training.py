"""What docs/speed.md tells of the committed measurement of training."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.quotes import ledger
from tests.tiny import ROOT

NETWORKS = {"residual MLP, SGD": "residual_mlp, sgd", "LLaMA, AdamW": "llama, adamw"}
SPEED = (ROOT / "docs/speed.md").read_text(encoding="utf-8")


def _rows(what: str) -> list[dict[str, Any]]:
    text = (ROOT / "results/benchmarks/training.json").read_text(encoding="utf-8")
    return [row for row in json.loads(text)["rows"] if what in row["what"]]


def _table(before: str) -> dict[str, list[str]]:
    """Return the cells behind each network's name in the first table after a text."""
    table = SPEED.split(before, 1)[1].split("\n\n")[1]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    widths = [re.sub(r"\D", "", cell) for cell in lines[0][1:]]
    cells = {re.sub(", 64 samples", "", name): values for name, *values in lines[2:]}
    return {"width": widths} | {NETWORKS[name]: values for name, values in cells.items()}


@pytest.mark.parametrize(
    ("before", "what", "column"),
    [
        ("What bfloat16 gains there", "loop", "bfloat16_gain"),
        ("Processor seconds of a run one by one", "runs at once", "gain"),
    ],
)
def test_each_cell_of_a_table_is_measured(before: str, what: str, column: str) -> None:
    table = _table(before)
    told = {
        (name, int(width)): cell
        for name in NETWORKS.values()
        for width, cell in zip(table["width"], table[name], strict=True)
        if cell != "–"
    }
    assert told == {(row["network"], row["width"]): f"{row[column]:.2f}" for row in _rows(what)}


def test_the_text_tells_loops_starts_and_memory_as_measured() -> None:
    text = " ".join(SPEED.split())
    wide = [row["times_by_hand"] for row in _rows("loop") if row["width"] >= 128]
    mlp = [f"{row['times_by_hand']:.2f}" for row in _rows("loop")[:2]]
    assert f"takes {min(wide):.2f} to {max(wide):.2f} of a hand-written one" in text
    assert f"({mlp[0]} and {mlp[1]} at 16 and 64)" in text
    (start,) = _rows("start of a job")
    assert f"costs {start['times_import_torch']} × `import torch`" in text
    assert f"with five readings of everything {start['with_five_readings']} ×" in text
    *three, fourth, fifth = (row["peak_mb"] for row in _rows("text"))
    assert "takes {}, {} and {} MB of memory".format(*three) in text
    assert f"{fourth} and {fifth} MB at 10 and 40 MB of byte pairs" in text


def test_our_loop_and_a_start_cost_little_more_than_need_be() -> None:
    assert max(row["times_by_hand"] for row in _rows("loop") if row["width"] >= 128) <= 1.05
    assert _rows("start of a job")[0]["times_import_torch"] <= 1.6


def test_the_text_tells_what_bfloat16_changes_in_claims() -> None:
    table = pd.read_csv(ROOT / "docs/bfloat16.csv")
    for row in table.to_dict("records"):
        record = ledger()[row["experiment"], row["claim"]]
        assert record["value"] == pytest.approx(row["value_float32"], rel=1e-3)
        assert record["verdict"] == row["verdict_float32"], row["claim"]
    same = (table["verdict_float32"] == table["verdict_bfloat16"]) & (
        table["corrected_float32"] == table["corrected_bfloat16"]
    )
    half, other = (
        (table[f"high_{kind}"] - table[f"low_{kind}"]) / 2 for kind in ("float32", "bfloat16")
    )
    moved = ((table["value_float32"] - table["value_bfloat16"]).abs() / half).median()
    text = " ".join(SPEED.split())
    assert f"Of {len(table)} claims {same.sum()} keep their verdict" in text
    assert f"move by {100 * moved:.1f} % of their half width" in text
    assert f"intervals are {np.exp(np.log(other / half).mean()):.2f} times as wide" in text
    assert set(table["claim"][~same]) == {
        "decay_simple_form_is_slow",
        "decay_fast_embedding_matches",
    }
