"""The study's runs in the form of other tools."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
from pandas.api.types import is_numeric_dtype

from lrtransfer.study.plan.expand import Plan, Run
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.storage.run_file import read_run
from lrtransfer.study.training.trackers import check_installed, tracked
from lrtransfer.study.workflow.stages import read_frame
from lrtransfer.study.workflow.stored import table_settings


def export_tables(plan: Plan, layout: Layout, folder: Path, kind: str) -> list[Path]:
    """Write the runs of each experiment, a row each with its configuration as columns.

    Args:
        plan: whose experiments.
        layout: where their tables lie.
        folder: where `<experiment>.<kind>` goes.
        kind: `csv` or `parquet`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in plan.experiments:
        runs = read_frame(layout.table(name, "runs"), table_settings(plan, name))
        configs = pd.json_normalize([json.loads(text) for text in runs["config"]], sep="/")
        frame = pd.concat([runs.drop(columns="config"), configs.add_prefix("config/")], axis=1)
        path = folder / f"{name}.{kind}"
        if kind == "csv":
            frame.to_csv(path, index=False)
        else:
            # A setting may be a number in one arm and a list in another; Parquet knows one kind.
            mixed = [str(name) for name in frame if not is_numeric_dtype(frame[name])]
            frame[mixed] = frame[mixed].map(lambda v: v if isinstance(v, str) else json.dumps(v))
            frame.to_parquet(path, index=False)
        written.append(path)
    return written


def export_runs(plan: Plan, layout: Layout, folder: Path, tracker: str) -> int:
    """Show every finished run to a tracker; return their number.

    Raises:
        FileNotFoundError: the files of the runs are elsewhere.
        ValueError: the tracker's package is not installed.
    """
    check_installed(tracker, f"--to {tracker}")
    finished = [run for run in plan.runs if layout.run(run.key).is_file()]
    if not finished:
        raise FileNotFoundError(
            f"none of the {len(plan.runs)} runs lies in {layout.run('x').parent}: pull them with "
            "`lrtransfer restore`, or train them with `lrtransfer run`"
        )
    for run in finished:
        _show(run, layout, folder, tracker)
    return len(finished)


def _show(run: Run, layout: Layout, folder: Path, tracker: str) -> None:
    table, _ = read_run(layout.run(run.key), run.key)
    with tracked(run, [tracker], folder=folder) as log:
        for row in table.to_pylist():
            step = row.pop("step")
            log(step, {name: value for name, value in row.items() if value is not None})
