"""What each stage reads and writes, from run files to the ledger; no torch, no matplotlib."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lrtransfer.study.evidence.estimates import Estimates, courses_table, table
from lrtransfer.study.evidence.experiment import Experiment
from lrtransfer.study.evidence.ledger import ledger
from lrtransfer.study.evidence.tables import runs_and_curves, spectra_table, to_arrow
from lrtransfer.study.plan.claims import FILE, load_claims
from lrtransfer.study.plan.expand import Plan
from lrtransfer.study.storage.atomic import write_text
from lrtransfer.study.storage.paths import RUN_TABLES, Layout
from lrtransfer.study.storage.seal import CorruptFileError
from lrtransfer.study.storage.tables import read_table, write_table
from lrtransfer.study.workflow.targets import (
    estimate_files,
    estimate_settings,
    estimated_experiments,
)
from lrtransfer.transfer import held_out


def write_run_tables(plan: Plan, layout: Layout, experiment: str) -> None:
    """Write the runs of one experiment and their thinned curves."""
    tables = runs_and_curves(plan.part(experiment), layout)
    for name, frame in zip(RUN_TABLES, tables, strict=True):
        write_table(layout.table(experiment, name), to_arrow(frame), _about(plan))


def write_spectra_table(plan: Plan, layout: Layout, experiment: str) -> None:
    """Write the eigenvalues and densities of one experiment's checkpoints, in long form."""
    found = spectra_table(plan.part(experiment).spectra, layout)
    write_table(layout.table(experiment, "spectra"), found, _about(plan))


def write_estimates(plan: Plan, layout: Layout, experiment: str) -> None:
    """Write what one experiment's tables say: estimates, and courses and forecasts where it has."""
    own = Experiment(*(read_frame(layout.table(experiment, name)) for name in RUN_TABLES))
    confidence = plan.study.fits.confidence
    made = {
        layout.estimates(experiment): lambda: table(experiment, own.estimates()),
        layout.courses(experiment): lambda: courses_table(experiment, own.courses()),
        layout.forecasts(experiment): lambda: to_arrow(held_out.forecasts(own.sweeps, confidence)),
    }
    for path in estimate_files(plan, layout, experiment):
        write_table(path, made[path](), estimate_settings(plan))


def write_ledger(plan: Plan, layout: Layout) -> None:
    """Write claims and metrics of every experiment that has estimates, selected now or not."""
    names = estimated_experiments(plan, layout)
    estimates = {name: Estimates(read_frame(layout.estimates(name))) for name in names}
    forecasts = [
        read_frame(layout.forecasts(name))
        for name in names
        if layout.forecasts(name) in estimate_files(plan, layout, name)
    ]
    records = ledger(
        estimates,
        load_claims(Path(FILE), plan.study),
        forecasts,
        scale=plan.study.scale,
        confidence=plan.study.fits.confidence,
    )
    _write_json(layout.claims, records)
    _write_json(layout.metrics, _metrics(records, estimates))


def read_frame(path: Path) -> pd.DataFrame:
    """Return a Parquet table as a frame; raise `CorruptFileError` where it is damaged."""
    found, _ = read_table(path)
    frame: pd.DataFrame = found.to_pandas()
    return frame


def read_ledger(layout: Layout, experiments: Sequence[str]) -> list[dict[str, Any]]:
    """Return the stored claims on these experiments, and those on all.

    Raises:
        CorruptFileError: The ledger is damaged.
        FileNotFoundError: There is none yet.
    """
    chosen = {*experiments, "all"}
    return [record for record in read_claims(layout.claims) if record["experiment"] in chosen]


def read_claims(path: Path) -> list[dict[str, Any]]:
    """Return the records of a ledger.

    Raises:
        CorruptFileError: The file is no ledger.
        FileNotFoundError: There is none yet.
    """
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no ledger yet. Run the study: `make study`.") from None
    except (ValueError, UnicodeDecodeError):
        raise CorruptFileError(path, "not readable as JSON") from None
    if not isinstance(records, list):
        raise CorruptFileError(path, "holds no list of claims")
    return records


def _about(plan: Plan) -> dict[str, Any]:
    return {"scale": plan.study.scale}


def _write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _metrics(
    records: Sequence[dict[str, Any]], estimates: Mapping[str, Estimates]
) -> dict[str, Any]:
    """Return verdict counts, plain and corrected, and each experiment's claims, drifts and optima.

    Optima are log2 of the learning rate, drifts their change per octave of the size.
    """
    papers = [r for r in records if r["paper"] != "lrtransfer"]
    content: dict[str, Any] = {
        "verdicts": dict(Counter(r["verdict"] for r in papers)),
        "verdicts_corrected": dict(Counter(r["verdict_corrected"] for r in papers)),
        "checks": {r["id"]: r["value"] for r in records if r["paper"] == "lrtransfer"},
    }
    for name, own in estimates.items():
        content[name] = {
            "claims": {
                r["id"]: {"value": r["value"], "verdict": r["verdict"]}
                for r in records
                if r["experiment"] == name
            },
            "drift": _numbers(own.rows("drift")),
            "optimum": _numbers(own.rows("optimum")),
        }
    return content


def _numbers(rows: pd.DataFrame) -> dict[str, float]:
    """Return the finite values under names such as ``mup depth 3 width 64``."""
    found = [(_label(row), float(row["value"])) for row in rows.to_dict("records")]
    return {label: number for label, number in found if math.isfinite(number)}


def _label(row: Mapping[Any, Any]) -> str:
    axis = row["axis"]
    other = "depth" if axis == "width" else "width"
    size = f" {axis} {row['size']}" if row["size"] else ""
    return f"{row['arm']} {other} {row['fixed']}{size}"
