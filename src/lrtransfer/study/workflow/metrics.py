"""The ledger and the fits as numbers by name, in the form that ``dvc metrics diff`` compares."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lrtransfer.study.storage.paths import Layout


def metrics(
    records: Sequence[dict[str, Any]], experiments: Iterable[str], layout: Layout
) -> dict[str, Any]:
    """Return verdict counts, plain and corrected, and each experiment's claims, drifts and optima.

    Optima are log2 of the learning rate, drifts their change per doubling of the size.
    """
    papers = [r for r in records if r["paper"] != "lrtransfer"]
    content: dict[str, Any] = {
        "verdicts": dict(Counter(r["verdict"] for r in papers)),
        "verdicts_corrected": dict(Counter(r["verdict_corrected"] for r in papers)),
        "checks": {r["id"]: r["value"] for r in records if r["paper"] == "lrtransfer"},
    }
    for name in experiments:
        content[name] = {
            "claims": {
                r["id"]: {"value": r["value"], "verdict": r["verdict"]}
                for r in records
                if r["experiment"] == name
            },
            "drift": _numbers(layout.fit(name, "drift"), "slope"),
            "optimum": _numbers(layout.fit(name, "optima"), "log2_lr"),
        }
    return content


def _numbers(path: Path, value: str) -> dict[str, float]:
    """Return the finite numbers of one column under names such as ``mup depth 3 width 64``."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(_label(row), float(row[value] or "nan")) for row in csv.DictReader(file)]
    return {label: number for label, number in rows if math.isfinite(number)}


def _label(row: dict[str, str]) -> str:
    axis = row["axis"]
    other = "depth" if axis == "width" else "width"
    size = f" {axis} {row['size']}" if "size" in row else ""
    return f"{row['arm']} {other} {row['fixed']}{size}"
