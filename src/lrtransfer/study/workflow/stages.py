"""What each stage reads and writes, from run files to the ledger; no torch, no matplotlib."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from lrtransfer.study.evidence.estimates import Estimates, courses_table, table
from lrtransfer.study.evidence.experiment import Experiment
from lrtransfer.study.evidence.ledger import ledger
from lrtransfer.study.evidence.tables import runs_and_curves, spectra_table, to_arrow
from lrtransfer.study.plan.claims import FILE, OURS, load_claims
from lrtransfer.study.plan.expand import Plan
from lrtransfer.study.storage.atomic import write_text
from lrtransfer.study.storage.paths import RUN_TABLES, Layout
from lrtransfer.study.storage.seal import require_file
from lrtransfer.study.storage.sums import check_sum, write_sums
from lrtransfer.study.storage.tables import read_table, write_table
from lrtransfer.study.workflow.stored import (
    estimate_files,
    estimate_settings,
    estimated_experiments,
    made_of,
    table_settings,
)
from lrtransfer.transfer import held_out
from lrtransfer.transfer.size import OTHER, Axis

# What every record of a ledger says.
_COMPARED = {"id", "experiment", "paper", "verdict", "value", "ci_low", "ci_high"}


def write_run_tables(plan: Plan, layout: Layout, experiment: str) -> None:
    """Write the runs of one experiment and their thinned curves."""
    tables = runs_and_curves(plan.part(experiment), layout)
    for name, frame in zip(RUN_TABLES, tables, strict=True):
        _write_table(plan, layout.table(experiment, name), to_arrow(frame), experiment)


def write_spectra_table(plan: Plan, layout: Layout, experiment: str) -> None:
    """Write the eigenvalues and densities of one experiment's checkpoints, in long form."""
    found = spectra_table(plan.part(experiment).spectra, layout)
    _write_table(plan, layout.table(experiment, "spectra"), found, experiment)


def _write_table(plan: Plan, path: Path, found: pa.Table, experiment: str) -> None:
    write_table(path, found, table_settings(plan, experiment) | {"made_of": made_of(plan, path)})


def write_estimates(plan: Plan, layout: Layout, experiment: str) -> None:
    """Write what one experiment's tables say: estimates, and courses and forecasts where it has."""
    of = table_settings(plan, experiment)
    own = Experiment(*(read_frame(layout.table(experiment, name), of) for name in RUN_TABLES))
    confidence = plan.study.fits.confidence
    made = {
        layout.estimates(experiment): lambda: table(experiment, own.estimates()),
        layout.courses(experiment): lambda: courses_table(experiment, own.courses()),
        layout.forecasts(experiment): lambda: to_arrow(held_out.forecasts(own.sweeps, confidence)),
    }
    for path in estimate_files(plan, layout, experiment):
        write_table(path, made[path](), estimate_settings(plan, experiment))


def write_ledger(plan: Plan, layout: Layout) -> None:
    """Write claims and metrics of every experiment that has estimates, selected now or not."""
    estimates = read_estimates(plan, layout)
    forecasts = [
        read_frame(layout.forecasts(name), estimate_settings(plan, name))
        for name in estimates
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
    write_sums(layout.claims_sums, (layout.claims, layout.metrics))


def read_estimates(plan: Plan, layout: Layout) -> dict[str, Estimates]:
    """Return the estimates of every experiment that has any, selected now or not."""
    return {
        name: Estimates(read_frame(layout.estimates(name), estimate_settings(plan, name)))
        for name in estimated_experiments(plan, layout)
    }


def read_frame(path: Path, of: Mapping[str, Any]) -> pd.DataFrame:
    """Return a Parquet table as a frame.

    Args:
        path: The file.
        of: Whose table is asked for: `table_settings` or `estimate_settings`.

    Raises:
        CorruptFileError: The file is damaged, or another's.
        FileNotFoundError: There is no such file.
    """
    found, _ = read_table(path, of)
    frame: pd.DataFrame = found.to_pandas()
    return frame


def read_ledger(layout: Layout, experiments: Sequence[str]) -> list[dict[str, Any]]:
    """Return the stored claims on these experiments, and those on all.

    Raises:
        CorruptFileError: The ledger is not what the study wrote.
        FileNotFoundError: There is none yet.
    """
    if layout.claims.exists():
        check_sum(layout.claims, layout.claims_sums)
    records = read_claims(layout.claims)
    chosen = {*experiments, "all"}
    return [record for record in records if record["experiment"] in chosen]


def read_claims(path: Path) -> list[dict[str, Any]]:
    """Return the records of a ledger, of this study or another.

    Raises:
        ValueError: The file is no ledger.
        FileNotFoundError: There is none yet.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no ledger yet. Run the study: `lrtransfer run`.")
    require_file(path)
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        records = None
    if not (isinstance(records, list) and all(map(_is_record, records))):
        raise ValueError(f"{path}: no ledger of claims. Give a claims.json that a study wrote.")
    return records


def _is_record(found: Any) -> bool:
    return isinstance(found, dict) and found.keys() >= _COMPARED


def _write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _metrics(
    records: Sequence[dict[str, Any]], estimates: Mapping[str, Estimates]
) -> dict[str, Any]:
    """Return verdict counts, plain and corrected, and each experiment's claims, drifts and optima.

    Verdicts are counted of the papers' claims, and beside them of questions of our own.
    Optima are log2 of the learning rate, drifts their change per octave of the size.
    """
    papers = [r for r in records if r["paper"] not in ("lrtransfer", OURS)]
    content: dict[str, Any] = {
        "verdicts": dict(Counter(r["verdict"] for r in papers)),
        "verdicts_corrected": dict(Counter(r["verdict_corrected"] for r in papers)),
        "verdicts_of_ours": dict(Counter(r["verdict"] for r in records if r["paper"] == OURS)),
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
    """Return the finite values under names such as `mup depth 3 width 64`."""
    found = [(_label(row), float(row["value"])) for row in rows.to_dict("records")]
    return {label: number for label, number in found if math.isfinite(number)}


def _label(row: Mapping[Any, Any]) -> str:
    axis: Axis = row["axis"]
    size = f" {axis} {row['size']}" if row["size"] else ""
    return f"{row['arm']} {OTHER[axis]} {row['fixed']}{size}"
